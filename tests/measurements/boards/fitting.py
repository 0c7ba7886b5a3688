"""Few constants from many runs.

A run takes the sum over classes of FLOPs over a rate and bytes over a bandwidth, and a dispatch for every launch: a sum
of products of amounts, which are known, and of constants, which are not. All devices of a group share one *shape* (how
the classes stand to each other); a device has three scales of its own (computing, moving, launching), and may bend the
shape as far as its runs insist. Errors are of the logarithm, outliers count linearly (Huber), and what no run tells
stays where it began: a Gauss-Newton step at a time on a penalised sum of squares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archcost.terms.time_classes import BROADER, CONTRACTIONS, TimeClass
from tests.measurements.boards.networks import Amounts

Floats = NDArray[np.float64]

RATES: dict[str, tuple[TimeClass, ...]] = {
    "1x1": ("convolution 1x1",),
    "3x3": ("convolution 3x3",),
    "convolution": ("convolution", "grouped convolution"),
    "stem": ("stem",),
    "depthwise": ("depthwise", "depthwise strided", "transposed convolution"),
    "product": ("product", "recurrent"),
    "attention": ("attention", "batched product"),
}
"""Classes that compute at one rate."""

BANDWIDTHS: dict[str, tuple[TimeClass, ...]] = {
    "convolution": ("convolution 1x1", "convolution", "grouped convolution", "stem"),
    "3x3": ("convolution 3x3",),
    "depthwise": ("depthwise", "depthwise strided", "transposed convolution"),
    "product": ("product", "recurrent", "attention", "batched product"),
    "values": (
        *("elementwise", "transcendental", "batch norm", "max pooling", "average pooling", "adaptive pooling"),
        *("reduction", "interpolation", "copy", "gather", "sort", "dropout"),
    ),
    "norm": ("layer norm",),
    "softmax": ("softmax",),
}
"""Classes that move at one rate."""

TIMED = {kind for kinds in BANDWIDTHS.values() for kind in kinds}

NAMES = (*(("rate", name) for name in RATES), *(("bandwidth", name) for name in BANDWIDTHS), ("dispatch", ""))
SCALE = np.array([("rate", "bandwidth", "dispatch").index(kind) for kind, _ in NAMES])
FIRST = [NAMES.index(("rate", "1x1")), NAMES.index(("bandwidth", "convolution")), NAMES.index(("dispatch", ""))]
"""What the others stand to."""

BEGIN = np.log([1.0, 0.3, 1.2, 1.5, 3.0, 2.0, 2.0, 1.0, 2.0, 1.5, 1.0, 1.0, 5.0, 5.0, 1.0])
"""Seconds of an operation or a byte beside the first of their kind, before any run is seen: recalled from how such
engines are written (a depthwise kernel uses each value nine times, a softmax is scalar), good to a factor of three.
"""

LIKELY = np.log([1e-10, 3e-10, 1e-5])
"""Seconds of an operation, a byte, a launch, likewise, good to a factor of thirty."""

KNEE = 0.25
ROUNDS = 20
LONGEST = 0.7
NOISE = 0.12
"""Of one figure, in its logarithm."""


class Run(NamedTuple):
    """Of one device: what ran, its amounts in the order of NAMES, and seconds."""

    network: str
    amounts: Floats
    seconds: float


@dataclass(frozen=True)
class Shape:
    """Logarithms of the constants beside the first of their kind, and the usual scales of a device."""

    shape: Floats
    scales: Floats


def vector(found: Amounts) -> Floats:
    """In the order of NAMES."""
    rates = [sum([flops for kind, flops in found.flops.items() if _is(kind, kinds)]) for kinds in RATES.values()]
    bandwidths = [
        sum([nbytes for kind, nbytes in found.nbytes.items() if _is(kind, kinds)]) for kinds in BANDWIDTHS.values()
    ]
    return np.array([*rates, *bandwidths, found.launches])


def _is(kind: TimeClass, kinds: Sequence[TimeClass]) -> bool:
    """As in an answer: a class that is not timed is its broader one."""
    return (kind if kind in TIMED else BROADER[kind]) in kinds


def seconds(constants: Floats, amounts: Floats) -> float:
    return float(amounts @ np.exp(constants))


def shared(runs: Sequence[Sequence[Run]], begin: Shape | None = None, loose: float = 1.0) -> Shape:
    """Of a group: the runs of each device. `loose` is how far from where it begins the shape may go, in logarithms."""
    start = begin.shape if begin else BEGIN
    usual = begin.scales if begin else LIKELY
    count = len(runs)
    owner = np.array([device for device, own in enumerate(runs) for _ in own])
    amount = np.array([run.amounts for own in runs for run in own])
    measured = np.log([run.seconds for own in runs for run in own])
    scales, shape = np.tile(usual, (count, 1)), start.copy()
    weight = np.full(len(NAMES), NOISE**2 / loose**2)
    weight[FIRST] = 1e6
    every = np.arange(len(measured))
    for _ in range(ROUNDS):
        parts = amount * np.exp(scales[owner][:, SCALE] + shape)
        whole = parts.sum(1)
        off = measured - np.log(whole)
        slopes = parts / whole[:, None]
        matrix = np.zeros((len(measured), 3 * count + len(NAMES)))
        for scale in range(3):
            matrix[every, 3 * owner + scale] = slopes[:, scale == SCALE].sum(1)
        matrix[:, 3 * count :] = slopes
        common = scales.mean(0) if begin is None else usual
        apart = scales - common
        apart = apart - apart.mean(1, keepdims=True)  # a device may be faster in all; in parts it is like the others
        pull = np.concatenate([(NOISE**2 * apart).ravel(), weight * (shape - start)])
        stiff = np.concatenate([np.full(3 * count, NOISE**2), weight])
        move = _solve(matrix, off, stiff, pull)
        scales += move[: 3 * count].reshape(count, 3)
        shape += move[3 * count :]
    return Shape(shape, scales.mean(0))


def own(runs: Sequence[Run], group: Shape, bend: float = 0.2, tilt: float = 0.5) -> Floats:
    """Constants of a device: those of its group, as fast as it is, tilted and bent as far as its runs insist."""
    base = group.shape + group.scales[SCALE]
    amount = np.array([run.amounts for run in runs])
    measured = np.log([run.seconds for run in runs])
    found = np.zeros(4 + len(NAMES))
    found[0] = np.median(measured - np.log(amount @ np.exp(base)))
    stiff = NOISE**2 * np.concatenate([[1e-4], np.full(3, tilt**-2), np.full(len(NAMES), bend**-2)])
    for _ in range(ROUNDS):
        parts = amount * np.exp(_constants(base, found))
        whole = parts.sum(1)
        slopes = parts / whole[:, None]
        tilts = np.stack([slopes[:, scale == SCALE].sum(1) for scale in range(3)], 1)
        matrix = np.concatenate([np.ones((len(runs), 1)), tilts, slopes], 1)
        found += _solve(matrix, measured - np.log(whole), stiff, stiff * found)
    return _constants(base, found)


def _constants(base: Floats, found: Floats) -> Floats:
    return base + found[0] + found[1:4][SCALE] + found[4:]


def _solve(matrix: Floats, off: Floats, stiff: Floats, pull: Floats) -> Floats:
    """One step: less than its length would have it, where it would go far."""
    weight = np.minimum(1.0, KNEE / np.maximum(np.abs(off), 1e-12))
    normal = matrix.T @ (weight[:, None] * matrix) + np.diag(stiff)
    return np.clip(np.linalg.solve(normal, matrix.T @ (weight * off) - pull), -LONGEST, LONGEST)


def paces(constants: Floats) -> Mapping[TimeClass, tuple[float | None, float]]:
    """FLOP/s and B/s of every class; a contraction has both."""
    value = {name: float(np.exp(-constant)) for name, constant in zip(NAMES, constants, strict=True)}
    rates = {kind: value["rate", name] for name, kinds in RATES.items() for kind in kinds}
    bandwidths = {kind: value["bandwidth", name] for name, kinds in BANDWIDTHS.items() for kind in kinds}
    return {kind: (rates[kind] if kind in CONTRACTIONS else None, bandwidths[kind]) for kind in bandwidths}  # pyright: ignore[reportReturnType]
