"""Constants of a device, class by class, fitted to the seconds that whole networks took.

A network is a sum over classes: launches, and of each kernel the larger of FLOPs over a rate and bytes over a
bandwidth. Constants are shares of the data sheet's rate and bandwidth. Their logarithms are fitted to the logarithm of
seconds, in the sense of Huber, and drawn toward what is usual (`USUAL`): a class of which the networks say little stays
there, and networks of families that were not among them are met better (ridge regression).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archcost.costs.kernels import StepKernels
from archcost.terms.time_classes import CONTRACTIONS
from archcost.times.roof import stretches

Floats = NDArray[np.float64]

BACK = " backward"
"""Behind a class: its constants in backward."""

ONE_FOR_BOTH = frozenset(
    ["copy", "gather", "interpolation", "softmax", "optimizer", "dropout", "strided", "transposition"]
)
"""Classes whose backward moves values as forward does."""


class Usual(NamedTuple):
    """Shares of the data sheet's rate and bandwidth."""

    rate: float = 0.8
    bandwidth: float = 0.65


USUAL: Mapping[str, Usual] = {
    "product": Usual(1.0),
    "batched product": Usual(0.5),
    "attention": Usual(0.5),
    "convolution 1x1": Usual(0.9),
    "convolution 3x3": Usual(1.0),
    "stem": Usual(0.5),
    "depthwise": Usual(0.05, 0.5),
    "depthwise strided": Usual(0.04, 0.4),
    "depthwise wide": Usual(0.04, 0.5),
    "depthwise channels-last": Usual(0.05, 0.5),
    "float32 product": Usual(0.4),
    "recurrent": Usual(0.3),
    "transposed convolution": Usual(0.6),
    "grouped convolution": Usual(0.5, 0.1),
    "wide grouped convolution": Usual(0.5, 0.1),
    "many-grouped convolution": Usual(0.5, 0.2),
    "unaligned product": Usual(0.4),
    "unaligned batched product": Usual(0.4),
    "unaligned convolution": Usual(0.4),
    "elementwise": Usual(0.8, 0.8),
    "transcendental": Usual(0.8, 0.8),
    "broadcast": Usual(0.8, 0.8),
    "copy": Usual(0.8, 0.75),
    "strided": Usual(0.8, 0.5),
    "transposition": Usual(0.8, 0.5),
    "batch norm": Usual(0.8, 0.5),
    "layer norm": Usual(0.8, 0.4),
    "max pooling": Usual(0.8, 0.4),
    "average pooling": Usual(0.8, 0.4),
    "optimizer": Usual(0.8, 0.8),
}
"""A GPU's in 16 bits, as a first look at such runs has them; others are `Usual()`."""

SLOWER_BACK: Mapping[str, Usual] = {
    "depthwise": Usual(0.5, 1.0),
    "depthwise strided": Usual(0.5, 1.0),
    "depthwise wide": Usual(0.5, 1.0),
    "depthwise channels-last": Usual(0.5, 1.0),
    "grouped convolution": Usual(1.0, 0.5),
    "wide grouped convolution": Usual(1.0, 0.5),
    "batch norm": Usual(1.0, 0.5),
    "layer norm": Usual(1.0, 0.5),
    "elementwise": Usual(1.0, 0.75),
    "transcendental": Usual(1.0, 0.75),
}
"""Times as much as forward's, in backward."""


RIDGE = Usual(0.1, 0.1)
"""How strongly rates and bandwidths are drawn toward what is usual: a share that is e times as large costs as much as
so many runs that are off by a factor of e.
"""


class Part(NamedTuple):
    """Kernels of a class, each of the same amounts, stretched as short axes do."""

    kind: str
    flops: float
    nbytes: float
    launches: int


Parts = Mapping[Part, int]


def parts(step: StepKernels) -> Parts:
    """Of one step, with how often there is each."""
    found: Counter[Part] = Counter()
    for layer in step.layers:
        for kernels, back in ((layer.forward, ""), (layer.backward_input, BACK), (layer.backward_weight, BACK)):
            for kernel in kernels:
                kind = kernel.kind if kernel.kind in ONE_FOR_BOTH else kernel.kind + back
                by_flops, by_bytes = stretches(kernel)
                # What is no contraction waits for bytes; so few operations a value are no constant of their own.
                flops = kernel.flops * by_flops if kernel.kind in CONTRACTIONS else 0.0
                found[Part(kind, flops, kernel.nbytes * by_bytes, kernel.launches)] += 1
    for kernel in step.optimizer:
        found[Part(kernel.kind, 0.0, kernel.nbytes, kernel.launches)] += 1
    return found


class Seen(NamedTuple):
    """A run: of which family of networks, its kernels, the seconds it took, and which network it was."""

    family: str
    parts: Parts
    seconds: float
    name: str = ""


def family(network: str) -> str:
    """What stands before sizes and variants in a name of timm's."""
    plain = re.sub(r"^(tf_|gluon_|ssl_|swsl_|adv_|ens_|legacy_|ig_|tv_)+", "", network)
    found = re.match(r"[a-z]+v\d(?=_|$)|[a-z]+", plain)
    return found.group(0) if found else plain


class Constants(NamedTuple):
    """By class, with BACK behind it for backward, shares of rate and bandwidth."""

    shares: Mapping[str, Usual]
    rates_matter: frozenset[str]
    """Classes in which something waits for FLOPs."""


@dataclass(frozen=True)
class Fit:
    """`rate` and `bandwidth` of the data sheet, `floor` the seconds of a launch."""

    rate: float
    bandwidth: float
    floor: float = 3e-6
    power: float = 4.0
    """Of the norm by which computing and moving overlap; infinite would be the larger of both."""
    steps: int = 40
    tolerance: float = 0.15
    """Errors beyond it count by their size and no longer by its square."""
    ridge: Usual = RIDGE

    def fitted(self, runs: Sequence[Seen]) -> Constants:
        table = _Table(runs, self)
        return table.constants(table.solve(np.ones(len(runs), bool)))

    def predicted(self, runs: Sequence[Seen], constants: Constants) -> Floats:
        """Seconds."""
        table = _Table(runs, self)
        usual = [constants.shares.get(kind) or usual_of(kind) for kind in table.kinds]
        return table.seconds(_logs(usual))[0]

    def left_out(self, runs: Sequence[Seen], folds: int = 12) -> Floats:
        """Seconds of each run by constants that were fitted without its family."""
        table = _Table(runs, self)
        fold = _folds([run.family for run in runs], folds)
        found = np.zeros(len(runs))
        for index in range(folds):
            out = fold == index
            if out.any():
                found[out] = table.seconds(table.solve(~out))[0][out]
        return found


def usual_of(kind: str) -> Usual:
    name = kind.removesuffix(BACK)
    found = USUAL.get(name, Usual())
    slower = SLOWER_BACK.get(name, Usual(1.0, 1.0)) if kind.endswith(BACK) else Usual(1.0, 1.0)
    return Usual(found.rate * slower.rate, found.bandwidth * slower.bandwidth)


def _logs(usual: Iterable[Usual]) -> Floats:
    """Of all rates, then of all bandwidths."""
    return np.log(np.array(list(usual), float).reshape(-1, 2).T.ravel())


def _folds(families: Sequence[str], count: int) -> NDArray[np.int64]:
    """Whole families, the largest first, each where the fewest runs are."""
    sizes = Counter(families)
    filled = [0] * count
    place: dict[str, int] = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        place[name] = filled.index(min(filled))
        filled[place[name]] += sizes[name]
    return np.array([place[name] for name in families])


class _Table:
    """All kernels of all runs in columns."""

    def __init__(self, runs: Sequence[Seen], fit: Fit) -> None:
        rows = [(index, part, times) for index, run in enumerate(runs) for part, times in run.parts.items()]
        self.fit = fit
        self.kinds = sorted({part.kind for _, part, _ in rows})
        number = {kind: index for index, kind in enumerate(self.kinds)}
        self.run = np.array([index for index, _, _ in rows])
        self.kind = np.array([number[part.kind] for _, part, _ in rows])
        self.computing = np.array([part.flops for _, part, _ in rows]) / fit.rate
        self.moving = np.array([part.nbytes for _, part, _ in rows]) / fit.bandwidth
        self.times = np.array([times for _, _, times in rows], float)
        launches = self.times * np.array([part.launches for _, part, _ in rows]) * fit.floor
        self.count = len(runs)
        self.launching = np.bincount(self.run, launches, self.count)
        self.told = np.log([run.seconds for run in runs])
        self.usual = _logs([usual_of(kind) for kind in self.kinds])
        self.ridge = np.repeat([fit.ridge.rate, fit.ridge.bandwidth], len(self.kinds))

    def seconds(self, logs: Floats) -> tuple[Floats, Floats]:
        """Of each run, and how they change with each logarithm."""
        kinds = len(self.kinds)
        rate, bandwidth = np.exp(logs[:kinds]), np.exp(logs[kinds:])
        power = self.fit.power
        computing = self.computing / rate[self.kind]
        moving = self.moving / bandwidth[self.kind]
        most = np.maximum(np.maximum(computing, moving), 1e-15)
        first, second = (computing / most) ** power, (moving / most) ** power
        each = self.times * most * (first + second) ** (1 / power)
        total = np.bincount(self.run, each, self.count) + self.launching
        cell = self.run * kinds + self.kind
        slopes = [
            -np.bincount(cell, each * share / (first + second), self.count * kinds).reshape(self.count, kinds)
            for share in (first, second)
        ]
        return total, np.hstack(slopes)

    def solve(self, among: NDArray[np.bool_]) -> Floats:
        """Logarithms of the shares that meet these runs (Levenberg and Marquardt's damped steps)."""
        logs, damping = self.usual.copy(), 1e-3
        loss, error, slopes = self._loss(logs, among)
        for _ in range(self.fit.steps):
            weight = np.minimum(1.0, self.fit.tolerance / np.maximum(np.abs(error), 1e-12))
            matrix = slopes.T @ (weight[:, None] * slopes) + np.diag(self.ridge)
            gradient = slopes.T @ (weight * error) + self.ridge * (logs - self.usual)
            while True:
                step = np.linalg.solve(matrix + damping * np.diag(np.diag(matrix) + 1e-9), -gradient)
                tried = logs + np.clip(step, -1, 1)
                found = self._loss(tried, among)
                if found[0] < loss:
                    break
                damping *= 4
                if damping > 1e8:
                    return logs
            done = loss - found[0] < 1e-6 * loss
            logs, (loss, error, slopes), damping = tried, found, max(damping / 5, 1e-9)
            if done:
                break
        return logs

    def _loss(self, logs: Floats, among: NDArray[np.bool_]) -> tuple[float, Floats, Floats]:
        total, slopes = self.seconds(logs)
        error = (np.log(total) - self.told)[among]
        bound = self.fit.tolerance
        size = np.abs(error)
        huber = np.where(size < bound, error**2 / 2, bound * (size - bound / 2))
        drawn = (self.ridge * (logs - self.usual) ** 2).sum() / 2
        return float(huber.sum() + drawn), error, (slopes / total[:, None])[among]

    def constants(self, logs: Floats) -> Constants:
        kinds = len(self.kinds)
        shares = np.exp(logs).reshape(2, kinds).T
        computes = {self.kinds[kind] for kind in self.kind[self.computing > 0]}
        return Constants(
            {
                name: Usual(float(rate), float(bandwidth))
                for name, (rate, bandwidth) in zip(self.kinds, shares, strict=True)
            },
            frozenset(computes),
        )


class Errors(NamedTuple):
    """Of |predicted / measured − 1|, and the share of runs in a band of factors."""

    median: float
    p90: float
    beyond_factor_two: float
    inside_band: float


def errors(predicted: Floats, runs: Sequence[Seen], band: tuple[float, float]) -> Errors:
    ratio = predicted / np.array([run.seconds for run in runs])
    off = np.abs(ratio - 1)
    inside = (1 / ratio >= band[0]) & (1 / ratio <= band[1])
    return Errors(
        float(np.median(off)),
        float(np.quantile(off, 0.9)),
        float(np.mean(np.abs(np.log(ratio)) > np.log(2))),
        float(np.mean(inside)),
    )


INSIDE = 0.92
"""Of the runs that were left out, how many a band holds: a little more than the nine in ten that it claims."""


def band_of(predicted: Floats, runs: Sequence[Seen], inside: float = INSIDE) -> tuple[float, float]:
    """Factors between which so many runs lie, whether every run counts the same or every family: the wider of both."""
    ratio = np.array([run.seconds for run in runs]) / predicted
    sizes = Counter(run.family for run in runs)
    by_family = np.array([1 / sizes[run.family] for run in runs])
    lows, highs = zip(*(_quantiles(ratio, weight, inside) for weight in (np.ones(len(runs)), by_family)), strict=True)
    return min(1.0, *lows), max(1.0, *highs)


def _quantiles(ratio: Floats, weight: Floats, inside: float) -> tuple[float, float]:
    order = np.argsort(ratio)
    reached = np.cumsum(weight[order]) / weight.sum()
    low, high = np.interp([(1 - inside) / 2, (1 + inside) / 2], reached, ratio[order])
    return float(low), float(high)
