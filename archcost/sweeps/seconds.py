"""Time of a step at many batches: what `step_time` says of each, worked out for all at once.

FLOPs and bytes of a kernel are lines, so it takes the higher of two lines, and all kernels of a phase together change
their slope where one of them does: at the batch from which on it waits for something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archcost.costs.kernels import Kernel, StepKernels
from archcost.costs.run import Run
from archcost.estimates.batches import FAR
from archcost.hardware.calibration import Calibration, Pace
from archcost.hardware.profile import HardwareProfile
from archcost.sweeps.envelope import Integers
from archcost.time_classes import CONTRACTIONS
from archcost.times import bound
from archcost.times.roof import stretches
from archcost.times.step import PaceOf, is_queued, pace_by

Floats = NDArray[np.float64]


class GrowingKernel(NamedTuple):
    """A kernel at two samples, what one sample more adds to it, and whether it is one of backward."""

    second: Kernel
    flops: int
    nbytes: int
    reread: int
    back: bool

    def at(self, batch: int) -> Kernel:
        more, second = batch - 2, self.second
        return second._replace(
            flops=second.flops + self.flops * more,
            nbytes=second.nbytes + self.nbytes * more,
            reread=second.reread + self.reread * more,
        )


Phase = tuple[tuple[GrowingKernel, int], ...]
"""Kernels, those that are equal at every batch together, and how often each runs in a step."""


@dataclass(frozen=True, slots=True)
class GrowingStep:
    """The kernels of a step at every batch."""

    forward: Phase
    backward: Phase
    optimizer: Phase
    again: Phase
    """Those of forward that run a second time, for backward."""


def growing(second: StepKernels, third: StepKernels, far: StepKernels) -> GrowingStep | None:
    """Of a step at two, three and FAR samples; None where some amount is no line."""
    phases: list[Phase] = []
    for twos, threes, fars in zip(_phases(second), _phases(third), _phases(far), strict=True):
        found: Counter[GrowingKernel] = Counter()
        if not len(twos) == len(threes) == len(fars):
            return None
        for (two, times, back), (three, _, _), (last, _, _) in zip(twos, threes, fars, strict=True):
            more = (three.flops - two.flops, three.nbytes - two.nbytes, three.reread - two.reread)
            grown = GrowingKernel(two, *more, back)
            if grown.at(3) != three or grown.at(FAR) != last:
                return None
            found[grown] += times
        phases.append(tuple(found.items()))
    return GrowingStep(*phases)


_Runs = list[tuple[Kernel, int, bool]]


def _phases(step: StepKernels) -> tuple[_Runs, _Runs, _Runs, _Runs]:
    """Each kernel, how often it runs, and whether it is one of backward."""
    times, again = step.accumulation, frozenset(step.again)
    forward: _Runs = [(each, times, False) for layer in step.layers for each in layer.forward]
    backward: _Runs = [
        (each, times, True) for layer in step.layers for each in (*layer.backward_input, *layer.backward_weight)
    ]
    rerun: _Runs = [
        (each, times, False) for index, layer in enumerate(step.layers) if index in again for each in layer.forward
    ]
    return forward, backward, [(each, 1, False) for each in step.optimizer], rerun


class Times(NamedTuple):
    """Seconds of a step: the likeliest, NaN where there are only bounds, and its band."""

    step: Floats
    low: Floats
    high: Floats


def times(
    step: GrowingStep, run: Run, profile: HardwareProfile, calibration: Calibration | None, batches: Integers
) -> Times | None:
    """None where the device has no rate for the dtype, and no calibration."""
    if calibration is None:
        return _bounds(step, run, profile, batches)
    pace_of, queued = pace_by(calibration), is_queued(profile)
    whole = np.zeros(len(batches))
    for phase in (step.forward, (*step.backward, *step.again), step.optimizer):
        kernels, dispatch = seconds(phase, pace_of, batches), launches(phase) * calibration.dispatch
        whole += np.maximum(kernels, dispatch) if queued else kernels + dispatch
    low, high = calibration.band
    return Times(whole, whole * low, whole * high)


def _bounds(step: GrowingStep, run: Run, profile: HardwareProfile, batches: Integers) -> Times | None:
    every = (*step.forward, *step.backward, *step.again, *step.optimizer)
    found: dict[Kernel, tuple[Pace, Pace, Pace]] = {}
    for grown, _ in every:
        paces = bound.paces(grown.second, profile, run.precision == "tf32")
        if paces is None:
            return None
        found[grown.second] = paces
    low, high = (seconds(every, lambda kernel, _, place=place: found[kernel][place], batches) for place in (0, 2))
    return Times(np.full(len(batches), np.nan), low, high)


def model_flops(step: GrowingStep, batches: Integers) -> Floats:
    """Contractions, those that run a second time left out: what MFU is of."""
    every = [(grown, times) for grown, times in (*step.forward, *step.backward) if grown.second.kind in CONTRACTIONS]
    base = sum([(grown.second.flops - 2 * grown.flops) * times for grown, times in every])
    return base + sum([grown.flops * times for grown, times in every]) * batches.astype(np.float64)


def launches(phase: Phase) -> int:
    return sum([grown.second.launches * times for grown, times in phase])


def seconds(phase: Phase, pace_of: PaceOf, batches: Integers) -> Floats:
    """Of all kernels of a phase, one after the other."""
    base = slope = 0.0
    turns: list[tuple[float, float, float]] = []
    for grown, times in phase:
        pace = pace_of(grown.second, grown.back)
        if pace is None:
            continue
        flat, steep = sorted(_lines(grown, pace), key=lambda line: line[::-1])
        weights = _line(grown.second.reread, grown.reread, 1.0, pace.reread)
        base += times * (flat[0] + weights[0] + grown.second.launches * pace.floor)
        slope += times * (flat[1] + weights[1])
        more, faster = steep[0] - flat[0], steep[1] - flat[1]
        turns.append((-more / faster if faster else -np.inf, times * more, times * faster))
    turns.sort()
    at, more, faster = np.array(turns).reshape(-1, 3).T
    passed = np.searchsorted(at, batches, "right")
    bases, slopes = (
        (base + np.append(0.0, np.cumsum(more)))[passed],
        (slope + np.append(0.0, np.cumsum(faster)))[passed],
    )
    return bases + slopes * batches


def _lines(grown: GrowingKernel, pace: Pace) -> Iterator[tuple[float, float]]:
    """Seconds of computing and of moving: constant, and of a sample."""
    second = grown.second
    by_flops, by_bytes = stretches(second)
    yield _line(second.flops, grown.flops, by_flops, pace.rate)
    yield _line(second.nbytes, grown.nbytes, by_bytes, pace.bandwidth)


def _line(second: int, grows: int, stretch: float, rate: float | None) -> tuple[float, float]:
    """What is constant, and of a sample."""
    return ((second - 2 * grows) * stretch / rate, grows * stretch / rate) if rate else (0.0, 0.0)
