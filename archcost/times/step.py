"""A step on a device: seconds of every layer and of the whole, with what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from archcost.costs.kernels import Kernel, LayerKernels, StepKernels
from archcost.costs.offloaded import Offloaded
from archcost.errors import listing
from archcost.hardware.calibration import Calibration, Measured, Pace
from archcost.hardware.profile import HardwareProfile
from archcost.passes.optimizer import method
from archcost.passes.run import Run
from archcost.terms.time_classes import BROADER, CONTRACTIONS, TimeClass
from archcost.times.bound import paces
from archcost.times.link import missing, with_link
from archcost.times.result import DATA_SHEET, PhaseTime, StepTime
from archcost.times.roof import BYTES, INTEGERS, NOTHING, Spent, spend
from archcost.times.timed_step import NOTHING_MEASURED, Repeated, Spend, TimedStep, parts_of, repeated

PaceOf = Callable[[Kernel, bool], Pace | None]
"""Of a kernel, and whether it is one of backward; None is no time at all."""


def step_time(
    step: StepKernels,
    run: Run,
    profile: HardwareProfile,
    batch: int,
    calibration: Calibration | None = None,
    notes: tuple[str, ...] = (),
    measured: Mapping[str, Measured] = NOTHING_MEASURED,
    offloaded: Offloaded | None = None,
) -> StepTime | None:
    """`measured` are layers, by name, that the calibration has times of their own for; what is `offloaded` has bounds.

    None where the device has no rate for the dtype and no calibration, and where what is offloaded takes a time that
    nobody knows: memory is answered all the same.
    """
    if offloaded is not None:
        bound = None if missing(offloaded, profile) else _bound(step, run, profile, batch, notes)
        return bound and with_link(bound, offloaded, profile)
    if calibration is None:
        return _bound(step, run, profile, batch, notes)
    pace_of = pace_in(calibration, run)
    spend = at_pace(pace_of, calibration.overlaps)
    distinct = repeated(step, measured)
    timed = TimedStep(step, distinct, spend, measured, calibration.first_touch)
    host = calibration.dispatch
    phases = tuple([phase.phase_time(host, is_queued(profile)) for phase in timed.phases])
    forward, backward, optimizer = (phase.seconds for phase in phases)
    whole = forward + backward + optimizer
    low, high = _band(calibration, timed)
    silent = {kernel.kind for kernel, back in timed.spent if kernel.kind != "unknown" and not pace_of(kernel, back)}
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
        unknown=(*step.unknown, *_with_kernels_of(silent, step, measured)),
        notes=(*notes, *_of_silence(silent), *_of_integers(_kernels(step, distinct), None)),
        calibration=calibration,
        energy=calibration.power and calibration.power * whole,
    )


def _with_kernels_of(kinds: Collection[str], step: StepKernels, measured: Mapping[str, Measured]) -> list[str]:
    """Layers that were not timed themselves and run a kernel of these classes."""
    return [layer.name for layer in step.layers if layer.name not in measured and not _kinds(layer).isdisjoint(kinds)]


def _of_silence(kinds: Collection[str]) -> tuple[str, ...]:
    return (f"the calibration has nothing of {listing(sorted(kinds))}: counted as no time",) if kinds else ()


def _of_integers(kernels: Iterable[Kernel], profile: HardwareProfile | None) -> tuple[str, ...]:
    """By which rate products of integers are timed, where it is not the device's own for them; without a profile by a
    calibration.
    """
    dtypes = {kernel.dtype for kernel in kernels if kernel.kind in CONTRACTIONS and kernel.dtype in INTEGERS}
    if not dtypes:
        return ()
    if profile is None:
        return ("products of integers are timed as those of floats, of which the calibration is",)
    told = dtypes if "int8" not in profile.rates.known() else dtypes.difference(BYTES)
    return (f"the device has no rate for {listing(sorted(told))}: timed at that of float32",) if told else ()


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
    pace_of, optimizer = pace_by(calibration), calibration.optimizers.get(method(run.optimizer).name)
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


def _band(calibration: Calibration, timed: TimedStep) -> tuple[float, float]:
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
    typical = TimedStep(step, distinct, _at(found, 1))
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
        notes=(*notes, *_of_integers(_kernels(step, distinct), profile)),
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
    return {kernel.kind for part in parts_of(layer) for kernel in part}
