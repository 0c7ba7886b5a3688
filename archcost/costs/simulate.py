"""One step played through time: which storage comes and goes when.

The rules are those of torch 2.13's eager mode. Backward runs operations in the reverse order of their creation
(torch/csrc/autograd/engine.cpp); when one is done, what it kept and the gradients that had arrived are let go, and
then its own gradients move on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from archcost.costs.checkpoint_segments import Segment, recomputed
from archcost.costs.events import Tape
from archcost.costs.gradient_sums import Arrived, Gradients
from archcost.costs.held_checkpoints import HeldCheckpoints
from archcost.costs.off_card import Activations, OffCard, Weights
from archcost.costs.program import Held, Op, Program
from archcost.costs.temporaries import Temporaries
from archcost.passes.offload import Part
from archcost.terms.autograd import Own

Burst = tuple[str, Sequence[Held]]
"""A part of the optimizer's step, and what lives together in it."""


@dataclass(slots=True)
class Player:
    """Plays parts of a step onto a tape. `out_of_place` adds gradients as torch does under a dispatch mode.

    `checkpoint` is what each checkpoint keeps for itself. `threads` are those of the CPU, whose kernels allocate for
    themselves; None on a GPU. `update` is the optimizer's step for a parameter, by its number, where it steps in
    backward, and None of one whose gradient stays. `off_card` takes what is offloaded: `parts` of the step.
    """

    program: Program
    segments: Sequence[Segment] = ()
    out_of_place: bool = False
    checkpoint: Held | None = None
    threads: int | None = None
    update: Callable[[int], Iterable[Burst] | None] | None = None
    parts: Collection[Part] = ()
    off_card: OffCard = field(default_factory=OffCard)
    tape: Tape = field(init=False)
    _gradients: Gradients = field(init=False)
    _temporaries: Temporaries = field(init=False)
    _checkpoints: HeldCheckpoints = field(init=False)
    _activations: Activations | None = None
    _weights: Weights | None = None
    _pending: dict[int, Sequence[int]] = field(default_factory=dict[int, Sequence[int]])
    """By operation what it keeps, until its backward is done."""
    _within: dict[Segment, list[int]] = field(default_factory=dict["Segment", list[int]])
    """What lives as long as a checkpoint's own backward runs."""
    _outputs_before: list[int] = field(default_factory=list[int])
    """Of the micro-batch before, what the caller still holds: the network's outputs."""
    _loss_before: list[int] = field(default_factory=list[int])
    """And its loss."""
    _state_before: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """By operation, what the module has kept since the step before, until this operation has made another."""
    _with_loss: list[int] = field(default_factory=list[int])
    """What stays until the loss goes, whatever backward has done."""

    def __post_init__(self) -> None:
        storages = list(self.program.storages)
        self.tape = Tape(storages, [0] * len(storages))
        self._gradients = Gradients(self.program, self.tape, self.out_of_place)
        self._gradients.is_used_at_once = self.update is not None
        self._temporaries = Temporaries(self.tape, self.threads)
        self._checkpoints = HeldCheckpoints(self.program.ops, self.tape, self.checkpoint)
        if "activations" in self.parts:
            self._activations = Activations(self.program, self.tape, self.off_card)
        if "weights" in self.parts:
            self._weights = Weights(self.program, self.tape, self.off_card)
        away = self._weights.all if self._weights else ()
        self.tape.mark("before", "")
        for storage in self.program.resident:
            if storage not in away:
                self.tape.refs[storage] = 1
                self.tape.events.append(storage)
        self._keep_state()

    def _keep_state(self) -> None:
        """What the next forward will replace."""
        for index, storages in self.program.state.items():
            self._state_before[index] = [self._before(storage) for storage in storages]

    def _before(self, storage: int) -> int:
        """The storage of that number as the pass before has left it, still alive."""
        copy = self.tape.again(storage)
        self.tape.refs[copy] = 1
        self.tape.events.append(copy)
        return copy

    def keep(self, held: Iterable[Held]) -> None:
        """There before the step, and after it."""
        self.tape.come(held)

    def keep_gradients(self) -> None:
        """Those of all parameters are there before the step, and after it."""
        self._gradients.are_there()

    def forward(self) -> None:
        """All operations, with what autograd keeps. What the network returns stays held."""
        tape, inside, weights = self.tape, self._inside(), self._weights
        following = weights.next_of(range(len(self.program.ops))) if weights else {}
        for index, op in enumerate(self.program.ops):
            if self._outputs_before and op.name.startswith(
                "("
            ):  # the network has returned, and its outputs replace them
                self._let_go(self._outputs_before)
            tape.mark("forward", op.name, index)
            segment = inside.get(index) if inside else None
            if weights:
                weights.begin(index, following.get(index))
            if segment is None:
                saved = op.saved
                if saved:
                    saved = self._pending[index] = self._activations.keep(index, op) if self._activations else saved
                self._run(op, op.makes, op.outputs, saved, op.scratch.forward)
            else:
                if index == segment.first:
                    self._checkpoints.enter(segment, self._activations)
                self._run(op, op.stays, op.outputs, (), self.program.dropped(op))
            if weights:
                weights.end(index, following.get(index))
            for storage in op.outlives:
                tape.refs[storage] += 1
                self._with_loss.append(storage)
            tape.let_go(op.ends)
            if index in self._state_before:
                tape.let_go(self._state_before.pop(index))
            if index in self.program.used_up:
                tape.let_go(self.program.used_up[index])
            if index in self.program.forgotten:
                self._forget(index, inside)
            if segment is not None and index == segment.end - 1:
                self._checkpoints.end(segment)
        tape.let_go(self.program.cached)
        self._let_go(self._outputs_before)
        self._let_go(self._loss_before)

    def _forget(self, index: int, inside: Mapping[int, Segment]) -> None:
        """What no backward will come for any more."""
        for lost in self.program.forgotten[index]:
            self.tape.let_go(self._pending.pop(lost, ()))
            if self._activations:
                self._activations.forget(lost)
            if (segment := inside.get(lost)) is not None:
                self._checkpoints.leave(segment, lost)

    def _inside(self) -> dict[int, Segment]:
        """By operation, the segment that it is in."""
        return {index: segment for segment in self.segments for index in range(segment.first, segment.end)}

    def _run(
        self, op: Op, makes: Sequence[int], outputs: Sequence[int], saved: Sequence[int], scratch: Sequence[Own]
    ) -> None:
        """Make the operation's storages, hold them for those who will read and keep them, and drop the others."""
        tape, refs, cached = self.tape, self.tape.refs, self.program.cached
        tape.events += makes
        for storage in outputs:
            refs[storage] += 1
        for storage in saved:
            refs[storage] += 1
        if scratch or self.threads is not None:
            self._temporaries.brief(op, scratch, "forward")
        for storage in makes:
            if cached and tape.copies.get(storage, storage) in cached:
                refs[storage] += 1
            elif refs[storage] == 0:
                tape.events.append(~storage)

    def backward(self) -> None:
        """From the loss to the parameters, whose gradients stay."""
        root = self.program.root
        if root is None:
            return
        first = next(index for index, op in enumerate(self.program.ops) if root in op.takes)
        op = self.program.ops[first]
        self.tape.mark("backward", op.name, first)
        like = op.node.output_types[op.takes.index(root)]
        start = self.tape.new(Held(op.name, "temporaries", "gradient", like), 2)  # the caller of backward has it too
        self._gradients.begin(root, start)
        inside, arrived, weights = self._inside(), self._gradients.arrived, self._weights
        reached = {root, *(place for op in self.program.ops for place in op.into)}
        runs = [index for index in range(first, -1, -1) if not reached.isdisjoint(self.program.ops[index].takes)]
        before = weights.next_of(runs) if weights else {}
        for index in range(first, -1, -1):
            op, segment = self.program.ops[index], inside.get(index) if inside else None
            arriving = {place: arrived.pop(place) for place in op.takes if place in arrived}
            if arriving:
                if segment is not None and segment.reentrant and segment not in self._within:
                    self._begin_within(segment, arriving)
                elif segment is not None and op.saved and index not in self._pending and not segment.reentrant:
                    self._recompute(segment)
                after = before.get(index)
                after = after if after is not None and inside.get(after) is segment else None
                if weights:
                    self.tape.mark("backward", op.name, index)
                    weights.begin(index, after)
                self._backward(index, op, arriving, segment)
                if weights:
                    weights.end(index, after)
            if segment is not None and segment.reentrant and index == segment.first:
                self._let_go(self._within.pop(segment, []))
                self._checkpoints.let_go(segment)
        if weights:
            weights.all_gone()
        self.tape.release(start)

    def _begin_within(self, segment: Segment, arriving: Mapping[int, Arrived]) -> None:
        """All that arrived for what the segment puts out is held by who calls the backward within."""
        places = {place for op in self.program.ops[segment.first : segment.end] for place in op.takes}
        arrived = self._gradients.arrived
        waiting = [arrived[place] for place in places if place in arrived]
        held = [gradient.storage for gradient in (*arriving.values(), *waiting)]
        for storage in held:
            self.tape.refs[storage] += 1
        self._within[segment] = [*held, *self._recompute(segment)]

    def _backward(self, index: int, op: Op, arriving: Mapping[int, Arrived], segment: Segment | None) -> None:
        tape, rules, give = self.tape, op.rules, self._gradients.give
        tape.mark("backward", op.name, index)
        back = self._activations.bring(index) if self._activations else ()
        given = self._in_parts(index, op, arriving) if rules.parts else {}
        direct = len(rules.gives) - rules.summed
        kept = self._own(index, op) if any(each.ready is not None for each in rules.gives) else ()
        for number in range(direct):
            if number not in given:
                given[number] = give(op, number, arriving, kept)
        self._passing(op, arriving)
        tape.let_go(back)
        if segment is not None and not segment.reentrant:  # it hands out each tensor once, which goes with the function
            tape.let_go(self._pending.pop(index, ()))
        for number in range(direct, len(rules.gives)):
            given[number] = give(op, number, arriving, kept)
        for storage, _ in arriving.values():
            tape.release(storage)
        if index in self._pending:
            tape.let_go(self._pending.pop(index))
        if segment is not None and not segment.reentrant:
            self._checkpoints.leave(segment, index)
        if self.update is None:
            self._gradients.hand_on(op, given)
        else:
            self._gradients.use_at_once(op, given, lambda place: self._use(place, index))

    def _use(self, place: int, index: int) -> bool:
        """A gradient that is complete; whether it goes then."""
        bursts = self.update(place) if self.update else None
        if bursts is not None:
            self.optimize(bursts, index)
        return bursts is not None

    def _own(self, index: int, op: Op) -> list[int]:
        """What it keeps of its own, in the order of its rules: itself, or as it was computed again."""
        copies = self.tape.copies
        alive = {copies.get(each, each): each for each in self._pending.get(index, ())}
        return [alive[each] for each in op.own]

    def _passing(self, op: Op, arriving: Mapping[int, Arrived]) -> None:
        """What lives only while an operation's backward runs."""
        layer, extra, pieces = op.node.layer, op.scratch.backward, []
        if self.out_of_place:
            extra = layer.watched(op.rules.call) or extra
        copies = layer.copies_pieces(op.rules.call) and not op.is_copy
        if copies or self.threads is not None:
            pieces = self._gradients.pieces(op, arriving)
        if copies:
            extra += tuple([Own("gradient made whole", tensor) for tensor in pieces])
        if len(arriving) < len(op.takes):
            filled = [zeros for place, zeros in zip(op.takes, op.rules.zeros, strict=False) if place not in arriving]
            extra += tuple([Own("zeros for an output", zeros) for zeros in filled if zeros])
        if "puts gradient back" in layer.quirks and self.out_of_place and not op.is_copy:
            extra += (Own("copy of zeros", op.node.input_types[0]),)
        if extra or self.threads is not None:
            self._temporaries.brief(op, extra, "backward", bool(pieces))

    def _in_parts(self, index: int, op: Op, arriving: Mapping[int, Arrived]) -> dict[int, Arrived]:
        """The gradients of an operation whose backward lets go of what it kept little by little, by their numbers."""
        given: dict[int, Arrived] = {}
        copies = self.tape.copies
        for part in op.rules.parts:
            given |= {number: self._gradients.give(op, number, arriving) for number in part.gives}
            self.tape.brief([Held(op.name, "temporaries", each.what, each.tensor) for each in part.scratch])
            kept, freed = self._pending.get(index, ()), {op.own[number] for number in part.frees}
            self._pending[index] = [each for each in kept if copies.get(each, each) not in freed]
            self.tape.let_go([each for each in kept if copies.get(each, each) in freed])
        return given

    def _recompute(self, segment: Segment) -> list[int]:
        """The forward of a segment once more, until all is kept again. What a reentrant one puts out stays."""
        again = self._activations.bring_into(segment) if self._activations else {}
        taken = [*again.values()]
        held: Counter[int] = Counter()
        before = [self.tape.new(self.checkpoint)] if self.checkpoint else []  # to be put back afterwards
        runs_again = recomputed(self.program.ops, segment)
        weights = self._weights
        following = weights.next_of([index for index, _ in runs_again]) if weights else {}
        for index, runs in runs_again:
            op = self.program.ops[index]
            self.tape.mark("recompute", op.name, index)
            if weights and runs:
                weights.begin(index, following.get(index))
            if runs:
                again.update({storage: self.tape.again(storage) for storage in op.makes})
            kept = () if index in self.program.lost else op.saved
            makes, outputs, saved = ([again.get(s, s) for s in numbers] for numbers in (op.makes, op.outputs, kept))
            if saved:
                self._pending[index] = saved
            if not runs:
                for storage in saved:
                    self.tape.refs[storage] += 1
                break
            if (
                index == runs_again[-1][0] and "stops early" in op.node.layer.quirks and not segment.reentrant
            ):  # stopped before it has a result
                makes = [again[storage] for storage in op.makes if storage not in op.stays]
                outputs = []
            self._run(op, makes, outputs, saved, op.scratch.forward)
            if weights:
                weights.end(index, following.get(index))
            held.update(outputs)
            held.update([copy for copy in makes if self.tape.copies[copy] in self.program.cached])
            for storage in op.ends:
                number = again.get(storage, storage)
                if held[number] > 0:  # what came from before the segment is not the segment's to drop
                    held[number] -= 1
                    self.tape.release(number)
        if segment.reentrant:
            return [*held.elements(), *before, *taken]
        self._let_go([*held.elements(), *before, *taken])
        return []

    def optimize(self, bursts: Iterable[Burst], within: int | None = None) -> None:
        """The optimizer's step: what lives together, by the name of what is worked on; `within` an operation's
        backward, where it has one.
        """
        for name, held in bursts:
            self.tape.mark("optimizer", name, within)
            self.tape.brief(held)

    def next_micro_batch(self) -> None:
        """The caller's names still hold what the network returned, and through it what no backward has let go of,
        until the next pass replaces them.
        """
        last = self.program.ops[-1]
        loss = set(last.outputs if last.name.startswith("(") else ())
        for storage in (*self.program.returned, *self._left()):
            self.tape.release(storage)
            if self.tape.refs[storage] == 0:
                (self._loss_before if storage in loss else self._outputs_before).append(self._before(storage))
        for storages in self.program.state.values():
            for storage in storages:
                self.tape.release(storage)
        self._keep_state()

    def _left(self) -> list[int]:
        """What is still kept for a backward that did not come."""
        kept = (*self._pending.values(), self._checkpoints.left(), self._with_loss)
        left = [storage for storages in kept for storage in storages]
        if self._activations:
            self._activations.left()
        self._pending.clear()
        self._with_loss.clear()
        return left

    def finish(self) -> None:
        """Gradients go, and what the step's function held."""
        self.tape.mark("after", "")
        self._let_go([*self._gradients.dropped(), *self.program.returned, *self._left()])

    def _let_go(self, storages: list[int]) -> None:
        """Of all in a list, which is empty then."""
        self.tape.let_go(storages)
        storages.clear()
