"""Which calibration answers for a device, an engine, a precision and a mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archcost.costs.run import Run
from archcost.errors import ArchcostError, listing, nearest
from archcost.hardware import calibration
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile

DEFAULT = "eager"


class Chosen(NamedTuple):
    """None where there is only the data sheet, and why."""

    calibration: Calibration | None
    notes: tuple[str, ...] = ()


def choose(profile: HardwareProfile, run: Run, engine: str | None, given: Calibration | None = None) -> Chosen:
    """One that was given, else the newest of the device that suits.

    Raises ArchcostError for an engine that no calibration has.
    """
    if given is not None:
        return Chosen(given)
    mode = "train" if run.trains else "infer"
    known = calibration.of(profile.name)
    suiting = [each for each in known if _is_asked(each, engine)]
    if engine is not None and not suiting:
        engines = sorted({word for each in calibration.shipped() for word in (each.engine, each.label)})
        if engine not in (*engines, DEFAULT):
            raise ArchcostError(
                f"no calibration of engine {engine}",
                expected=listing(engines) if engines else DEFAULT,
                found=engine,
                hint=nearest(engine, engines),
            )
    found = [each for each in suiting if each.precision == run.precision and mode in each.modes]
    if found:
        return Chosen(max(found, key=_release))
    return Chosen(None, (_why(profile, engine, suiting),))


def _is_asked(found: Calibration, engine: str | None) -> bool:
    return found.engine == (engine or DEFAULT) or found.label == engine


def _release(found: Calibration) -> tuple[int, ...]:
    """Numbers of its version: torch 2.10 is newer than torch 2.9."""
    words = "".join([letter if letter.isdigit() else " " for letter in found.version]).split()
    return tuple(map(int, words))


def _why(profile: HardwareProfile, engine: str | None, suiting: Sequence[Calibration]) -> str:
    if not suiting:
        return f"no runs of {profile.name} with engine {engine or DEFAULT} are known: bounds of its data sheet"
    had = listing(sorted({f"{mode} in {each.precision}" for each in suiting for mode in each.modes}))
    return f"runs of {profile.name} are known for {had} only: bounds of its data sheet"
