"""Times of the live model: kernels as rows of numbers, and the constants by which a device takes its time for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from archcost.costs.kernel import Kernel
from archcost.costs.kernels import FRESH
from archcost.hardware.calibration import Pace
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.sweeps.kernel_lines import Amount, GrowingKernel, GrowingStep
from archcost.times import bound
from archcost.times.choose import Chosen
from archcost.times.roof import stretches
from archcost.times.step import DATA_SHEET, is_queued, pace_in, peak

Class = tuple[str, str, bool]
"""A kernel's class in time, its dtype, and whether it is one of backward."""


class Kernels:
    """Distinct kernels by number, their classes and paces by number: equal ones of all runs stand in the page once."""

    def __init__(self) -> None:
        self.classes: dict[Class, int] = {}
        self.of_class: list[tuple[Kernel, bool]] = []
        """A kernel of each class."""
        self.rows: dict[tuple[float, ...], int] = {}
        """Class, launches, base and slope of FLOPs, of bytes, and of weights that are read for each sample."""
        self.class_of: list[int] = []
        """Of each row."""
        self.paces: dict[tuple[float | None, ...], int] = {}

    def row(self, kernel: Kernel, back: bool, *amounts: float) -> int:
        """Zeros at its end are left out."""
        key = (kernel.kind, kernel.dtype, back)
        if key not in self.classes:
            self.classes[key] = len(self.of_class)
            self.of_class.append((kernel, back))
        row = [self.classes[key], kernel.launches, *map(_short, amounts)]
        while row[-1] == 0 and len(row) > 2:
            row.pop()
        number = self.rows.setdefault(tuple(row), len(self.rows))
        if number == len(self.class_of):
            self.class_of.append(self.classes[key])
        return number

    def pace(self, pace: Pace | None) -> int:
        """-1 is none."""
        if pace is None:
            return -1
        return self.paces.setdefault((pace.rate, pace.bandwidth, pace.floor, pace.reread), len(self.paces))

    def tables(self) -> dict[str, Any]:
        return {"rows": [list(each) for each in self.rows], "paces": [list(each) for each in self.paces]}


def step_rows(step: GrowingStep, known: Kernels, touches: bool) -> dict[str, Any]:
    """Kernels of forward and backward, each with how often it runs; FLOPs of contractions; and, where the memory that a
    kernel touches first takes a time of its own, the bytes of the blocks that are made."""
    phases = step.phases[:2]
    return {
        "kernels": [_flat(phase.kernels, known) for phase in phases],
        "flops": [*map(_short, step.flops)],
        **({"blocks": [_blocks(phase.blocks) for phase in phases]} if touches else {}),
    }


def _flat(kernels: Iterable[tuple[GrowingKernel, int]], known: Kernels) -> list[int]:
    found: list[int] = []
    for grown, times in kernels:
        amounts = (*grown.computed, *grown.moved, *grown.reread)
        found += [known.row(grown.second, grown.back, *amounts), times]
    return found


def optimizer_rows(kernels: Iterable[Kernel], known: Kernels) -> list[int]:
    found: list[int] = []
    for kernel in kernels:
        by_flops, by_bytes = stretches(kernel)
        found += [known.row(kernel, False, kernel.flops * by_flops, 0, kernel.nbytes * by_bytes), 1]
    return found


def _blocks(blocks: Iterable[tuple[Amount, int]]) -> list[list[float]]:
    """Bytes of the blocks that are, or may become, so large that they are fetched anew."""
    return [[*map(_short, each), times] for each, times in blocks if each.slope > 0 or each.base >= FRESH]


def _short(number: float) -> float:
    return int(number) if number == int(number) and abs(number) < 2**53 else float(number)


def holds_at(step: GrowingStep, alone: GrowingStep, batch: int) -> bool:
    """Whether the lines of several samples go through the kernels of that batch alone."""
    return all(
        _kernels_at(several.kernels, batch) == _kernels_at(own.kernels, batch)
        and _blocks_at(several.blocks, batch) == _blocks_at(own.blocks, batch)
        for several, own in zip(step.phases[:2], alone.phases[:2], strict=True)
    )


def _kernels_at(kernels: Iterable[tuple[GrowingKernel, int]], batch: int) -> Counter[object]:
    found = Counter[object]()
    for grown, times in kernels:
        kernel = grown.second
        lines = (grown.flops, grown.computed, grown.moved, grown.reread)
        amounts = [float(f"{each.base + each.slope * batch:.12g}") for each in lines]
        found[kernel.kind, kernel.dtype, kernel.launches, grown.back, *amounts] += times
    return found


def _blocks_at(blocks: Iterable[tuple[Amount, int]], batch: int) -> Counter[float]:
    found = Counter[float]()
    for block, times in blocks:
        found[block.base + block.slope * batch] += times
    return found


def device_time(
    classes: Iterable[int], run: Run, profile: HardwareProfile, chosen: Chosen, known: Kernels
) -> dict[str, Any]:
    """How a device takes its time for kernels of those classes, and what that rests on; without paces where it has no
    rate for one of them, or where its time is no lines in the batch.
    """
    calibration = chosen.calibration
    kernels = {number: known.of_class[number] for number in sorted(classes)}
    rate = None if calibration is not None and calibration.chooses_dtypes else peak(run, profile)
    if calibration is not None and calibration.operators:
        notes = [*chosen.notes, "layers that were timed themselves are not on the page: archcost estimate"]
        return {"status": calibration.status, "engine": calibration.label, "notes": notes, "rate": rate, "paces": []}
    if calibration is not None:
        pace_of = pace_in(calibration, run)
        return {
            "status": calibration.status,
            "engine": calibration.label,
            "notes": list(chosen.notes),
            "rate": rate,
            "paces": [{number: known.pace(pace_of(*each)) for number, each in kernels.items()}],
            "overlaps": calibration.overlaps,
            "dispatch": calibration.dispatch,
            "queued": is_queued(profile),
            "first_touch": calibration.first_touch,
            "band": list(calibration.band),
        }
    threes = {number: bound.paces(kernel, profile, run.precision == "tf32") for number, (kernel, _) in kernels.items()}
    if any(three is None for three in threes.values()):
        note = f"{profile.name} has no rate for {run.matmul_dtype}"
        return {"status": None, "engine": None, "notes": [note], "rate": rate, "paces": []}
    ends = [
        {number: known.pace(three[place]) for number, three in threes.items() if three is not None} for place in (0, 2)
    ]
    return {"status": "bound", "engine": DATA_SHEET, "notes": list(chosen.notes), "rate": rate, "paces": ends}
