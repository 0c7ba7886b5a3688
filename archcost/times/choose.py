"""Which calibration answers for a device, an engine, a precision and a mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from archcost.costs.run import Run
from archcost.errors import ArchcostError, listing, nearest
from archcost.hardware import calibration
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile
from archcost.time_classes import Fuses

DEFAULT = "eager"
CHANNELS_LAST = "eager-nhwc"
"""Eager torch with images in channels-last."""

OTHER_DEVICE = 2.0
"""By how much a band is widened where a calibration is of another device."""

OTHER_RELEASE = 1.25
"""The same for another release of torch."""


class Chosen(NamedTuple):
    """None where there is only the data sheet, and why. `differs` is what a given one was made on, and is not here."""

    calibration: Calibration | None
    notes: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()

    @property
    def fuses(self) -> tuple[Fuses, ...]:
        """What the engine makes one kernel of."""
        return ("attention",) if self.calibration is None else self.calibration.fuses


def run_by(run: Run, engine: str | None) -> Run:
    """The run as that engine has it: its images with their channels last, where its name says so."""
    return replace(run, channels_last=True) if engine is not None and engine.endswith(CHANNELS_LAST) else run


def choose(
    profile: HardwareProfile,
    run: Run,
    engine: str | None,
    given: Calibration | None = None,
    threads: int | None = None,
) -> Chosen:
    """One that was given, else the newest of the device that suits. `threads` are those of a CPU that will run.

    Raises ArchcostError for an engine that no calibration has, and for a given one of another precision or mode.
    """
    if given is not None:
        return _given(given, profile, run, threads)
    mode = "train" if run.trains else "infer"
    known = calibration.of(profile.name)
    asked = engine or (CHANNELS_LAST if run.channels_last else DEFAULT)
    suiting = [each for each in known if _is_asked(each, asked)]
    if engine is not None and not suiting:
        engines = sorted({word for each in calibration.shipped() for word in (each.engine, each.label)})
        if engine not in (*engines, DEFAULT, CHANNELS_LAST):
            raise ArchcostError(
                f"no calibration of engine {engine}",
                expected=listing(engines) if engines else DEFAULT,
                found=engine,
                hint=nearest(engine, engines),
            )
    found = [each for each in suiting if each.precision == run.precision and mode in each.modes]
    if found:
        return Chosen(max(found, key=_release))
    return Chosen(None, (_why(profile, asked, suiting),))


def _given(given: Calibration, profile: HardwareProfile, run: Run, threads: int | None) -> Chosen:
    """With a wider band where it was made on something else."""
    mode = "train" if run.trains else "infer"
    if given.precision != run.precision or mode not in given.modes:
        raise ArchcostError(
            "the calibration is of another kind of run",
            expected=f"one for {mode} in {run.precision}",
            found=f"{listing(given.modes)} in {given.precision}",
            hint=f"archcost hardware calibrate --precision {run.precision} -o FILE",
        )
    differs: list[str] = []
    wider = 1.0
    if given.device != profile.name:
        differs.append(f"of {given.device}, and not of {profile.name}")
        wider *= OTHER_DEVICE
    release = ".".join(map(str, _release(given)[:2]))
    if given.status == "calibrated" and release != run.torch:
        differs.append(f"made with torch {release}, and not with {run.torch}")
        wider *= OTHER_RELEASE
    if threads is not None and given.threads is not None and threads != given.threads:
        differs.append(f"made with {given.threads} threads, and not with {threads}")
        wider *= max(threads, given.threads) / min(threads, given.threads)
    if not differs:
        return Chosen(given)
    bands = {
        name: (low / wider, high * wider)
        for name, (low, high) in (("band", given.band), ("operators_band", given.operators_band))
    }
    note = f"the calibration is {', '.join(differs)}: the band is {wider:g} times as wide to both sides"
    return Chosen(given.model_copy(update=bands), (note,), tuple(differs))


def _is_asked(found: Calibration, engine: str) -> bool:
    return engine in (found.engine, found.label)


def _release(found: Calibration) -> tuple[int, ...]:
    """Numbers of its version: torch 2.10 is newer than torch 2.9."""
    words = "".join([letter if letter.isdigit() else " " for letter in found.version]).split()
    return tuple(map(int, words))


def _why(profile: HardwareProfile, engine: str, suiting: Sequence[Calibration]) -> str:
    if not suiting:
        return f"no runs of {profile.name} with engine {engine} are known: bounds of its data sheet"
    had = listing(sorted({f"{mode} in {each.precision}" for each in suiting for mode in each.modes}))
    return f"runs of {profile.name} are known for {had} only: bounds of its data sheet"
