"""The tables of docs/calibrations.md, made of the calibrations that ship. `python -m tests.generate` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from archcost.hardware import calibration
from archcost.hardware.calibration import Calibration, Errors
from tests.measurements.page import BEGIN, END, ROOT, table

PAGE = ROOT / "docs" / "calibrations.md"

ERRORS = ("median", "90th percentile", "beyond a factor of two", "in the band")
NOTHING = ("-", "-", "-", "-")


def renew(text: str) -> str:
    """The page with what ships now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{block()}\n{rest[rest.index(END) :]}"


def block() -> str:
    found = calibration.shipped()
    engines = sorted({(each.engine, each.precision) for each in found})
    parts = [
        "## By engine",
        table(
            ("engine", "precision", "devices", "runs", "median", "in the band", "relatives: median", "in the band"),
            [_engine(engine, precision, found) for engine, precision in engines],
        ),
        "## By device, families of networks left out",
        table(("device", "engine", "precision", "for", "threads", "runs", "families", *ERRORS), _devices(found)),
        "## By device, as its relatives predict it",
        table(("device", "engine", "precision", *ERRORS), _relatives(found)),
    ]
    return "\n\n".join(parts) + "\n"


def _engine(engine: str, precision: str, found: Sequence[Calibration]) -> tuple[str | int, ...]:
    """Medians over devices, and the share of all runs that are in their band."""
    some = [each for each in found if (each.engine, each.precision) == (engine, precision)]
    own = [(each.errors, each.runs) for each in some if each.errors]
    others = [(each.relatives, each.runs) for each in some if each.relatives]
    return (engine, precision, len(some), sum([each.runs for each in some]), *_short(own), *_short(others))


def _short(some: Sequence[tuple[Errors, int]]) -> tuple[str, str]:
    if not some:
        return "-", "-"
    inside = sum([errors.inside_band * runs for errors, runs in some]) / sum([runs for _, runs in some])
    return f"{median([errors.median for errors, _ in some]):.1%}", f"{inside:.0%}"


def _devices(found: Sequence[Calibration]) -> Iterator[tuple[str | int, ...]]:
    for each in found:
        errors = _errors(each.errors) if each.errors else NOTHING
        modes = ", ".join(each.modes)
        head = (each.device, each.engine, each.precision, modes, each.threads or "-", each.runs, each.families)
        yield (*head, *errors)


def _relatives(found: Sequence[Calibration]) -> Iterator[tuple[str | int, ...]]:
    for each in found:
        if each.relatives:
            yield (each.device, each.engine, each.precision, *_errors(each.relatives))


def _errors(errors: Errors) -> tuple[str, ...]:
    return (
        f"{errors.median:.1%}",
        f"{errors.p90:.1%}",
        f"{errors.beyond_factor_two:.1%}",
        f"{errors.inside_band:.0%}",
    )
