"""Fit, and write calibrations: python -m tests.measurements.boards"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log
from statistics import median
from textwrap import fill, indent
from typing import Any, Protocol

import numpy as np

from archcost.hardware import calibration, library
from archcost.hardware.calibration import Calibration, Errors, Pace
from archcost.passes.run import Run as RunOf
from archcost.times.relatives import from_relatives
from archcost.units import duration
from tests.measurements.boards import gpus, tables
from tests.measurements.boards.fitting import paces
from tests.measurements.boards.groups import Device, Fits, Group, groups
from tests.measurements.boards.networks import FUSES, family, predicted
from tests.measurements.boards.tables import Measured

FOLDER = calibration.FOLDER

VERSIONS = {"ncnn": "2026-03", "opencv": "2025-05", "tiny": "2024"}
"""When the tables were last written; none says which release of the engine each of its runs was of."""

SOURCES = {"ncnn": tables.NCNN, "opencv": tables.OPENCV, "tiny": tables.TINY}

OUTSIDE = 0.05
"""Of the runs, beyond each end of a band that holds nine in ten."""

FEW = 10
"""Fewer runs of a device make no band of its own; of fewer families, none can be left outside."""


class Row(Protocol):
    """One run."""

    @property
    def network(self) -> str: ...


Off = tuple[Row, float]
"""A run, and log(measured / predicted) without its family."""


def main() -> None:
    _boards()
    _gpus()


def _boards() -> None:
    every = groups(tables.every())
    fits = Fits(every)
    found: list[tuple[Calibration, Sequence[Measured]]] = []
    for name, group in every.items():
        off: dict[Device, list[Off]] = {}
        for device, row, residual in fits.residuals(name):
            off.setdefault(device, []).append((row, residual))
        found += [
            (_calibration(device, rows, fits, name, off, group), rows)
            for device, rows in group.items()
            if device in off
        ]
        print(f"{name}: {len(group)} devices, {summary([each for own in off.values() for each in own])}")
    for fitted, rows in found:
        others = [each for each, _ in found if each.engine == fitted.engine and each.device != fitted.device]
        infer = RunOf(mode="infer")
        _write(fitted, without_runs(fitted, infer, others, lambda found, rows=rows: _logs(rows, found)))


def _logs(rows: Sequence[Measured], found: Calibration) -> list[float]:
    return [log(row.seconds / predicted(row.network, found)) for row in rows]


def _spans(rows: Sequence[gpus.Step], found: Calibration) -> list[float]:
    return [log(row.seconds / gpus.predicted(row, found)) for row in rows]


def _gpus() -> None:
    off: dict[str, list[Off]] = {}
    for row, residual in gpus.residuals():
        off.setdefault(row.hardware, []).append((row, residual))
    found: dict[str, Calibration] = {}
    for device, fitted in gpus.devices().items():
        own, ran = off[device], {row.network for row, _ in off[device]}
        alike = [each for other in off if other != device for each in off[other] if each[0].network in ran]
        told = errors([residual for _, residual in own], inside(own, alike))
        found[device] = fitted.model_copy(update={"band": band_of(own, alike), "errors": told})
    for device, fitted in found.items():
        rows = [row for row in gpus.steps() if row.hardware == device and not row.trains]
        others = [each for other, each in found.items() if other != device]
        relatives = without_runs(fitted, RunOf(mode="infer"), others, lambda found, rows=rows: _spans(rows, found))
        _write(fitted, relatives)
    print(f"GPUs: {len(found)} devices, {summary([each for own in off.values() for each in own])}")


def _write(fitted: Calibration, relatives: Errors | None) -> None:
    path = FOLDER / f"{fitted.device}--{fitted.engine}--{fitted.precision}.yaml"
    path.write_text(written(fitted.model_copy(update={"relatives": relatives})))


def _calibration(
    device: Device,
    rows: Sequence[Measured],
    fits: Fits,
    group: str,
    off: dict[Device, list[Off]],
    devices: Group,
) -> Calibration:
    constants = fits.constants(group, device)
    assert constants is not None
    kinds = paces(constants)
    engine = next(key for key in VERSIONS if device.engine.startswith(key))
    others = [each for other in devices if other != device for each in off.get(other, ())]
    watts = [row.watts for row in rows if row.watts]
    return Calibration(
        device=device.hardware,
        engine=device.engine,
        version=VERSIONS[engine],
        precision="fp32",
        modes=("infer",),
        status="public",
        source=SOURCES[engine],
        runs=len(rows),
        families=len({family(row.network) for row in rows}),
        threads=device.threads,
        dispatch=float(np.exp(constants[-1])),
        classes={kind: Pace(rate=rate, bandwidth=bandwidth) for kind, (rate, bandwidth) in sorted(kinds.items())},
        band=band_of(off[device], others),
        errors=errors([residual for _, residual in off[device]], inside(off[device], others)),
        fuses=FUSES,
        power=median(watts) if watts else None,
    )


def band_of(own: Sequence[Off], others: Sequence[Off], without: str | None = None) -> tuple[float, float]:
    """Of the device's residuals, and of all in its group: the wider at each end. `without` is a family left out."""
    both = [
        _ends([(row, off) for row, off in some if family(row.network) != without]) for some in ([*own, *others], own)
    ]
    both = [ends for some, ends in zip(([*own, *others], own), both, strict=True) if len(some) >= FEW]
    return min(1.0, *(exp(low) for low, _ in both)), max(1.0, *(exp(high) for _, high in both))


def _ends(some: Sequence[Off]) -> tuple[float, float]:
    """Logarithms between which nine in ten are. Of few families they are the outermost; that so few were seen is to be
    allowed for.
    """
    families = len({family(row.network) for row, _ in some})
    outside = OUTSIDE if families >= FEW else 0.0
    low, high = np.quantile([off for _, off in some], [outside, 1 - outside]) * (1 + 1 / families)
    return float(low), float(high)


def inside(own: Sequence[Off], others: Sequence[Off]) -> float:
    """Share of the runs that are in a band to which nothing of their family was added."""
    held = 0
    for left in {family(row.network) for row, _ in own}:
        low, high = map(log, band_of(own, others, left))
        held += sum([low <= residual <= high for row, residual in own if family(row.network) == left])
    return held / len(own)


def errors(residuals: Sequence[float], inside_band: float) -> Errors:
    """`residuals` are log(measured / predicted)."""
    off = np.abs(np.expm1(-np.array(residuals)))
    return Errors(
        median=round(float(np.median(off)), 3),
        p90=round(float(np.quantile(off, 0.9)), 3),
        beyond_factor_two=round(float(np.mean(np.abs(residuals) > log(2))), 3),
        inside_band=round(inside_band, 3),
    )


def without_runs(
    fitted: Calibration, run: RunOf, others: Sequence[Calibration], logs: Callable[[Calibration], list[float]]
) -> Errors | None:
    """Errors on the runs of a device, as its relatives predict them."""
    found = from_relatives(library.load(fitted.device), run, others)
    if found is None:
        return None
    residuals = logs(found[0])
    if not residuals:
        return None
    low, high = map(log, found[0].band)
    return errors(residuals, sum([low <= residual <= high for residual in residuals]) / len(residuals))


def summary(off: Sequence[Off]) -> str:
    found = errors([residual for _, residual in off], 0.0)
    return f"{len(off)} runs, families left out: median {found.median:.1%}, 90th percentile {found.p90:.1%}"


def written(found: Calibration) -> str:
    """As a file."""
    head = ["device", "engine", "version", "precision"]
    lines = [f"{key}: {_word(getattr(found, key))}" for key in head]
    lines += [f"modes: [{', '.join(found.modes)}]", f"status: {found.status}"]
    lines += ["source: >-", indent(fill(found.source, 116), "  ")]
    lines += [f"{key}: {value}" for key in ("runs", "families", "threads") if (value := getattr(found, key))]
    lines += [f"fuses: [{', '.join(found.fuses)}]", f"dispatch: {duration(found.dispatch)}"]
    if found.power:
        lines.append(f"power: {_quantity(found.power, (('W', 1.0), ('mW', 1e-3)))}")
    lines.append("classes:")
    lines += [f"  {kind}: {_pace(pace)}" for kind, pace in found.classes.items()]
    if found.backward:
        lines.append("backward:")
        lines += [f"  {kind}: {_pace(pace)}" for kind, pace in found.backward.items()]
    lines.append(f"band: [{found.band[0]:.3f}, {found.band[1]:.3f}]")
    lines += [f"{key}: {_errors(value)}" for key in ("errors", "relatives") if (value := getattr(found, key))]
    return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    return f'"{text}"' if text[0].isdigit() else text


def _pace(pace: Pace) -> str:
    rate = _quantity(pace.rate, (("TFLOP/s", 1e12), ("GFLOP/s", 1e9), ("MFLOP/s", 1e6))) if pace.rate else None
    bandwidth = _quantity(pace.bandwidth, (("TB/s", 1e12), ("GB/s", 1e9), ("MB/s", 1e6), ("kB/s", 1e3)))
    return f"{{{f'rate: {rate}, ' if rate else ''}bandwidth: {bandwidth}}}"


def _quantity(amount: float | None, units: Sequence[tuple[str, float]]) -> str:
    assert amount is not None
    unit, worth = next((each for each in units if amount >= each[1]), units[-1])
    return f"{float(f'{amount / worth:.3g}'):g} {unit}"


def _errors(found: Errors) -> str:
    values: dict[str, Any] = found.model_dump()
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


if __name__ == "__main__":
    main()
