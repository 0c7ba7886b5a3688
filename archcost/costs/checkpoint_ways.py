"""Checkpoints of a network as ways through its layers: states at the boundaries between them, and steps from each.

At every boundary the next layer is kept as it is, or a checkpoint begins. A step says what is held for backward after
it, and how much may be held before it so that nothing exceeds the budget.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archcost.costs.checkpoint_growth import NOTHING, Span
from archcost.costs.segment_costs import Spans

SCALE = 2**20
"""A FLOP in the units of work; a checkpoint is one, so that of equal work the fewest checkpoints win."""

ENDLESS = 2**200


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


@dataclass(slots=True)
class Ways:
    """All steps that can be part of an answer, by state; states are numbered along the network, the first is 0.

    `boundaries` says where each state is, `ends` those at the network's end. `least` is the least that is held at a
    state, `room` the most with which the end can be reached, `free` what forward may have alive so that no step from
    there on is refused for it.
    """

    boundaries: list[int]
    steps: list[list[Step]]
    last: int
    ends: frozenset[int]
    least: list[int]
    room: list[int]
    free: list[int]

    @property
    def count(self) -> int:
        return sum(map(len, self.steps))

    @property
    def is_blocked(self) -> bool:
        """No way leads to the end."""
        return self.room[0] < 0

    def tighten(self, budget: int) -> None:
        """Drop the steps that no way within the limits takes."""
        self.least = least = [0] + [ENDLESS] * (len(self.steps) - 1)
        for held, steps in zip(least, self.steps, strict=True):
            steps[:] = [step for step in steps if held <= step[3]]
            for end, _, adds, _, _, _, _ in steps:
                if held + adds < least[end]:
                    least[end] = held + adds
        self.room = room = [budget if state in self.ends else -1 for state in range(len(self.steps))]
        self.free = free = [ENDLESS] * len(self.steps)
        for state in range(len(self.steps) - 1, -1, -1):
            held = least[state]
            steps = self.steps[state] = [step for step in self.steps[state] if held + step[2] <= room[step[0]]]
            if steps:
                room[state] = max([min(most, room[end] - adds) for end, _, adds, most, _, _, _ in steps])
                free[state] = min([min(alive, free[end] - grows) for end, _, _, _, grows, alive, _ in steps])


class _Reached:
    """A state that is reached: with how much held at the least, and its number, once all before it are known."""

    __slots__ = ("least", "number")

    def __init__(self, least: int) -> None:
        self.least, self.number = least, -1


_Draft = tuple[_Reached, int, int, int, int, int, Span]
"""A step to a state that has no number yet."""


def ways(spans: Spans, cuts: Collection[int], budget: int, work: int) -> Ways:
    """Of the whole network, with checkpoints between `cuts`, each of no more than `work` FLOPs.

    A state is a boundary, and which of the storages that somebody may still hold are held there.
    """
    count = len(spans.names)
    reached: list[dict[frozenset[int], _Reached]] = [{} for _ in range(count + 1)]
    reached[0][NOTHING] = _Reached(0)
    boundaries: list[int] = []
    draft: list[list[_Draft]] = []
    for boundary in range(count):
        here = reached[boundary]
        choices = [spans.plain(boundary)]
        if boundary in cuts and here:
            most = budget - min([state.least for state in here.values()])
            choices += [span for span in spans.checkpoints(boundary, most, work) if span.end in cuts]
        for held, state in here.items():
            state.number = len(draft)
            boundaries.append(boundary)
            draft.append(_steps(spans, choices, boundary, held, state.least, budget, reached))
    ends = list(reached[count].values())
    for number, state in enumerate(ends, len(draft)):
        state.number = number
        boundaries.append(count)
    steps = [[Step(step[0].number, *step[1:]) for step in choices] for choices in draft]
    found = Ways(
        boundaries,
        [*steps, *([] for _ in ends)],
        spans.last,
        frozenset([state.number for state in ends]),
        [],
        [],
        [],
    )
    found.tighten(budget)
    return found


def _steps(
    spans: Spans,
    choices: Sequence[Span],
    boundary: int,
    held: frozenset[int],
    before: int,
    budget: int,
    reached: Sequence[dict[frozenset[int], _Reached]],
) -> list[_Draft]:
    """From one state, and which states they reach."""
    alive = spans.cost(spans.crossing[boundary][1] - held)
    steps: list[_Draft] = []
    of: frozenset[int] | None = None
    takes, both = 0, held
    for span in choices:
        if span.takes is not of:  # as checkpoints grow, they mostly take the same
            of = span.takes
            takes, both = spans.cost(of - held), held | of
        most = budget - max(takes + span.backward, span.after, span.forward + alive)
        if before > most:
            continue
        adds = takes + span.owned
        there, key = reached[span.end], (both | span.owns) & spans.crossing[span.end][1]
        state = there.get(key)
        if state is None:
            state = there[key] = _Reached(before + adds)
        elif before + adds < state.least:
            state.least = before + adds
        lost = spans.cost(span.ended - both) if span.ended else 0
        work = span.flops * SCALE + 1 if span.is_checkpoint else 0
        steps.append((state, work, adds, most, span.stays - lost, budget - span.forward, span))
    return steps


def least(spans: Spans, cuts: Collection[int]) -> int:
    """The least budget for which there is a way."""
    every = ways(spans, cuts, ENDLESS, ENDLESS)
    need = [0] * len(every.steps)
    for state in range(len(every.steps) - 1, -1, -1):
        needs = [max(ENDLESS - step.most, need[step.state] + step.adds) for step in every.steps[state]]
        need[state] = min(needs, default=0)
    return max(spans.floor, need[0])


def cut(spans: Spans, most: int) -> frozenset[int]:
    """Where checkpoints may begin and end: everywhere, or where in each stretch the least crosses."""
    stretch = -(-spans.last // most)
    starts = range(0, spans.last + 1, max(stretch, 1))
    stretches = [range(start, min(start + stretch, spans.last + 1)) for start in starts]
    return frozenset(min(each, key=lambda boundary: spans.crossing[boundary][0]) for each in stretches if each)
