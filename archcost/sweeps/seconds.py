"""Time of a step at many batches: what `step_time` says of each, worked out for all at once.

A kernel's seconds are asked of the same rule, with `Samples` in the place of the batch: lines, which change where it
waits for something else. All kernels of a phase together change their line where one of them does.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from archcost.costs.kernels import FRESH, Kernel
from archcost.hardware.calibration import Calibration, Pace
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.sweeps.envelope import Integers
from archcost.sweeps.kernel_lines import Amount, GrowingKernel, GrowingStep, Phase
from archcost.sweeps.samples import Samples, Span
from archcost.times import bound
from archcost.times.roof import Spent, spend
from archcost.times.step import Spend, at_pace, is_queued, pace_in

Floats = NDArray[np.float64]


class Times(NamedTuple):
    """Seconds of a step: the likeliest, NaN where there are only bounds, and its band."""

    step: Floats
    low: Floats
    high: Floats


class Turn(NamedTuple):
    """A change of a line from the batch `start` on: an added constant, and an added slope."""

    start: int
    base: float
    slope: float


def times(
    step: GrowingStep, run: Run, profile: HardwareProfile, calibration: Calibration | None, batches: Integers
) -> Times | None:
    """Seconds of a step at each batch; None where the device has neither rate nor calibration."""
    if calibration is None:
        return _bounds(step, run, profile, batches)
    spent, queued = at_pace(pace_in(calibration, run), calibration.overlaps), is_queued(profile)
    whole = np.zeros(len(batches))
    for phase in step.phases:
        kernels = seconds(phase, spent, calibration.first_touch, batches)
        dispatch = phase.launches * calibration.dispatch
        whole += np.maximum(kernels, dispatch) if queued else kernels + dispatch
    low, high = calibration.band
    return Times(whole, whole * low, whole * high)


def _bounds(step: GrowingStep, run: Run, profile: HardwareProfile, batches: Integers) -> Times | None:
    found: dict[tuple[str, str], tuple[Pace, Pace, Pace]] = {}
    for phase in step.phases:
        for grown, _ in phase.kernels:
            paces = bound.paces(grown.second, profile, run.precision == "tf32")
            if paces is None:
                return None
            found[grown.second.kind, grown.second.dtype] = paces

    def whole(place: int) -> Floats:
        def spent(kernel: Kernel, back: bool) -> Spent:
            return spend(kernel, found[kernel.kind, kernel.dtype][place])

        return sum((seconds(phase, spent, None, batches) for phase in step.phases), np.zeros(len(batches)))

    return Times(np.full(len(batches), np.nan), whole(0), whole(2))


def model_flops(step: GrowingStep, batches: Integers) -> Floats:
    """What MFU is of."""
    return step.flops.base + step.flops.slope * batches.astype(np.float64)


def seconds(phase: Phase, spent: Spend, first_touch: float | None, batches: Integers) -> Floats:
    """Seconds of a phase's kernels, one after the other, and of the memory that they touch first."""
    first, last = int(batches[0]), int(batches[-1])
    turns = [
        Turn(turn.start, times * turn.base, times * turn.slope)
        for grown, times in phase.kernels
        for turn in _breakpoints(grown, spent, first, last)
    ]
    if first_touch:
        turns += [turn for block, times in phase.blocks for turn in _first_use(block, times / first_touch, first)]
    turns.sort()
    starts, base, slope = np.array(turns, np.float64).reshape(-1, 3).T
    passed = np.searchsorted(starts, batches, "right")
    bases, slopes = np.append(0.0, np.cumsum(base)), np.append(0.0, np.cumsum(slope))
    return bases[passed] + slopes[passed] * batches.astype(np.float64)


def _breakpoints(grown: GrowingKernel, spent: Spend, first: int, last: int) -> Iterator[Turn]:
    """The line of a kernel's seconds as changes from range to range."""
    before, batch = Amount(0.0, 0.0), first
    while batch <= last:
        line, beyond = _line(grown, spent, batch, last)
        yield Turn(batch, line.base - before.base, line.slope - before.slope)
        before, batch = line, beyond


def _line(grown: GrowingKernel, spent: Spend, batch: int, last: int) -> tuple[Amount, int]:
    """What the kernel takes at that batch, and the first one for which it is another line."""
    span = Span(batch, batch, last)
    told = cast("Samples | float", spent(_with(grown, span), grown.back).seconds)
    if span.is_single:
        told = spent(_at(grown, batch), grown.back).seconds
    if isinstance(told, Samples):
        return Amount(float(told.base), float(told.slope)), span.highest + 1
    return Amount(told, 0.0), span.highest + 1


def _with(grown: GrowingKernel, span: Span) -> Kernel:
    """The kernel with `Samples` for its amounts, which the rule uses like numbers."""
    flops, nbytes, reread = (
        cast("int", Samples(span, *amount) if amount.slope else amount.base)
        for amount in (grown.computed, grown.moved, grown.reread)
    )
    return grown.second._replace(flops=flops, nbytes=nbytes, reread=reread, stretch=1.0)


def _at(grown: GrowingKernel, batch: int) -> Kernel:
    flops, nbytes, reread = (
        cast("int", amount.base + amount.slope * batch) for amount in (grown.computed, grown.moved, grown.reread)
    )
    return grown.second._replace(flops=flops, nbytes=nbytes, reread=reread, stretch=1.0)


def _first_use(block: Amount, seconds: float, first: int) -> Iterator[Turn]:
    """A block that is fetched anew, from the batch on that makes it so large."""
    if block.slope > 0:
        yield Turn(max(first, ceil((FRESH - block.base) / block.slope)), seconds * block.base, seconds * block.slope)
    elif block.base >= FRESH:
        yield Turn(first, seconds * block.base, 0.0)
