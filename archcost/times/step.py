"""A step on a device: seconds of every layer and of the whole, with what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from archcost.costs.kernels import Kernel, Kernels, StepKernels
from archcost.costs.run import Run
from archcost.hardware.calibration import Calibration, Measured, Pace
from archcost.hardware.profile import HardwareProfile
from archcost.time_classes import BROADER, CONTRACTIONS
from archcost.times.bound import paces
from archcost.times.roof import NOTHING, Roof, Spent, spend

Status = Literal["bound", "public", "calibrated"]

DATA_SHEET = "data sheet"

NOTHING_MEASURED: Mapping[str, Measured] = {}


class LayerTime(NamedTuple):
    """Seconds of one layer, and what most of them wait for."""

    name: str
    kind: str
    roof: Roof
    forward: float
    backward_input: float
    backward_weight: float

    @property
    def seconds(self) -> float:
        return self.forward + self.backward_input + self.backward_weight

    def to_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "seconds": self.seconds}


@dataclass(frozen=True)
class StepTime:
    """Seconds. `typical` is one number for those who compare layers; with the status `bound` it is no forecast, and
    `step`, `forward`, `backward` and `optimizer` are None.
    """

    status: Status
    engine: str
    samples: int
    """Of one step: of all batches whose gradients it adds up."""
    typical: float
    forward: float | None
    backward: float | None
    optimizer: float | None
    band: tuple[float, float]
    layers: tuple[LayerTime, ...]
    flops: int
    """Contractions of one step, those of recomputation left out: what `mfu` is of."""
    peak: float | None
    """FLOP/s of the data sheet in the run's precision."""
    launches: int
    dispatch: float
    """Seconds of the host for all launches."""
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def step(self) -> float | None:
        if self.forward is None or self.backward is None or self.optimizer is None:
            return None
        return self.forward + self.backward + self.optimizer

    @property
    def samples_per_second(self) -> float | None:
        return self.samples / self.step if self.step else None

    @property
    def mfu(self) -> float | None:
        """Model FLOPs utilisation: contractions a second over the data sheet's dense rate (Chowdhery et al. 2022)."""
        return self.flops / self.step / self.peak if self.step and self.peak else None

    def slowest(self, count: int = 3) -> tuple[LayerTime, ...]:
        return tuple(sorted(self.layers, key=lambda layer: -layer.seconds)[:count])

    def to_dict(self) -> dict[str, Any]:
        return {
            "step_seconds": self.step,
            "forward_seconds": self.forward,
            "backward_seconds": self.backward,
            "optimizer_seconds": self.optimizer,
            "typical_seconds": self.typical,
            "samples_per_second": self.samples_per_second,
            "mfu": self.mfu,
            "status": self.status,
            "engine": self.engine,
            "band": list(self.band),
            "launches": self.launches,
            "slowest": [layer.to_dict() for layer in self.slowest()],
            "notes": list(self.notes),
        }


Spend = Callable[[Kernel, bool], Spent]
"""A kernel, and whether it is one of backward."""

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
    queued = is_queued(profile)
    if calibration is None:
        return _bound(step, run, profile, batch, notes)
    timed = _Timed(step, _by_calibration(calibration, run), measured, calibration.first_touch)
    forward = _whole(timed.forward, timed.launched_forward * calibration.dispatch, queued)
    backward = _whole(timed.backward, timed.launched_backward * calibration.dispatch, queued)
    optimizer = _whole(timed.optimizer, timed.launched_optimizer * calibration.dispatch, queued)
    whole = forward + backward + optimizer
    low, high = _band(calibration, timed)
    return StepTime(
        calibration.status,
        calibration.label,
        batch * step.accumulation,
        whole,
        forward,
        backward,
        optimizer,
        (whole * low, whole * high),
        timed.layers,
        timed.flops,
        peak(run, profile),
        timed.launches,
        timed.launches * calibration.dispatch,
        step.unknown,
        notes,
    )


def is_queued(profile: HardwareProfile) -> bool:
    return profile.kind in ("gpu", "tpu")


def _whole(kernels: float, dispatch: float, queued: bool) -> float:
    """A GPU works while the host runs ahead, and waits for it where its kernels are short; a CPU does one, then the
    other.
    """
    return max(kernels, dispatch) if queued else kernels + dispatch


def pace_by(calibration: Calibration) -> PaceOf:
    """Where backward of a class has no pace of its own, it has forward's."""
    forward, backward = calibration.classes, {**calibration.classes, **calibration.backward}

    def pace(kernel: Kernel, back: bool) -> Pace | None:
        known = backward if back else forward
        return known.get(kernel.kind) or known.get(BROADER.get(kernel.kind, kernel.kind))

    return pace


def _by_calibration(calibration: Calibration, run: Run) -> Spend:
    pace_of, optimizer = pace_by(calibration), calibration.optimizers.get(run.optimizer)

    def spent(kernel: Kernel, back: bool) -> Spent:
        pace = pace_of(kernel, back)
        if kernel.kind == "optimizer":
            pace = optimizer or pace
        return spend(kernel, pace, calibration.overlaps) if pace is not None else NOTHING

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
    found: dict[Kernel, tuple[Pace, Pace, Pace]] = {}
    for kernel in _kernels(step):
        if kernel not in found:
            three = paces(kernel, profile, allows)
            if three is None:
                return None
            found[kernel] = three
    least, typical, most = (_Timed(step, _at(found, place)) for place in range(3))
    return StepTime(
        "bound",
        DATA_SHEET,
        batch * step.accumulation,
        typical.seconds,
        None,
        None,
        None,
        (least.seconds, most.seconds),
        typical.layers,
        typical.flops,
        peak(run, profile),
        typical.launches,
        0.0,
        step.unknown,
        notes,
    )


def _at(found: Mapping[Kernel, tuple[Pace, Pace, Pace]], place: int) -> Spend:
    def spent(kernel: Kernel, back: bool) -> Spent:
        return spend(kernel, found[kernel][place])

    return spent


def peak(run: Run, profile: HardwareProfile) -> float | None:
    """FLOP/s of the data sheet in the run's precision."""
    rate = profile.rates.known().get(run.matmul_dtype)
    return None if rate is None else float(rate.amount)


def _kernels(step: StepKernels) -> Iterable[Kernel]:
    for layer in step.layers:
        yield from layer.forward
        yield from layer.backward_input
        yield from layer.backward_weight
    yield from step.optimizer


class _Timed:
    """A step summed up, each distinct kernel timed once."""

    def __init__(
        self,
        step: StepKernels,
        spend: Spend,
        measured: Mapping[str, Measured] = NOTHING_MEASURED,
        first_touch: float | None = None,
    ) -> None:
        self.spend = spend
        self.measured = 0.0
        self.known: dict[tuple[Kernel, bool], Spent] = {}
        again = frozenset(step.again)
        layers: list[LayerTime] = []
        self.forward = self.backward = 0.0
        self.launched_forward = self.launched_backward = self.flops = 0
        for index, layer in enumerate(step.layers):
            times = step.accumulation
            forward = self._spent(layer.forward, False)
            by_input, by_weight = self._spent(layer.backward_input, True), self._spent(layer.backward_weight, True)
            if layer.name in measured:
                found = measured[layer.name]
                sums = self._spent(layer.backward_input[: layer.sums], True)
                own = self._spent(layer.backward_input[layer.sums :], True)
                forward, own, by_weight = _as_measured(found, forward, own, by_weight)
                by_input = own.and_(sums.seconds)
                self.measured += times * (found.forward + found.backward)
            elif first_touch:
                made, returned = layer.fresh
                forward = forward.and_(made / first_touch)
                by_input, by_weight = _last_and(by_input, by_weight, returned / first_touch)
            rerun = forward.seconds if index in again else 0.0
            self.forward += times * forward.seconds
            self.backward += times * (by_input.seconds + by_weight.seconds + rerun)
            self.launched_forward += times * _launches(layer.forward)
            back = _launches(layer.backward_input) + _launches(layer.backward_weight)
            self.launched_backward += times * (back + (_launches(layer.forward) if index in again else 0))
            halves = (layer.forward, layer.backward_input, layer.backward_weight)
            self.flops += times * sum([each.flops for half in halves for each in half if _contracts(each)])
            if layer.forward or layer.backward_input or layer.backward_weight:
                longest = max(forward, by_input, by_weight)
                kind = (layer.forward or layer.backward_input or layer.backward_weight)[0].kind
                layers.append(
                    LayerTime(
                        layer.name,
                        kind,
                        longest.roof,
                        times * forward.seconds,
                        times * (by_input.seconds + rerun),
                        times * by_weight.seconds,
                    )
                )
        self.layers = tuple(layers)
        self.optimizer = self._spent(step.optimizer, False).seconds
        self.launched_optimizer = _launches(step.optimizer)

    @property
    def seconds(self) -> float:
        return self.forward + self.backward + self.optimizer

    @property
    def launches(self) -> int:
        return self.launched_forward + self.launched_backward + self.launched_optimizer

    def _spent(self, kernels: Kernels, back: bool) -> Spent:
        if not kernels:
            return NOTHING
        spent = [self._one(kernel, back) for kernel in kernels]
        return spent[0] if len(spent) == 1 else Spent(sum([each.seconds for each in spent]), max(spent).roof)

    def _one(self, kernel: Kernel, back: bool) -> Spent:
        key = (kernel, back)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self.spend(kernel, back)
        return found


def _as_measured(found: Measured, forward: Spent, by_input: Spent, by_weight: Spent) -> tuple[Spent, Spent, Spent]:
    """Both halves of backward were timed together: they share it as their classes would."""
    both = by_input.seconds + by_weight.seconds
    share = by_input.seconds / both if both else 1.0
    return (
        Spent(found.forward, forward.roof),
        Spent(found.backward * share, by_input.roof),
        Spent(found.backward * (1 - share), by_weight.roof),
    )


def _last_and(by_input: Spent, by_weight: Spent, seconds: float) -> tuple[Spent, Spent]:
    return (by_input, by_weight.and_(seconds)) if by_weight.seconds else (by_input.and_(seconds), by_weight)


def _launches(kernels: Kernels) -> int:
    return sum([each.launches for each in kernels])


def _contracts(kernel: Kernel) -> bool:
    return kernel.kind in CONTRACTIONS
