"""`recompute: auto`: the checkpoints with the least recomputed work that keep a step within a budget of memory.

A checkpoint is a run of layers that follow one another in the order of execution; checkpoints do not nest, as torch's
do not. Among all sets of them the search is exact, for chains and networks with branches alike: what is held after a
layer is a sum over the checkpoints and layers before it, and beyond the sum only those storages matter that somebody
may still hold. So a shortest path through the layers is looked for under limits of memory, by labels of work and bytes
that no other label beats in both (Desrochers and Soumis 1988), with prices of a byte to bound what is yet to come
(Handler and Zang 1980).

Checkpoints of few FLOPs are looked at first. Where those make an answer, one that alone has more work than all of that
answer is no part of a better one, and is never built.

It is exact as long as all labels that may lead to the least work are followed, WIDTHS from a state within EFFORT, as
for VGG-D and ResNet-50, and none is given up that only two others beat between them (`_undominated`). Where they are
more (DenseNet under tight budgets, 500 layers), the best found is given: it fits, and may not be the least. Networks of
more than BOUNDARIES layers have checkpoints only at so many of the boundaries between layers. Exempt are outputs whose
gradient nobody asks for: what is kept for them counts as held in any case.

Compare Chen et al. 2016 (√n segments), Kusumoto et al. 2019 and Feng and Huang 2021 (one level of recomputation on any
graph), Kumar et al. 2019 (bounds by treewidth), Beaumont et al. 2019 (rotor: exact for chains, nested too), and Jain
et al. 2020 (Checkmate: any schedule, by integer programming).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import count, pairwise
from operator import itemgetter
from typing import NamedTuple

from archcost.costs.checkpoint_bounds import Bound, Price, bounds, drop, prices
from archcost.costs.checkpoint_growth import Span
from archcost.costs.checkpoint_ways import ENDLESS, SCALE, Ways, cut, least, ways
from archcost.costs.program import Program
from archcost.costs.recompute import located
from archcost.costs.segment_costs import Play, Spans, rise
from archcost.errors import ArchcostError
from archcost.files.stage import tell_stage
from archcost.graph import ModelGraph
from archcost.passes.contract import Names
from archcost.units import size

WIDTHS = (4, 32, 256, 2048)
"""Labels that are followed from a state: few first, for a good answer that cuts the search short."""

EFFORT = 3_000_000
"""Labels times steps in one pass, at most; the first pass is free."""

BOUNDARIES = 500

SMALL = 512
"""Of all FLOPs of forward this part: what a checkpoint may have at first."""

FACTOR = 8
"""A checkpoint may have so many times more FLOPs where there is no answer with smaller ones."""


class OverBudgetError(ArchcostError):
    """No checkpoints bring a step within the budget. `least` is what is needed at least, in bytes."""

    exit_code = 1

    def __init__(self, budget: int, least: int) -> None:
        super().__init__(
            f"no checkpoints bring the step within {size(budget)}",
            expected=f"a budget of {size(least)} or more ({least:,} B)",
            found=f"{budget:,} B",
            hint="a smaller batch, another optimizer or precision",
        )
        self.least = least


class Choice:
    """Checkpoints of one network, for one budget after the other. `play` plays the step of a program."""

    def __init__(self, graph: ModelGraph, written: Program, play: Play) -> None:
        self.graph, self.written, self.play = graph, written, play
        self.plain = rise(play(written, ()))
        self._spans: Spans | None = None
        self._guess = 0
        self._least: int | None = None

    @property
    def spans(self) -> Spans:
        if self._spans is None:
            self._spans = Spans(self.written, self.play, frozenset(node.name for node in self.graph.nodes))
            self._guess = sum([op.forward_flops for op in self.written.ops]) // SMALL + 1
        return self._spans

    @property
    def least(self) -> int:
        """The least budget for which there are checkpoints."""
        if self._least is None:
            self._least = least(self.spans, cut(self.spans, BOUNDARIES))
        return self._least

    def cheapest(self, budget: int) -> tuple[Names, ...]:
        """The layers to recompute, a tuple for each checkpoint; none when the step fits without. `budget` is in bytes.

        Raises OverBudgetError.
        """
        if self.plain <= budget:
            return ()
        aim = budget
        while True:
            found = _search(self.spans, aim, self._guess)
            if found is None:
                raise OverBudgetError(budget, max(budget + 1, min(self.plain, self.least)))
            self._guess = max(self._guess, 2 * (found[0] // SCALE))
            names = tuple([tuple(self.spans.names[first:end]) for first, end in _checkpoints(found)])
            over = rise(self.play(self.written, located(self.written, names))) - budget
            if over <= 0:
                return names
            aim -= over  # what the sums leave out: outputs whose gradient nobody asks for


Label = tuple[int, int, int, int, Span | None, "Label | None"]
"""A way to a state: its work, the bytes held for backward, those alive in forward, a number by which equal labels stand
in order, its last step and the label before that."""


def _search(spans: Spans, budget: int, most: int) -> Label | None:
    """The way of least work. `most` FLOPs are tried first for a checkpoint: a guess at what all have together."""
    if spans.floor > budget:
        return None
    cuts, total = cut(spans, BOUNDARIES), sum([op.forward_flops for op in spans.ops])
    open_ways = ways(spans, cuts, budget, most)
    followed = _follow(open_ways, WIDTHS[0], ENDLESS)
    while followed.best is None and most < total:
        most = min(FACTOR * most, total)
        open_ways = ways(spans, cuts, budget, most)
        followed = _follow(open_ways, WIDTHS[0], ENDLESS)
    if followed.best is not None and followed.best[0] > most * SCALE:  # larger ones may be part of a better answer
        open_ways = ways(spans, cuts, budget, followed.best[0] // SCALE)
        followed = _better(followed, _follow(open_ways, WIDTHS[0], followed.best[0] + 1))
    for width in WIDTHS[1:]:
        best = followed.best
        if followed.is_whole:
            break
        if best is not None:
            drop(open_ways, followed.prices, best[0])
            open_ways.tighten(budget)
        if open_ways.is_blocked or width * open_ways.count > EFFORT:
            break
        followed = _better(followed, _follow(open_ways, width, ENDLESS if best is None else best[0]))
    return followed.best


def _checkpoints(label: Label) -> list[tuple[int, int]]:
    """Those on the way, as pairs of boundaries."""
    spans: list[Span] = []
    before: Label | None = label
    while before is not None:
        _, _, _, _, span, before = before
        spans += [span] if span else []
    ends = [0, *(span.end for span in reversed(spans))]
    return [pair for pair, span in zip(pairwise(ends), reversed(spans), strict=True) if span.is_checkpoint]


class _Followed(NamedTuple):
    """The best label at the end, whether it is the best of all, and the prices by which that was told."""

    best: Label | None
    is_whole: bool
    prices: Sequence[Price]


def _better(before: _Followed, now: _Followed) -> _Followed:
    return now if now.best is not None else now._replace(best=before.best)


def _follow(ways: Ways, width: int, limit: int) -> _Followed:
    """Of less work than `limit`, with no more than `width` labels from a state."""
    tell_stage(f"checkpoints, {width} ways from each layer")
    if ways.is_blocked:
        return _Followed(None, True, ())
    known, behind = prices(ways), bounds(ways, min(2 * width, 64))
    labels: list[list[Label]] = [[] for _ in ways.steps]
    labels[0] = [(0, 0, 0, 0, None, None)]
    is_whole = True
    numbers = count(1)
    for state, steps in enumerate(ways.steps):
        if not steps or not labels[state]:
            continue
        left = _undominated(labels[state], ways.free[state])
        priced = known if ways.boundaries[state] <= ways.last else ()
        hopeful = _hopeful(left, _lines(priced, state, left), behind[state], limit)
        labels[state] = []
        if len(hopeful) > width:
            is_whole = False
            hopeful = [*sorted(hopeful, key=itemgetter(0))[: width - 1], min(hopeful, key=_alive)]
        for end, work, adds, most, grows, most_alive, span in steps:
            below = limit - work
            labels[end] += [
                (label[0] + work, label[1] + adds, label[2] + grows, next(numbers), span, label)
                for _, label in hopeful
                if label[1] <= most and label[2] <= most_alive and label[0] < below
            ]
    found = [label for state in ways.ends for label in labels[state]]
    return _Followed(min(found, key=itemgetter(0, 1), default=None), is_whole, known)


def _alive(hopeful: tuple[int, Label]) -> int:
    return hopeful[1][2]


def _undominated(labels: list[Label], free: int) -> list[Label]:
    """Without those that others beat, or equal, in work, bytes held and bytes alive, as far as these matter.

    Two others may do it between them, one in bytes held and one in bytes alive: that such a label leads to the least
    work is given up.
    """
    left: list[Label] = []
    least_held = least_alive = ENDLESS
    labels.sort()
    for label in labels:
        held, alive = label[1], label[2]
        if alive < free:
            alive = free
        if held < least_held:
            left.append(label)
            least_held = held
            if alive < least_alive:
                least_alive = alive
        elif alive < least_alive:
            left.append(label)
            least_alive = alive
    return left


def _lines(prices: Sequence[Price], state: int, labels: Sequence[Label]) -> list[tuple[int, int]]:
    """What is to come by each price: a sum, and so much a byte that is held; without lines that lie below another for
    all of these labels.
    """
    helds = [label[1] for label in labels]
    low, high = min(helds), max(helds)
    lines: list[tuple[int, int]] = []
    for price in prices:
        total, byte = price.sums[state] - price.price * price.room, price.price
        if not any(a + b * low >= total + byte * low and a + b * high >= total + byte * high for a, b in lines):
            lines.append((total, byte))
    return lines


def _hopeful(
    labels: Sequence[Label], lines: Sequence[tuple[int, int]], behind: Bound, limit: int
) -> list[tuple[int, Label]]:
    """Those that may come to less work than `limit`, each with the work that it comes to at the least."""
    most, work = behind
    hopeful: list[tuple[int, Label]] = []
    for label in labels:
        held = label[1]
        index = bisect_left(most, held)
        if index == len(most):
            continue
        least = work[index]
        for total, byte in lines:
            more = total + byte * held
            if more > least:
                least = more
        least += label[0]
        if least < limit:
            hopeful.append((least, label))
    return hopeful
