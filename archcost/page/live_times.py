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

Row = list[float]
Class = tuple[str, str, bool]
"""A kernel's class in time, its dtype, and whether it is one of backward."""


class Classes:
    """Classes of kernels by number, each with a kernel of it, and paces by number: what rows and devices refer to."""

    def __init__(self) -> None:
        self.numbers: dict[Class, int] = {}
        self.kernels: list[tuple[Kernel, bool]] = []
        self.paces: dict[tuple[float | None, ...], int] = {}

    def number(self, kernel: Kernel, back: bool) -> int:
        key = (kernel.kind, kernel.dtype, back)
        if key not in self.numbers:
            self.numbers[key] = len(self.kernels)
            self.kernels.append((kernel, back))
        return self.numbers[key]

    def pace(self, pace: Pace | None) -> int:
        """Its place in `table`; -1 is none."""
        if pace is None:
            return -1
        return self.paces.setdefault((pace.rate, pace.bandwidth, pace.floor, pace.reread), len(self.paces))

    @property
    def table(self) -> list[list[float | None]]:
        return [list(each) for each in self.paces]


def step_rows(step: GrowingStep, classes: Classes) -> dict[str, Any]:
    """Kernels of forward and backward, the bytes of the blocks that they make, and FLOPs of contractions."""
    forward, backward, _ = step.phases
    return {
        "kernels": [rows(phase.kernels, classes) for phase in (forward, backward)],
        "blocks": [_blocks(phase.blocks) for phase in (forward, backward)],
        "flops": _plain(step.flops),
    }


def rows(kernels: Iterable[tuple[GrowingKernel, int]], classes: Classes) -> list[Row]:
    """A row is a class, how often it runs, its launches, and base and slope of FLOPs and bytes and, where there are
    any, of weights that are read for each sample."""
    found: list[Row] = []
    for grown, times in kernels:
        number = classes.number(grown.second, grown.back)
        row = [number, times, grown.second.launches, *_plain(grown.computed), *_plain(grown.moved)]
        found.append([*row, *_plain(grown.reread)] if any(grown.reread) else row)
    return found


def optimizer_rows(kernels: Iterable[Kernel], classes: Classes) -> list[Row]:
    found: list[Row] = []
    for kernel in kernels:
        by_flops, by_bytes = stretches(kernel)
        amounts = [kernel.flops * by_flops, 0, kernel.nbytes * by_bytes, 0]
        found.append([classes.number(kernel, False), 1, kernel.launches, *map(_short, amounts)])
    return found


def _blocks(blocks: Iterable[tuple[Amount, int]]) -> list[Row]:
    """Bytes of the blocks that are, or may become, so large that they are fetched anew."""
    return [[*_plain(each), times] for each, times in blocks if each.slope > 0 or each.base >= FRESH]


def _plain(amount: Amount) -> Row:
    return [_short(amount.base), _short(amount.slope)]


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
    used: Iterable[int], run: Run, profile: HardwareProfile, chosen: Chosen, classes: Classes
) -> dict[str, Any]:
    """How a device takes its time for kernels of those classes, and what that rests on; without paces where it has no
    rate for one of them."""
    calibration = chosen.calibration
    kernels = {number: classes.kernels[number] for number in sorted(set(used))}
    rate = None if calibration is not None and calibration.chooses_dtypes else peak(run, profile)
    if calibration is not None:
        pace_of = pace_in(calibration, run)
        return {
            "status": calibration.status,
            "engine": calibration.label,
            "notes": list(chosen.notes),
            "rate": rate,
            "paces": [{number: classes.pace(pace_of(*each)) for number, each in kernels.items()}],
            "overlaps": calibration.overlaps,
            "dispatch": calibration.dispatch,
            "queued": is_queued(profile),
            "first_touch": calibration.first_touch,
            "band": list(calibration.band),
        }
    threes = {number: bound.paces(each[0], profile, run.precision == "tf32") for number, each in kernels.items()}
    if any(three is None for three in threes.values()):
        note = f"{profile.name} has no rate for {run.matmul_dtype}"
        return {"status": None, "engine": None, "notes": [note], "rate": rate, "paces": []}
    ends = [
        {number: classes.pace(three[place]) for number, three in threes.items() if three is not None}
        for place in (0, 2)
    ]
    return {"status": "bound", "engine": DATA_SHEET, "notes": list(chosen.notes), "rate": rate, "paces": ends}
