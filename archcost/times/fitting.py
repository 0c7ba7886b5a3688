"""Constants of classes from layers that were timed: floor, rate, bandwidth and the pace through weights.

Each class is fitted by itself, on the logarithm of time, so that short layers count as much as long ones. What a layer
runs beside its own class (a bias's sum) is taken off first, by the constants of that class. Constants that the points
of a class do not tell apart stay near those that the class begins with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log
from random import Random
from statistics import median
from typing import NamedTuple

from archcost.costs.kernel import Kernel, Kernels
from archcost.hardware.calibration import Errors, Pace
from archcost.terms.time_classes import CONTRACTIONS, TimeClass
from archcost.times.roof import spend

Paces = Mapping[TimeClass, Pace]

START = Pace(rate=100e9, bandwidth=20e9, floor=1e-5, reread=50e9)
START_BY_VALUES = Pace(rate=10e9, bandwidth=20e9, floor=1e-5, reread=50e9)
CONSTANTS = ("rate", "bandwidth", "floor", "reread")

LEANING = 0.003
"""How much it costs that a constant is e times where it began, beside the square of a point's error."""

WILD = 0.4
"""Errors beyond it, in logarithms, count for what they are and not for their square: one disturbed point decides
little."""

LEAST = 2e-6
"""Seconds. What is shorter is noise of the clock."""

FOLDS = 4
SUMS, SUMMED = 400, 12
"""How many sums of how many layers the band is taken from: networks are sums, in which errors of layers even out."""

UNKNOWN_BAND = (0.5, 2.0)


class Case(NamedTuple):
    """Half of a layer, forward or backward, and the seconds that it took."""

    kind: TimeClass
    kernels: Kernels
    seconds: float


class Fitted(NamedTuple):
    """`errors` and `band` are of points that were left out, a quarter at a time; None where a class has only one."""

    classes: Paces
    backward: Paces
    inference: Paces
    errors: Errors | None
    band: tuple[float, float]


def fit(forward: Sequence[Case], backward: Sequence[Case], inference: Sequence[Case] = ()) -> Fitted:
    """`inference` are layers that run other kernels there than in training."""
    classes, back = _joined(forward, backward)
    inferring = _classes(inference, classes, lambda kind: classes.get(kind) or _start(kind))
    pairs: list[tuple[float, float]] = []
    for fold in range(FOLDS):
        kept = [_outside(cases, fold) for cases in (forward, backward)]
        without = _joined(*kept)
        together: Paces = {**without[0], **without[1]}
        for cases, paces in ((forward, without[0]), (backward, together)):
            left_out = [case for index, case in enumerate(_by_kind(cases)) if index % FOLDS == fold]
            said = [(_predicted(case, paces), case.seconds) for case in left_out if case.seconds > LEAST]
            pairs += [(predicted, took) for predicted, took in said if predicted > 0]
    band = _band(pairs)
    return Fitted(classes, back, inferring, _errors(pairs, band) if pairs else None, band)


def _by_kind(cases: Iterable[Case]) -> list[Case]:
    """The cases in the order of their classes, so that every fold has some of each."""
    return sorted(cases, key=lambda case: case.kind)


def _outside(cases: Iterable[Case], fold: int) -> list[Case]:
    return [case for index, case in enumerate(_by_kind(cases)) if index % FOLDS != fold]


def _joined(forward: Sequence[Case], backward: Sequence[Case]) -> tuple[dict[TimeClass, Pace], dict[TimeClass, Pace]]:
    classes = _classes(forward, {}, _start)
    return classes, _classes(backward, classes, lambda kind: classes.get(kind) or _start(kind))


def _start(kind: TimeClass) -> Pace:
    return START if kind in CONTRACTIONS else START_BY_VALUES


def _classes(cases: Sequence[Case], known: Paces, start: Callable[[TimeClass], Pace]) -> dict[TimeClass, Pace]:
    """Twice: the first time what stands beside a class is priced by what is `known` before."""
    groups: dict[TimeClass, list[Case]] = {}
    for case in cases:
        if case.seconds > LEAST and any(kernel.kind == case.kind for kernel in case.kernels):
            groups.setdefault(case.kind, []).append(case)
    fitted: dict[TimeClass, Pace] = {}
    for _ in range(2):
        paces: Paces = {**known, **fitted}
        fitted = {kind: _fit_class(kind, group, paces, start(kind)) for kind, group in groups.items()}
    return fitted


def _fit_class(kind: TimeClass, cases: Iterable[Case], paces: Paces, start: Pace) -> Pace:
    points: list[tuple[Kernels, float]] = []
    for case in cases:
        own = tuple([kernel for kernel in case.kernels if kernel.kind == kind])
        beside = sum([_seconds(kernel, paces) for kernel in case.kernels if kernel.kind != kind])
        points.append((own, max(case.seconds - beside, case.seconds / 4)))
    begun: dict[str, float] = {name: getattr(start, name) for name in CONSTANTS}

    def loss(values: Mapping[str, float]) -> float:
        pace = start.model_copy(update=values)
        errors = [log(sum([spend(each, pace, False).seconds for each in own]) / took) for own, took in points]
        leaning = [log(values[name] / begun[name]) ** 2 for name in CONSTANTS]
        return sum(map(_tempered, errors)) + LEANING * sum(leaning)

    return Pace(**_lowest(loss, begun))


def _tempered(error: float) -> float:
    """Huber's loss."""
    size = abs(error)
    return size * size if size < WILD else 2 * WILD * size - WILD * WILD


def _lowest(loss: Callable[[Mapping[str, float]], float], begun: Mapping[str, float]) -> dict[str, float]:
    """The constants with the lowest loss, by coordinate search with shrinking steps; deterministic."""
    values, least, step = dict(begun), loss(begun), 4.0
    while step > 1.01:
        moved = False
        for name in values:
            for factor in (step, 1 / step):
                tried = {**values, name: values[name] * factor}
                found = loss(tried)
                if found < least:
                    values, least, moved = tried, found, True
        if not moved:
            step = step**0.5
    return values


def _seconds(kernel: Kernel, paces: Paces) -> float:
    pace = paces.get(kernel.kind)
    return 0.0 if pace is None else spend(kernel, pace, overlaps=False).seconds


def _predicted(case: Case, paces: Paces) -> float:
    return sum([_seconds(kernel, paces) for kernel in case.kernels])


def _band(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """What holds nine in ten measured sums of layers drawn at random, as factors of the predicted."""
    draw = Random(0)
    ratios: list[float] = []
    for _ in range(SUMS if pairs else 0):
        drawn = draw.choices(pairs, k=SUMMED)
        ratios.append(sum([took for _, took in drawn]) / sum([said for said, _ in drawn]))
    ratios.sort()
    if not ratios:
        return UNKNOWN_BAND
    low, high = (ratios[int(share * (len(ratios) - 1))] for share in (0.05, 0.95))
    return min(low, 1.0), max(high, 1.0)


def _errors(pairs: Sequence[tuple[float, float]], band: tuple[float, float]) -> Errors:
    off = sorted(abs(said / took - 1) for said, took in pairs)
    wild = [1 for said, took in pairs if not 0.5 <= said / took <= 2]
    inside = [1 for said, took in pairs if band[0] * said <= took <= band[1] * said]
    return Errors(
        median=median(off),
        p90=off[int(0.9 * (len(off) - 1))],
        beyond_factor_two=len(wild) / len(off),
        inside_band=len(inside) / len(off),
    )
