"""The kernels of a step, each with its seconds, summed up by layer and by phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from archcost.costs.kernels import Kernel, Kernels, LayerKernels, StepKernels
from archcost.hardware.calibration import Measured
from archcost.terms.time_classes import CONTRACTIONS, TimeClass
from archcost.times.result import LayerTime, Part, PhaseName, PhaseTime
from archcost.times.roof import NOTHING, Roof, Spent

Spend = Callable[[Kernel, bool], Spent]
"""Of a kernel, and whether it is one of backward."""

NOTHING_MEASURED: Mapping[str, Measured] = {}


def parts_of(layer: LayerKernels) -> tuple[Kernels, Kernels, Kernels]:
    return layer.forward, layer.backward_input, layer.backward_weight


def _runs(layer: LayerKernels) -> bool:
    return bool(layer.forward or layer.backward_input or layer.backward_weight)


def _kind(layer: LayerKernels) -> TimeClass:
    return (layer.forward or layer.backward_input or layer.backward_weight)[0].kind


class PhaseSum:
    """Seconds of kernels, their launches, and what they wait for, as they add up."""

    def __init__(self, name: PhaseName) -> None:
        self.name: PhaseName = name
        self.seconds = 0.0
        self.launches = 0
        self.waits: dict[Roof, float] = {}

    def add(self, part: Part, times: int) -> None:
        seconds = times * part.seconds
        self.seconds += seconds
        self.launches += times * part.launches
        self.waits[part.roof] = self.waits.get(part.roof, 0.0) + seconds

    @property
    def roof(self) -> Roof:
        return max(self.waits, key=self.waits.__getitem__) if self.waits else NOTHING.roof

    def phase_time(self, dispatch: float, queued: bool) -> PhaseTime:
        host = self.launches * dispatch
        seconds = max(self.seconds, host) if queued else self.seconds + host
        longest = max(self.waits.values(), default=0.0)
        roof = "dispatch" if host > (self.seconds if queued else longest) else self.roof
        return PhaseTime(self.name, seconds, None, None, roof)


class Repeated(NamedTuple):
    """One of equal layers: how often it runs in a step, and how often its forward once more."""

    layer: LayerKernels
    times: int
    again: int


def repeated(step: StepKernels, found: Mapping[str, Measured] = NOTHING_MEASURED) -> list[Repeated]:
    """The layers that run something, equal ones together."""
    again, times = frozenset(step.again), step.accumulation
    first: dict[object, LayerKernels] = {}
    counts: dict[object, list[int]] = {}
    for index, layer in enumerate(step.layers):
        if _runs(layer) or layer.name in found:
            key = _alike(layer, found)
            if key not in first:
                first[key], counts[key] = layer, [0, 0]
            counts[key][0] += times
            counts[key][1] += times * (index in again)
    return [Repeated(layer, *counts[key]) for key, layer in first.items()]


def _alike(layer: LayerKernels, found: Mapping[str, Measured]) -> object:
    """Equal layers share their kernels, so these are told apart by where they lie."""
    forward, by_input, by_weight = map(id, parts_of(layer))
    return forward, by_input, by_weight, layer.fresh, found.get(layer.name)


class TimedStep:
    """A step summed up, equal layers and each distinct kernel timed once."""

    def __init__(
        self,
        step: StepKernels,
        distinct: Sequence[Repeated],
        spend: Spend,
        found: Mapping[str, Measured] = NOTHING_MEASURED,
        first_touch: float | None = None,
    ) -> None:
        self.step, self.spend = step, spend
        self.found, self.first_touch = found, first_touch
        self.spent: dict[tuple[Kernel, bool], Spent] = {}
        self.known: dict[object, tuple[Part, Part, Part]] = {}
        self.phases = (PhaseSum("forward"), PhaseSum("backward"), PhaseSum("optimizer"))
        self.flops = 0
        self.measured = 0.0
        """Seconds of layers that were timed themselves."""
        forward, backward, optimizer = self.phases
        for layer, times, again in distinct:
            ahead, by_input, by_weight = self._parts(layer)
            forward.add(ahead, times)
            if by_input is not NO_PART:
                backward.add(by_input, times)
            if by_weight is not NO_PART:
                backward.add(by_weight, times)
            if again:
                backward.add(ahead, again)
            if layer.name in found:
                self.measured += times * (found[layer.name].forward + found[layer.name].backward)
            kernels = [each for part in parts_of(layer) for each in part]
            self.flops += times * sum([each.flops for each in kernels if each.kind in CONTRACTIONS])
        optimizer.add(self._part(step.optimizer, False), 1)

    @property
    def seconds(self) -> float:
        return sum([phase.seconds for phase in self.phases])

    @property
    def launches(self) -> int:
        return sum([phase.launches for phase in self.phases])

    def layers(self) -> Iterator[LayerTime]:
        again, times = frozenset(self.step.again), self.step.accumulation
        for index, layer in enumerate(self.step.layers):
            if not _runs(layer):
                continue
            parts = ahead, by_input, by_weight = self._parts(layer)
            rerun = ahead.seconds if index in again else 0.0
            yield LayerTime(
                layer.name,
                _kind(layer),
                max(parts, key=_seconds).roof,
                times * ahead.seconds,
                times * (by_input.seconds + rerun),
                times * by_weight.seconds,
                parts,
            )

    def _parts(self, layer: LayerKernels) -> tuple[Part, Part, Part]:
        key = _alike(layer, self.found)
        parts = self.known.get(key)
        if parts is None:
            parts = self.known[key] = self._worked_out(layer)
        return parts

    def _worked_out(self, layer: LayerKernels) -> tuple[Part, Part, Part]:
        ahead, by_weight = self._part(layer.forward, False), self._part(layer.backward_weight, True)
        if layer.name in self.found:
            sums = self._part(layer.backward_input[: layer.sums], True)
            own = self._part(layer.backward_input[layer.sums :], True)
            ahead, own, by_weight = _as_measured(self.found[layer.name], ahead, own, by_weight)
            return ahead, _together(sums, own), by_weight
        by_input = self._part(layer.backward_input, True)
        if self.first_touch:
            made, returned = (nbytes / self.first_touch for nbytes in layer.fresh)
            ahead = _longer(ahead, made)
            if by_weight.seconds:
                by_weight = _longer(by_weight, returned)
            else:
                by_input = _longer(by_input, returned)
        return ahead, by_input, by_weight

    def _part(self, kernels: Kernels, back: bool) -> Part:
        if not kernels:
            return NO_PART
        spent = [self._one(kernel, back) for kernel in kernels]
        if len(kernels) == 1:
            only = kernels[0]
            return Part(only.flops, only.nbytes, only.launches, *spent[0])
        return Part(
            sum([kernel.flops for kernel in kernels]),
            sum([kernel.nbytes for kernel in kernels]),
            sum([kernel.launches for kernel in kernels]),
            sum([each.seconds for each in spent]),
            max(spent).roof,
        )

    def _one(self, kernel: Kernel, back: bool) -> Spent:
        key = (kernel, back)
        found = self.spent.get(key)
        if found is None:
            found = self.spent[key] = self.spend(kernel, back)
        return found


NO_PART = Part(0, 0, 0, *NOTHING)


def _seconds(part: Part) -> float:
    return part.seconds


def _longer(part: Part, seconds: float) -> Part:
    return part._replace(seconds=part.seconds + seconds) if seconds else part


def _together(first: Part, last: Part) -> Part:
    if first is NO_PART:
        return last
    amounts = (first.flops + last.flops, first.nbytes + last.nbytes, first.launches + last.launches)
    return Part(*amounts, first.seconds + last.seconds, max(first, last, key=_seconds).roof)


def _as_measured(found: Measured, ahead: Part, by_input: Part, by_weight: Part) -> tuple[Part, Part, Part]:
    """Both halves of backward were timed together: they share it as their classes would."""
    both = by_input.seconds + by_weight.seconds
    share = by_input.seconds / both if both else 1.0
    return (
        ahead._replace(seconds=found.forward),
        by_input._replace(seconds=found.backward * share),
        by_weight._replace(seconds=found.backward * (1 - share)),
    )
