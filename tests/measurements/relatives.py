"""Constants of several runs at once: those of a class are much the same on all cards, releases and layouts.

The logarithm of each share is a sum: one of the class, one of the layout, one of the card and one of the run, each
drawn toward zero but for the first, which is drawn toward what is usual. So a class of which one run says little has
there what the others say, and few networks do not decide for one card (partial pooling, Gelman and Hill 2007).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.measurements.fitting import Floats, Seen, Usual

Booleans = NDArray[np.bool_]

TOLERANCE = 0.15
"""Errors beyond it count less and less (Cauchy's weights)."""

NOISE = 0.10
"""Of a run, in its logarithm: how far the constants may bend for it."""

OVERLAP = 8.0
"""Of the norm by which computing and moving overlap: nearly the larger of both."""

LAYOUT, CARD, RUN = Usual(0.5, 0.3), Usual(0.2, 0.1), Usual(0.1, 0.05)
"""How far a share of rate and of bandwidth may be from that of its class, in its logarithm."""

FREE = Usual(0.7, 0.35)
"""The same for a class from what is usual, where nothing narrower is known."""

USUAL: Mapping[str, Usual] = {
    "product": Usual(0.9, 0.8),
    "batched product": Usual(0.3, 0.8),
    "attention": Usual(0.5, 0.8),
    "convolution 1x1": Usual(0.8, 0.8),
    "convolution 3x3": Usual(0.9, 0.8),
    "convolution": Usual(0.8, 0.8),
    "stem": Usual(0.15, 0.8),
    "depthwise": Usual(0.06, 0.8),
    "depthwise strided": Usual(0.03, 0.8),
    "depthwise wide": Usual(0.03, 0.8),
    "depthwise channels-last": Usual(0.06, 0.8),
    "grouped convolution": Usual(0.2, 0.8),
    "unaligned product": Usual(0.7, 0.8),
    "unaligned batched product": Usual(0.15, 0.8),
    "unaligned convolution": Usual(0.5, 0.8),
    "float32 product": Usual(0.07, 0.8),
    "strided": Usual(1.0, 0.7),
    "max pooling": Usual(1.0, 0.7),
    "layer norm": Usual(1.0, 0.7),
    "transposition": Usual(1.0, 1.2),
}
"""A GPU's in 16 bits; of other classes four fifths of the bandwidth, as streams have."""

SPREADS: Mapping[str, Usual] = {
    "elementwise": Usual(0.7, 0.15),
    "transcendental": Usual(0.7, 0.15),
    "broadcast": Usual(0.7, 0.15),
    "copy": Usual(0.7, 0.15),
    "batch norm": Usual(0.7, 0.05),
    "reduction": Usual(0.7, 0.2),
    "gather": Usual(0.7, 0.2),
    "strided": Usual(0.7, 0.4),
    "max pooling": Usual(0.7, 0.4),
    "layer norm": Usual(0.7, 0.4),
    "transposition": Usual(0.7, 0.4),
    "unaligned product": Usual(0.3, 0.2),
}
"""How far a class may be from what is usual. A stream of values runs at much the same share everywhere; a batch norm's
is that of VGG with and without it.
"""

SAME: Mapping[str, str] = {
    "average pooling": "max pooling",
    "adaptive pooling": "reduction",
    "softmax": "reduction",
    "interpolation": "copy",
    "wide grouped convolution": "grouped convolution",
    "many-grouped convolution": "grouped convolution",
}
"""Classes that share constants here: apart they meet networks that are left out no better."""


class Where(NamedTuple):
    """Of a run: its name, card and layout, and FLOP/s and B/s of the card's data sheet."""

    run: str
    card: str
    layout: str
    rate: float
    bandwidth: float


class Card(NamedTuple):
    """What was fitted for a run: shares by class, seconds of a launch on the device and on the host."""

    shares: Mapping[str, Usual]
    floor: float
    dispatch: float


@dataclass(frozen=True)
class Launch:
    """Seconds that are usual, and how far a card may be from that, in its logarithm."""

    floor: float = 2e-6
    dispatch: float = 8e-6
    spread: float = 0.4
    card: float = 0.3


class Relatives:
    """All kernels of all runs in columns, and the parameters that each depends on."""

    def __init__(self, runs: Sequence[tuple[Where, Seen]], launch: Launch | None = None) -> None:
        self.launch = launch or Launch()
        self.places = sorted({where for where, _ in runs})
        self.place = np.array([self.places.index(where) for where, _ in runs])
        self.families = np.array([seen.family for _, seen in runs])
        self.told = np.log([seen.seconds for _, seen in runs])
        rows = [
            (index, SAME.get(part.kind, part.kind), part, times)
            for index, (_, seen) in enumerate(runs)
            for part, times in seen.parts.items()
            if part.kind != "unknown"
        ]
        self.kinds = sorted({kind for _, kind, _, _ in rows})
        number = {kind: index for index, kind in enumerate(self.kinds)}
        self.count = len(runs)
        self.run = np.array([index for index, *_ in rows])
        self.kind = np.array([number[kind] for _, kind, _, _ in rows])
        of = self.place[self.run]
        self.computing = np.array([part.flops for *_, part, _ in rows]) / np.array([p.rate for p in self.places])[of]
        self.moving = np.array([part.nbytes for *_, part, _ in rows]) / np.array([p.bandwidth for p in self.places])[of]
        self.times = np.array([times for *_, times in rows], float)
        self.launches = np.bincount(
            self.run, self.times * np.array([part.launches for *_, part, _ in rows]), self.count
        )
        self._parameters()
        self.cells = [self.numbers[share, of, self.kind] for share in (0, 1)]

    def _parameters(self) -> None:
        """`numbers` has by share, run and class the four that are added up."""
        known: dict[object, int] = {}
        usual: list[float] = []
        spread: list[float] = []

        def numbered(key: object, toward: float, within: float) -> int:
            if key not in known:
                known[key] = len(usual)
                usual.append(toward)
                spread.append(within)
            return known[key]

        self.numbers = np.zeros((2, len(self.places), len(self.kinds), 4), int)
        for share in (0, 1):
            for place, where in enumerate(self.places):
                for kind, name in enumerate(self.kinds):
                    toward = np.log(USUAL.get(name, Usual(1.0, 0.8))[share])
                    self.numbers[share, place, kind] = (
                        numbered((share, name), toward, SPREADS.get(name, FREE)[share]),
                        numbered((share, name, where.layout), 0.0, LAYOUT[share]),
                        numbered((share, name, where.card), 0.0, CARD[share]),
                        numbered((share, name, where.run), 0.0, RUN[share]),
                    )
        launch = self.launch
        self.floors, self.hosts = (
            np.array(
                [
                    (numbered(word, np.log(seconds), launch.spread), numbered((word, where.card), 0.0, launch.card))
                    for where in self.places
                ]
            )
            for word, seconds in (("floor", launch.floor), ("dispatch", launch.dispatch))
        )
        self.usual, self.spread = np.array(usual), np.array(spread)

    def seconds(self, logs: Floats) -> tuple[Floats, Floats]:
        """Logarithms of the seconds of each run, and how they change with each parameter."""
        computing, moving = (
            amounts / np.exp(logs[cells].sum(axis=1))
            for amounts, cells in zip((self.computing, self.moving), self.cells, strict=True)
        )
        most = np.maximum(np.maximum(computing, moving), 1e-15)
        first, second = (computing / most) ** OVERLAP, (moving / most) ** OVERLAP
        each = self.times * most * (first + second) ** (1 / OVERLAP)
        floors = self.launches * np.exp(logs[self.floors].sum(axis=1))[self.place]
        hosts = self.launches * np.exp(logs[self.hosts].sum(axis=1))[self.place]
        kernels = np.bincount(self.run, each, self.count) + floors
        power = 6.0  # the larger of both, without its edge
        whole = (kernels**power + hosts**power) ** (1 / power)
        queue, host = (kernels / whole) ** power, (hosts / whole) ** power
        width = len(logs)
        slopes = np.zeros(self.count * width)
        weight = (queue / kernels)[self.run] * each
        for cells, part in zip(self.cells, (first, second), strict=True):
            for level in range(4):
                at = self.run * width + cells[:, level]
                slopes -= np.bincount(at, weight * part / (first + second), self.count * width)
        slopes = slopes.reshape(self.count, width)
        everyone = np.arange(self.count)
        for level in (0, 1):
            np.add.at(slopes, (everyone, self.floors[self.place, level]), floors * queue / kernels)
            np.add.at(slopes, (everyone, self.hosts[self.place, level]), host)
        return np.log(whole), slopes

    def solve(self, among: Booleans, start: Floats | None = None, steps: int = 12) -> Floats:
        """Parameters that meet these runs; a family counts by the root of how many it has."""
        logs = self.usual.copy() if start is None else start.copy()
        sizes = Counter(self.families[among])
        share = np.array(
            [sizes[name] ** -0.5 if taken else 0.0 for name, taken in zip(self.families, among, strict=True)]
        )
        share *= among.sum() / share.sum()
        for _ in range(steps):
            found, slopes = self.seconds(logs)
            error = self.told - found
            weight = share / (1 + (error / TOLERANCE) ** 2) / NOISE**2
            weighted = slopes[among] * weight[among, None]
            matrix = slopes[among].T @ weighted + np.diag(self.spread**-2)
            step = np.linalg.solve(matrix, weighted.T @ error[among] + (self.usual - logs) / self.spread**2)
            logs += np.clip(step, -0.7, 0.7)
            if np.abs(step).max() < 2e-3:
                break
        return logs

    def left_out(self, whole: Floats, folds: int = 6) -> Floats:
        """Seconds of each run by parameters that were fitted without its family."""
        fold = self._folds(folds)
        found = np.zeros(self.count)
        for index in range(folds):
            out = fold == index
            found[out] = self.seconds(self.solve(~out, whole, 6))[0][out]
        return np.exp(found)

    def _folds(self, count: int) -> NDArray[np.int64]:
        sizes = Counter(self.families)
        filled = [0] * count
        place: dict[str, int] = {}
        for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
            place[name] = filled.index(min(filled))
            filled[place[name]] += sizes[name]
        return np.array([place[name] for name in self.families])

    def cards(self, logs: Floats) -> Mapping[Where, Card]:
        found: dict[Where, Card] = {}
        for place, where in enumerate(self.places):
            rate, bandwidth = (np.exp(logs[self.numbers[share, place]].sum(axis=1)) for share in (0, 1))
            shares = {kind: Usual(float(rate[at]), float(bandwidth[at])) for at, kind in enumerate(self.kinds)}
            floor, host = (float(np.exp(logs[each[place]].sum())) for each in (self.floors, self.hosts))
            found[where] = Card(shares, floor, host)
        return found
