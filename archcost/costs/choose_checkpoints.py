"""`recompute: auto`: the checkpoints with the least recomputed work that keep a step within a budget of memory.

A checkpoint is a run of layers that follow one another in the order of execution; checkpoints do not nest, as torch's
do not. Among all sets of them the search is exact, for chains and networks with branches alike: what is held after a
layer is a sum over the checkpoints and layers before it, and beyond the sum only those storages matter that somebody
may still hold. So a shortest path through the layers is looked for under limits of memory, by labels of work and bytes
that no other label beats in both (Desrochers and Soumis 1988), with prices of a byte to bound what is yet to come
(Handler and Zang 1980).

It is exact as long as all labels that may lead to the least work are followed, WIDTHS from a state within EFFORT: in
0.02 s for VGG-D, 0.6 s for ResNet-50, 1 to 2 s for a random chain of 200 layers. Where they are more (DenseNet-121 in
5 s under tight budgets, 500 layers in 10 s), the best found is given: it fits, and may not be the least. Networks of
more than BOUNDARIES layers have checkpoints only at so many of the boundaries between layers. Exempt are outputs whose
gradient nobody asks for: what is kept for them counts as held in any case.

Compare Chen et al. 2016 (√n segments), Kusumoto et al. 2019 and Feng and Huang 2021 (one level of recomputation on any
graph), Kumar et al. 2019 (bounds by treewidth), Beaumont et al. 2019 (rotor: exact for chains, nested too), and Jain
et al. 2020 (Checkmate: any schedule, by integer programming).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from archcost.costs.program import Program
from archcost.costs.recompute import located
from archcost.costs.segment_costs import Play, Span, Spans, rise
from archcost.errors import ArchcostError
from archcost.graph import ModelGraph
from archcost.passes.contract import Names
from archcost.units import size

WIDTHS = (4, 32, 256, 2048)
"""Labels that are followed from a state: few first, for a good answer that cuts the search short."""

EFFORT = 3_000_000
"""Labels times steps in one pass, at most; the first pass is free."""

BOUNDARIES = 500

SCALE = 2**20
"""A FLOP in the units of work; a checkpoint is one, so that of equal work the fewest checkpoints win."""

ENDLESS = 2**200


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


def cheapest(graph: ModelGraph, written: Program, play: Play, budget: int) -> tuple[Names, ...]:
    """The layers to recompute, a tuple for each checkpoint; none when the step fits without. `budget` is in bytes.

    `play` plays the step of a program. Raises OverBudgetError.
    """
    plain = rise(play(written, ()))
    if plain <= budget:
        return ()
    spans = Spans(written, play, frozenset(node.name for node in graph.nodes))
    aim = budget
    while True:
        found = _search(spans, aim)
        if found is None:
            raise OverBudgetError(budget, max(budget + 1, min(plain, _least(spans))))
        names = tuple([tuple(spans.names[first:end]) for first, end in found])
        over = rise(play(written, located(written, names))) - budget
        if over <= 0:
            return names
        aim -= over  # what the sums leave out: outputs whose gradient nobody asks for


class Step(NamedTuple):
    """From a state at a boundary to another: `adds` bytes to what is held, which may be `most` before, and `grows`
    what forward has alive, which may be `most_alive` before."""

    state: int
    work: int
    adds: int
    most: int
    grows: int
    most_alive: int
    span: Span


class State(NamedTuple):
    """At a boundary, which of the storages that somebody may still hold are held."""

    boundary: int
    held: frozenset[int]


@dataclass(slots=True)
class _Ways:
    """All steps that can be part of an answer, by state; states are numbered along the network, the first is 0.

    `least` is the least that is held at a state, `room` the most with which the end can be reached, `free` what forward
    may have alive so that no step from there on is refused for it.
    """

    states: list[State]
    steps: list[list[Step]]
    last: int
    ends: frozenset[int]
    least: list[int]
    room: list[int]
    free: list[int]

    @property
    def count(self) -> int:
        return sum(map(len, self.steps))

    def tighten(self, budget: int) -> None:
        """Drop the steps that no way within the limits takes."""
        self.least = [0] + [ENDLESS] * (len(self.states) - 1)
        for state, steps in enumerate(self.steps):
            held = self.least[state]
            steps[:] = [step for step in steps if held <= step.most]
            for step in steps:
                self.least[step.state] = min(self.least[step.state], held + step.adds)
        self.room = [budget if state in self.ends else -1 for state in range(len(self.states))]
        self.free = [ENDLESS] * len(self.states)
        for state in range(len(self.states) - 1, -1, -1):
            held = self.least[state]
            steps = [step for step in self.steps[state] if held + step.adds <= self.room[step.state]]
            self.steps[state] = steps
            if steps:
                self.room[state] = max([min(step.most, self.room[step.state] - step.adds) for step in steps])
                self.free[state] = min([min(step.most_alive, self.free[step.state] - step.grows) for step in steps])


def _ways(spans: Spans, budget: int) -> _Ways:
    """Of the whole network: at every boundary the next layer as it is, or a checkpoint that begins there."""
    count = len(spans.names)
    cuts = _cuts(spans)
    least: list[dict[frozenset[int], int]] = [{} for _ in range(count + 1)]
    least[0][frozenset()] = 0
    draft: list[tuple[State, list[tuple[State, Span, int, int, int]]]] = []
    for boundary in range(count):
        held_least = min(least[boundary].values(), default=0)
        checkpoints = spans.checkpoints(boundary, budget - held_least) if boundary in cuts else ()
        choices = [spans.plain(boundary), *(span for span in checkpoints if span.end in cuts)]
        for held, before in least[boundary].items():
            alive = spans.cost(spans.crossing[boundary][1] - held)
            steps: list[tuple[State, Span, int, int, int]] = []
            for span in choices:
                takes = spans.cost(span.takes - held)
                most = min(budget - takes - span.backward, budget - span.after, budget - span.forward - alive)
                if before > most:
                    continue
                after = State(span.end, (held | span.takes | span.owns) & spans.crossing[span.end][1])
                adds = takes + span.owned
                least[span.end][after.held] = min(least[span.end].get(after.held, ENDLESS), before + adds)
                steps.append((after, span, adds, most, spans.cost(span.ended - held - span.takes)))
            draft.append((State(boundary, held), steps))
    states = [state for state, _ in draft] + [State(count, held) for held in least[count]]
    number = {state: index for index, state in enumerate(states)}
    ends = [number[State(count, held)] for held in least[count]]
    numbered = [
        [
            Step(number[after], _work(span), adds, most, span.stays - lost, budget - span.forward, span)
            for after, span, adds, most, lost in steps
        ]
        for _, steps in draft
    ]
    ways = _Ways(states, [*numbered, *([] for _ in ends)], spans.last, frozenset(ends), [], [], [])
    ways.tighten(budget)
    return ways


def _work(span: Span) -> int:
    return span.flops * SCALE + 1 if span.is_checkpoint else 0


def _cuts(spans: Spans) -> frozenset[int]:
    """Where checkpoints may begin and end: everywhere, or where in each stretch the least crosses."""
    stretch = -(-spans.last // BOUNDARIES)
    starts = range(0, spans.last + 1, max(stretch, 1))
    stretches = [range(start, min(start + stretch, spans.last + 1)) for start in starts]
    return frozenset(min(each, key=lambda boundary: spans.crossing[boundary][0]) for each in stretches if each)


def _least(spans: Spans) -> int:
    """The least budget for which there is a way."""
    ways = _ways(spans, ENDLESS)
    need = [0] * len(ways.states)
    for state in range(len(ways.states) - 1, -1, -1):
        needs = [max(ENDLESS - step.most, need[step.state] + step.adds) for step in ways.steps[state]]
        need[state] = min(needs, default=0)
    return max(spans.floor, need[0])


class Price(NamedTuple):
    """Work and bytes in one sum, a byte at `price`: the least sum from each state to the end, and `room` for bytes at
    the network's end. A lower bound of the work of every way (Lagrange)."""

    price: int
    sums: list[int]
    room: int

    @property
    def bound(self) -> int:
        return self.sums[0] - self.price * self.room


Path = tuple[Span, "Path"] | None
"""A span, and those before it."""

Label = tuple[int, int, int, Path]
"""A way to a state: its work, the bytes held for backward, and those alive in forward."""


def _search(spans: Spans, budget: int) -> list[tuple[int, int]] | None:
    """The checkpoints of least work as pairs of boundaries, or None."""
    if spans.floor > budget:
        return None
    ways = _ways(spans, budget)
    if ways.room[0] < 0:
        return None
    best: Label | None = None
    for width in WIDTHS:
        if width > WIDTHS[0] and width * ways.count > EFFORT:
            break
        prices = _prices(ways)
        found, is_whole = _follow(ways, prices, _bounds(ways, min(2 * width, 64)), width, best)
        best = found or best
        if is_whole:
            break
        if best is not None:
            _drop(ways, prices, best[0])
            ways.tighten(budget)
            if ways.room[0] < 0:
                break
    return None if best is None else _taken(best)


def _taken(label: Label) -> list[tuple[int, int]]:
    spans: list[Span] = []
    path = label[-1]
    while path is not None:
        span, path = path
        spans.append(span)
    ends = [0, *(span.end for span in reversed(spans))]
    return [pair for pair, span in zip(pairwise(ends), reversed(spans), strict=True) if span.is_checkpoint]


def _prices(ways: _Ways) -> list[Price]:
    """The best of prices over all orders of magnitude, and of some between."""
    room = max(ways.room[state] for state, at in enumerate(ways.states) if at.boundary == ways.last)
    tried = {price: _price(ways, price, room) for price in (0, *(8**power for power in range(2, 16)))}
    for _ in range(4):
        best = max(tried.values(), key=lambda each: each.bound).price
        ordered = sorted(tried)
        near = ordered[max(ordered.index(best) - 1, 0) : ordered.index(best) + 2]
        for low, high in pairwise(near):
            between = (low + high) // 2
            tried.setdefault(between, _price(ways, between, room))
    return sorted(tried.values(), key=lambda each: -each.bound)[:5]


def _price(ways: _Ways, price: int, room: int) -> Price:
    sums = [ENDLESS] * len(ways.states)
    for state in ways.ends:
        sums[state] = 0
    for state in range(len(sums) - 1, -1, -1):
        steps = ways.steps[state]
        byte = price if ways.states[state].boundary < ways.last else 0
        if steps:
            sums[state] = min([work + byte * adds + sums[end] for end, work, adds, _, _, _, _ in steps])
    return Price(price, sums, room)


class Bound(NamedTuple):
    """The least work to the end from a state where no more than `most` is held, as two lists in ascending order."""

    most: Sequence[int]
    work: Sequence[int]


def _bounds(ways: _Ways, width: int) -> list[Bound]:
    """Of every state, from the end: the choices between work and room, neighbours merged into one that beats both."""
    bounds = [Bound((ENDLESS,), (0,)) if state in ways.ends else Bound((), ()) for state in range(len(ways.states))]
    for state in range(len(bounds) - 1, -1, -1):
        held = ways.least[state]
        choices: list[tuple[int, int]] = []
        for end, work, adds, most, _, _, _ in ways.steps[state]:
            behind = bounds[end]
            least = held + adds
            choices += [
                (work + more, most if most < room - adds else room - adds)
                for room, more in zip(behind.most, behind.work, strict=True)
                if room >= least
            ]
        if choices:
            bounds[state] = _merged(sorted(choices), width)
    return bounds


def _merged(choices: Sequence[tuple[int, int]], width: int) -> Bound:
    """Of (work, room), by work: those with more room than all of less work, at most about `width` of them."""
    room: list[int] = []
    work: list[int] = []
    for each, most in choices:
        if not room or most > room[-1]:
            room.append(most)
            work.append(each)
    if len(room) <= width:
        return Bound(room, work)
    stretch = (room[-1] - room[0]) // width + 1
    firsts = [0] + [
        index
        for index in range(1, len(room))
        if (room[index] - room[0]) // stretch > (room[index - 1] - room[0]) // stretch
    ]
    return Bound([room[index - 1] for index in (*firsts[1:], len(room))], [work[index] for index in firsts])


def _follow(
    ways: _Ways, prices: Sequence[Price], bounds: Sequence[Bound], width: int, best: Label | None
) -> tuple[Label | None, bool]:
    """The best label at the end that beats `best`, with no more than `width` labels from a state; whether it is the
    best of all."""
    limit = ENDLESS if best is None else best[0]
    labels: list[list[Label]] = [[] for _ in ways.states]
    labels[0] = [(0, 0, 0, None)]
    is_whole = True
    for state, steps in enumerate(ways.steps):
        if not steps or not labels[state]:
            continue
        hopeful: list[tuple[int, Label]] = []
        lines = [(price.sums[state] - price.price * price.room, price.price) for price in prices]
        priced = ways.states[state].boundary <= ways.last
        for label in _undominated(labels[state], ways.free[state]):
            done, held, _, _ = label
            index = bisect_left(bounds[state].most, held)
            if index == len(bounds[state].most):
                continue
            behind = bounds[state].work[index]
            if priced:
                behind = max(behind, *[sums + price * held for sums, price in lines])
            if done + behind < limit:
                hopeful.append((done + behind, label))
        labels[state] = []
        if len(hopeful) > width:
            is_whole = False
            hopeful = [*sorted(hopeful, key=itemgetter(0))[: width - 1], min(hopeful, key=_alive)]
        for end, work, adds, most, grows, most_alive, span in steps:
            labels[end] += [
                (done + work, held + adds, alive + grows, (span, path))
                for _, (done, held, alive, path) in hopeful
                if held <= most and alive <= most_alive
            ]
    found = [label for state in ways.ends for label in labels[state]]
    return min(found, key=itemgetter(0, 1), default=None), is_whole


def _alive(hopeful: tuple[int, Label]) -> int:
    return hopeful[1][2]


def _undominated(labels: list[Label], free: int) -> list[Label]:
    """Without those that another beats, or equals, in work, bytes held and bytes alive, as far as these matter."""
    left: list[Label] = []
    least_held = least_alive = ENDLESS
    for label in sorted(labels, key=itemgetter(0, 1, 2)):
        _, held, alive, _ = label
        alive = max(alive, free)
        if held < least_held or alive < least_alive:
            left.append(label)
            least_held, least_alive = min(held, least_held), min(alive, least_alive)
    return left


def _drop(ways: _Ways, prices: Sequence[Price], work: int) -> None:
    """Leave out the steps that no way of less work takes, by the bound of each price."""
    for price in prices:
        sums = [ENDLESS] * len(ways.states)
        sums[0] = 0
        for state, steps in enumerate(ways.steps):
            byte = price.price if ways.states[state].boundary < ways.last else 0
            most = work + price.price * price.room - sums[state]
            steps[:] = [step for step in steps if step.work + byte * step.adds + price.sums[step.state] < most]
            for step in steps:
                sums[step.state] = min(sums[step.state], sums[state] + step.work + byte * step.adds)
