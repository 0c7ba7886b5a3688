"""A `Calibration` as the text of its file: each amount in the unit in which it is easily read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from archcost.hardware.calibration import Calibration, Measured, Pace
from archcost.terms.time_classes import TimeClass
from archcost.units import UNITS

WRITTEN = "# archcost.calibration/1, written by archcost hardware calibrate"
"""The first line, by which a file is known as one that may be written over."""


def partial(output: Path) -> Path:
    """The path of the file that keeps the times of an unfinished calibration."""
    return output.with_name(output.name + ".partial")


def as_text(calibration: Calibration) -> str:
    """YAML that `archcost.hardware.calibration.read` reads as the same, to six digits."""
    return "\n".join(_lines(calibration)) + "\n"


def _lines(made: Calibration) -> Iterator[str]:
    yield WRITTEN
    for name in ("device", "engine", "version", "precision", "status", "source", "processor"):
        value = getattr(made, name)
        if value is not None:
            yield f"{name}: {json.dumps(value, ensure_ascii=False)}"
    yield f"modes: [{', '.join(made.modes)}]"
    yield f"runs: {made.runs}"
    yield f"families: {made.families}"
    if made.threads is not None:
        yield f"threads: {made.threads}"
    yield f"fuses: [{', '.join(made.fuses)}]"
    yield f"dispatch: {seconds(made.dispatch)}"
    yield f"overlaps: {json.dumps(made.overlaps)}"
    if made.first_touch is not None:
        yield f"first_touch: {_in(made.first_touch, 'B/s')}"
    yield f"band: [{made.band[0]:.4g}, {made.band[1]:.4g}]"
    yield f"operators_band: [{made.operators_band[0]:.4g}, {made.operators_band[1]:.4g}]"
    if made.errors is not None:
        errors = ", ".join(f"{name}: {value:.4g}" for name, value in made.errors.model_dump().items())
        yield f"errors: {{{errors}}}"
    yield from _paces("classes", made.classes)
    yield from _paces("backward", made.backward)
    yield from _paces("inference", made.inference)
    yield from _paces("optimizers", made.optimizers)
    yield from _measured("points", made.points)
    yield from _measured("operators", made.operators)


def _paces(name: str, paces: Mapping[TimeClass, Pace] | Mapping[str, Pace]) -> Iterator[str]:
    if paces:
        yield f"{name}:"
    for key, pace in paces.items():
        yield f"  {json.dumps(key)}: {{{', '.join(_pace(pace))}}}"


def _pace(pace: Pace) -> Iterator[str]:
    if pace.rate is not None:
        yield f"rate: {_in(pace.rate, 'FLOP/s')}"
    if pace.bandwidth is not None:
        yield f"bandwidth: {_in(pace.bandwidth, 'B/s')}"
    if pace.reread is not None:
        yield f"reread: {_in(pace.reread, 'B/s')}"
    yield f"floor: {seconds(pace.floor)}"


def _measured(name: str, measured: Mapping[str, Measured]) -> Iterator[str]:
    if measured:
        yield f"{name}:"
    for key, each in measured.items():
        numbers = f"{seconds(each.forward)}, {seconds(each.backward)}, {each.spread:.3f}"
        yield f"  {json.dumps(key, ensure_ascii=False)}: [{numbers}]"


def seconds(amount: float) -> str:
    return _in(amount, "s")


def _in(amount: float, dimension: str) -> str:
    """An amount in the largest unit that is not above it, with six digits and no exponent."""
    units = sorted(UNITS[dimension].items(), key=lambda unit: unit[1])
    name, worth = next((unit for unit in reversed(units) if amount >= unit[1]), units[0])
    number = amount / float(worth)
    return f"{number:.{max(0, 6 - len(str(int(number))))}f} {name}"
