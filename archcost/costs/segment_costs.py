"""What it takes to checkpoint any layers that follow one another: the memory of every moment, and the work.

At any moment there live tensors that no checkpoint changes (weights, gradients on their way, what forward has yet to
read) and tensors that are held for backward. The first are heard from a step played with nothing held; the second are
unions of storages, and those are what `Spans` works out, with the rules of `play`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from archcost.costs.checkpoint_growth import NOTHING, Backward, Growing, Grown, OpCosts, Span
from archcost.costs.checkpoint_segments import Segment
from archcost.costs.events import Mark, Tape, by_mark
from archcost.costs.program import Op, Program
from archcost.costs.recompute import layer_of
from archcost.passes.recompute import overwrites

Play = Callable[[Program, Sequence[Segment]], Tape]
"""One step of a program, segments of it computed again."""


class Spans:
    """Of a program, whose layers `names` may be checkpointed. `floor` is the most that lives outside of both passes."""

    def __init__(self, written: Program, play: Play, names: frozenset[str]) -> None:
        self.ops = written.ops
        self.cached = written.cached
        self.sizes = [held.tensor.nbytes for held in written.storages]
        self._listen(written, play)
        self._always = {*written.resident, *written.returned}
        for index, op in enumerate(self.ops):
            self._always.update(op.saved if index not in self.backward else ())
        self.saved = [op.saved if index in self.backward else () for index, op in enumerate(self.ops)]
        self.held = [0 if storage in self._always else nbytes for storage, nbytes in enumerate(self.sizes)]
        """The bytes that it costs to hold a storage."""
        self.made = {storage: index for index, op in enumerate(self.ops) for storage in op.makes}
        self.overwritten = {op.outputs[0]: index for index, op in enumerate(self.ops) if overwrites(op.node)}
        self.ended = self._ends()
        self.names: list[str] = []
        self.begins: list[int] = []
        """The first operation of each layer, and the end: the boundaries."""
        for index, op in enumerate(self.ops):
            if not self.names or layer_of(op) != self.names[-1]:
                self.names.append(layer_of(op))
                self.begins.append(index)
        self.begins.append(len(self.ops))
        self.last = sum(name in names for name in self.names)
        """The last boundary that a checkpoint may reach."""
        self.crossing = self._crossing()
        self._op_costs = [self._costs_of(index) for index in range(len(self.ops))]
        self._plain: dict[int, Span] = {}
        self._grown: dict[int, tuple[list[Grown], Iterator[Grown]]] = {}
        """By boundary the checkpoints that begin there, as far as somebody has asked."""

    def cost(self, storages: frozenset[int]) -> int:
        """Bytes that it costs to hold them."""
        return sum([self.held[storage] for storage in storages]) if storages else 0

    def _listen(self, written: Program, play: Play) -> None:
        """Play it with nothing held: as written, and under one checkpoint for what forward does within one."""
        reached = {mark.op for mark in play(written, ()).marks if mark.phase == "backward"}
        bare = tuple([_bare(op) if index in reached else op for index, op in enumerate(self.ops)])
        count = len(self.ops)
        self.floor = 0
        self.forward, self.forward_inside = [0] * count, [0] * count
        self.backward: dict[int, Backward] = {}
        tape = play(replace(written, ops=bare), ())
        for mark, live, events in _moments(tape):
            if mark.op is None:
                self.floor = max(self.floor, live + rise(tape, events))
            elif mark.phase == "forward":
                self.forward[mark.op] = max(self.forward[mark.op], live + rise(tape, events))
            else:
                moment = _backward(tape, bare[mark.op], live, events)
                known = self.backward.get(mark.op, Backward())
                self.backward[mark.op] = Backward(*map(max, known, moment))
        self.least_before = min([moment.before for moment in self.backward.values()], default=0)
        tape = play(replace(written, ops=bare), (Segment(0, count, ()),))
        for mark, live, events in _moments(tape):
            if mark.op is not None and mark.phase == "forward":
                most = live + rise(tape, events)
                self.forward_inside[mark.op] = max(self.forward_inside[mark.op], most)

    def _ends(self) -> list[list[int]]:
        """What forward loses hold of at each operation. Casts of weights stay to its end."""
        hands: dict[int, int] = {}
        ended: list[list[int]] = [[] for _ in self.ops]
        for index, op in enumerate(self.ops):
            for storage in op.outputs:
                hands[storage] = hands.get(storage, 0) + 1
            for storage in op.ends:
                hands[storage] -= 1
            left = dict.fromkeys((*op.makes, *op.ends))
            ended[index] = [s for s in left if not hands.get(s) and s not in self.cached and s not in self._always]
        return ended

    def _crossing(self) -> list[tuple[int, frozenset[int]]]:
        """At each boundary: bytes that forward has alive, and those of its storages that somebody may yet hold."""
        asked = {s: index for index, op in enumerate(self.ops) for s in (*op.reads, *self.saved[index])}
        alive: dict[int, None] = {}
        crossing = [(0, NOTHING)]
        for begin, end in zip(self.begins, self.begins[1:], strict=False):
            for index in range(begin, end):
                alive.update(dict.fromkeys(s for s in self.ops[index].makes if self.held[s]))
                for storage in self.ended[index]:
                    alive.pop(storage, None)
            crossing.append(
                (sum([self.held[s] for s in alive]), frozenset([s for s in alive if asked.get(s, -1) >= end]))
            )
        return crossing

    def plain(self, first: int) -> Span:
        """The layer at that boundary, keeping what it keeps."""
        if first not in self._plain:
            self._plain[first] = self._kept_as_it_is(first)
        return self._plain[first]

    def _kept_as_it_is(self, first: int) -> Span:
        begin, end = self.begins[first], self.begins[first + 1]
        kept = frozenset([s for index in range(begin, end) for s in self.saved[index] if self.held[s]])
        takes = frozenset([s for s in kept if self.made[s] < begin])
        gone = frozenset([s for index in range(begin, end) for s in self.ended[index]])
        made = frozenset([s for op in self.ops[begin:end] for s in op.makes])
        moments = [self.backward.get(index, Backward()) for index in range(begin, end)]
        own = self.cost(kept - takes)
        return Span(
            first + 1,
            False,
            0,
            takes,
            kept - takes,
            own,
            gone - made,
            self.cost((made - gone) | (kept - takes)),
            max(self.forward[begin:end]) - self.crossing[first][0],
            own + max(moments[-1].function, moments[-1].sums),
            max(moments[-1].handing, *[max(moment) for moment in moments[:-1]], 0),
        )

    def checkpoints(self, first: int, most: int, work: int) -> Iterator[Span]:
        """Of the layers from that boundary on, as long as their backward alone needs no more than `most`, and they no
        more than `work` FLOPs.
        """
        if first not in self._grown:
            self._grown[first] = [], self._grow(first)
        known, growing = self._grown[first]
        for grown in chain(known, _noting(growing, known)):
            if grown.needs > most or grown.flops > work:
                return
            if grown.span is not None and grown.span.backward <= most:
                yield grown.span

    def _grow(self, first: int) -> Iterator[Grown]:
        before = self.crossing[first][0]
        growing = Growing(self.begins[first], before, self.least_before, self.overwritten, self.backward)
        for end in range(first + 1, self.last + 1):
            for index in range(self.begins[end - 1], self.begins[end]):
                if not growing.add(index, self._op_costs[index]):
                    return
            yield Grown(growing.needs, growing.flops, growing.span(end, self.begins[end]))

    def _costs_of(self, index: int) -> OpCosts:
        op, sizes, made, held = self.ops[index], self.sizes, self.made, self.held
        scratch = sum([own.tensor.nbytes for own in op.scratch.forward])
        comes = sum([sizes[s] for s in op.makes])
        stopped = sum([sizes[s] for s in op.stays]) if "stops early" in op.node.layer.quirks else comes
        flops = op.forward_flops
        return OpCosts(
            made.get(op.outputs[0], -1) if overwrites(op.node) else len(self.ops),
            tuple([(s, made.get(s, -1)) for s in dict.fromkeys(op.reads) if held[s]]),
            comes,
            comes + scratch,
            stopped + scratch if op.runs_to_save else 0,
            sum([held[s] for s in op.makes]),
            bool(op.saved),
            tuple([(s, made.get(s, -1), sizes[s]) for s in self.saved[index]]),
            tuple([(s, made[s], held[s], sizes[s]) for s in self.ended[index]]),
            flops,
            flops if op.runs_to_save else 0,
            op.runs_to_save,
            self.forward_inside[index],
            self.backward.get(index),
        )


def _noting(growing: Iterator[Grown], known: list[Grown]) -> Iterator[Grown]:
    for grown in growing:
        known.append(grown)
        yield grown


def _bare(op: Op) -> Op:
    """Keeping nothing. Gradients that forward has worked out, and keeps, are then made in backward: a moment of it is
    told with them twice.
    """
    if all(give.ready is None for give in op.gives):
        return op._replace(saved=())
    gives = tuple([give._replace(ready=None) for give in op.gives])
    return op._replace(saved=(), rules=op.rules._replace(gives=gives))


def _moments(tape: Tape) -> Iterator[tuple[Mark, int, Sequence[int]]]:
    """Each with the bytes that live as it begins, and its events."""
    live = 0
    for mark, events in by_mark(tape.marks, tape.events):
        yield mark, live, events
        live += sum([_change(tape, event) for event in events])


def _change(tape: Tape, event: int) -> int:
    held = tape.storages[event if event >= 0 else ~event]
    nbytes = 0 if held.role == "workspace" else held.tensor.nbytes
    return nbytes if event >= 0 else -nbytes


def rise(tape: Tape, events: Sequence[int] | None = None) -> int:
    """By how many bytes of tensors events raise what lives, at most; all of them, from nothing."""
    live = most = 0
    for event in tape.events if events is None else events:
        live += _change(tape, event)
        most = max(most, live)
    return most


def _backward(tape: Tape, op: Op, live: int, events: Sequence[int]) -> Backward:
    """Its moments apart, by the order in which `play` makes things: the function's gradients, what it needs for itself
    and drops at once, sums, and what meets others.
    """
    made = [give.is_summed for give in op.gives if give.is_new]
    gradients = made.count(False)
    own = gradients
    while own < len(events) and events[own] >= 0:
        own += 1
    drops = gradients < own < len(events) and events[own] == ~events[gradients]
    function = 2 * own - gradients if drops else gradients
    before, most, sums = live, [live, 0, 0], made.count(True)
    for index, event in enumerate(events):
        live += _change(tape, event)
        if event < 0:
            continue
        stage = 0 if index < function else 1 if sums else 2
        sums -= stage == 1
        most[stage] = max(most[stage], live)
    return Backward(before, *most)
