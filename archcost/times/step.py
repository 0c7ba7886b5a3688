"""A step on a device: seconds of every layer and of the whole, with what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from archcost.costs.kernels import Kernel, Kernels, LayerKernels, StepKernels
from archcost.errors import listing
from archcost.hardware.calibration import Calibration, Measured, Pace
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.terms.time_classes import BROADER, CONTRACTIONS, TimeClass
from archcost.times.bound import paces
from archcost.times.result import DATA_SHEET, LayerTime, Part, PhaseName, PhaseTime, StepTime
from archcost.times.roof import NOTHING, Roof, Spent, spend

Spend = Callable[[Kernel, bool], Spent]
"""A kernel, and whether it is one of backward."""

NOTHING_MEASURED: Mapping[str, Measured] = {}

PaceOf = Callable[[Kernel, bool], Pace | None]
"""The same. None is no time at all."""


def step_time(
    step: StepKernels,
    run: Run,
    profile: HardwareProfile,
    batch: int,
    calibration: Calibration | None = None,
    notes: tuple[str, ...] = (),
    measured: Mapping[str, Measured] = NOTHING_MEASURED,
) -> StepTime | None:
    """`measured` are layers, by name, that the calibration has times of their own for.

    None where the device has no rate for the dtype and no calibration: memory is answered all the same.
    """
    if calibration is None:
        return _bound(step, run, profile, batch, notes)
    pace_of = pace_in(calibration, run)
    timed = _Timed(
        step, repeated(step, measured), at_pace(pace_of, calibration.overlaps), measured, calibration.first_touch
    )
    queued, host = is_queued(profile), calibration.dispatch
    phases = tuple([phase.phase_time(host, queued) for phase in timed.phases])
    forward, backward, optimizer = (phase.seconds for phase in phases)
    whole = forward + backward + optimizer
    low, high = _band(calibration, timed)
    silent = {kernel.kind for kernel, back in timed.spent if kernel.kind != "unknown" and not pace_of(kernel, back)}
    unknown = [layer.name for layer in step.layers if layer.name not in measured and silent & _kinds(layer)]
    return StepTime(
        status=calibration.status,
        engine=calibration.label,
        samples=batch * step.accumulation,
        typical=whole,
        forward=forward,
        backward=backward,
        optimizer=optimizer,
        band=(whole * low, whole * high),
        phases=phases,
        by_layer=timed.layers,
        flops=timed.flops,
        peak=None if calibration.chooses_dtypes else peak(run, profile),
        launches=timed.launches,
        dispatch=timed.launches * host,
        unknown=(*step.unknown, *unknown),
        notes=(*notes, *_of_silence(silent)),
        calibration=calibration,
        energy=calibration.power and calibration.power * whole,
    )


def _of_silence(kinds: Collection[str]) -> tuple[str, ...]:
    return (f"the calibration has nothing of {listing(sorted(kinds))}: counted as no time",) if kinds else ()


def is_queued(profile: HardwareProfile) -> bool:
    """A GPU works while the host runs ahead, and waits for it where its kernels are short; a CPU does one, then the
    other.
    """
    return profile.kind in ("gpu", "tpu")


def pace_by(calibration: Calibration) -> PaceOf:
    """Where backward of a class has no pace of its own, it has forward's."""
    forward, backward = calibration.classes, {**calibration.classes, **calibration.backward}

    def pace(kernel: Kernel, back: bool) -> Pace | None:
        known = backward if back else forward
        return known.get(kernel.kind) or known.get(BROADER.get(kernel.kind, kernel.kind))

    return pace


def pace_in(calibration: Calibration, run: Run) -> PaceOf:
    """The same, and of inference and of the optimizer that runs, where these were timed."""
    pace_of, optimizer = pace_by(calibration), calibration.optimizers.get(run.optimizer)
    inference: Mapping[TimeClass, Pace] = {} if run.trains else calibration.inference

    def pace(kernel: Kernel, back: bool) -> Pace | None:
        own = optimizer if kernel.kind == "optimizer" else inference.get(kernel.kind)
        return own or pace_of(kernel, back)

    return pace


def at_pace(pace_of: PaceOf, overlaps: bool) -> Spend:
    """What a kernel takes; where it computes before it moves, the sum of both."""

    def spent(kernel: Kernel, back: bool) -> Spent:
        pace = pace_of(kernel, back)
        return spend(kernel, pace, overlaps) if pace is not None else NOTHING

    return spent


def _band(calibration: Calibration, timed: _Timed) -> tuple[float, float]:
    """Between that of the classes and that of layers that were timed themselves, by what these take of the step."""
    share = timed.measured / timed.seconds if timed.seconds else 0.0
    of_classes, of_layers = calibration.band, calibration.operators_band
    return (
        (1 - share) * of_classes[0] + share * of_layers[0],
        (1 - share) * of_classes[1] + share * of_layers[1],
    )


def _bound(
    step: StepKernels, run: Run, profile: HardwareProfile, batch: int, notes: tuple[str, ...]
) -> StepTime | None:
    """Three paces give three times; the layers are those of the typical one."""
    allows = run.precision == "tf32"
    found: dict[tuple[TimeClass, str], tuple[Pace, Pace, Pace]] = {}
    distinct = repeated(step)
    for kernel in _kernels(step, distinct):
        key = (kernel.kind, kernel.dtype)
        if key not in found:
            three = paces(kernel, profile, allows)
            if three is None:
                return None
            found[key] = three
    typical = _Timed(step, distinct, _at(found, 1))
    least, most = (_sums(step, distinct, _at(found, place)) for place in (0, 2))
    return StepTime(
        status="bound",
        engine=DATA_SHEET,
        samples=batch * step.accumulation,
        typical=typical.seconds,
        forward=None,
        backward=None,
        optimizer=None,
        band=(sum(least), sum(most)),
        phases=tuple(
            [
                PhaseTime(middle.name, middle.seconds, low, high, middle.roof)
                for low, middle, high in zip(least, typical.phases, most, strict=True)
            ]
        ),
        by_layer=typical.layers,
        flops=typical.flops,
        peak=peak(run, profile),
        launches=typical.launches,
        dispatch=0.0,
        unknown=step.unknown,
        notes=notes,
    )


def _sums(step: StepKernels, distinct: Sequence[Repeated], spend: Spend) -> tuple[float, float, float]:
    """Seconds of forward, backward and the optimizer."""
    forward = backward = 0.0
    for layer, times, again in distinct:
        ahead = sum([spend(kernel, False).seconds for kernel in layer.forward])
        behind = sum([spend(kernel, True).seconds for kernel in (*layer.backward_input, *layer.backward_weight)])
        forward += times * ahead
        backward += times * behind + again * ahead
    return forward, backward, sum([spend(kernel, False).seconds for kernel in step.optimizer])


def _at(found: Mapping[tuple[TimeClass, str], tuple[Pace, Pace, Pace]], place: int) -> Spend:
    def spent(kernel: Kernel, back: bool) -> Spent:
        return spend(kernel, found[kernel.kind, kernel.dtype][place])

    return spent


def peak(run: Run, profile: HardwareProfile) -> float | None:
    """FLOP/s of the data sheet in the run's precision."""
    rate = profile.rates.known().get(run.matmul_dtype)
    return None if rate is None else float(rate.amount)


def _kernels(step: StepKernels, distinct: Sequence[Repeated]) -> Iterable[Kernel]:
    for layer, _, _ in distinct:
        yield from layer.forward
        yield from layer.backward_input
        yield from layer.backward_weight
    yield from step.optimizer


def _kinds(layer: LayerKernels) -> set[TimeClass]:
    return {kernel.kind for part in _parts_of(layer) for kernel in part}


def _parts_of(layer: LayerKernels) -> tuple[Kernels, Kernels, Kernels]:
    return layer.forward, layer.backward_input, layer.backward_weight


def _runs(layer: LayerKernels) -> bool:
    return bool(layer.forward or layer.backward_input or layer.backward_weight)


def _kind(layer: LayerKernels) -> TimeClass:
    return (layer.forward or layer.backward_input or layer.backward_weight)[0].kind


class _Phase:
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
    forward, by_input, by_weight = map(id, _parts_of(layer))
    return forward, by_input, by_weight, layer.fresh, found.get(layer.name)


class _Timed:
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
        self.phases = (_Phase("forward"), _Phase("backward"), _Phase("optimizer"))
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
            kernels = [each for part in _parts_of(layer) for each in part]
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
