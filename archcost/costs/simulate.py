"""One step played through time: which storage comes and goes when.

The rules are those of torch 2.13's eager mode. Backward runs operations in the reverse order of their creation
(torch/csrc/autograd/engine.cpp); when one is done, what it kept and the gradients that had arrived are let go, and
then its own gradients move on. Where several meet, they are added into the first if nobody else holds its storage and
it lies whole, else into a third tensor (`can_accumulate_inplace` in input_buffer.cpp).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archcost.costs.checkpoint_segments import Segment, recomputed
from archcost.costs.cpu_call import Call, Direction
from archcost.costs.cpu_kernels import allocates, own_memory
from archcost.costs.events import KernelRun, Tape
from archcost.costs.program import Give, Held, Op, Program
from archcost.tensors import TensorType
from archcost.terms.autograd import Handed, Own


class Arrived(NamedTuple):
    """A gradient on its way: its storage, and whether it is that, without gaps and without another hand on it."""

    storage: int
    whole: bool


@dataclass(slots=True)
class Player:
    """Plays parts of a step onto a tape. `out_of_place` adds gradients as torch does under a dispatch mode.

    `checkpoint` is what each checkpoint keeps for itself. `threads` are those of the CPU, whose kernels allocate for
    themselves; None on a GPU.
    """

    program: Program
    segments: Sequence[Segment] = ()
    out_of_place: bool = False
    checkpoint: Held | None = None
    threads: int | None = None
    tape: Tape = field(init=False)
    gradients: dict[int, int] = field(default_factory=dict[int, int])
    """By place, the storage of a parameter's gradient."""
    _arrived: dict[int, Arrived] = field(default_factory=dict[int, Arrived])
    _waits: dict[int, int] = field(default_factory=dict[int, int])
    _pending: dict[int, Sequence[int]] = field(default_factory=dict[int, Sequence[int]])
    """By operation what it keeps, until its backward is done."""
    _checkpoints: dict[Segment, list[int]] = field(default_factory=dict["Segment", list[int]])
    """What a checkpoint holds, until all that its segment keeps is let go."""
    _keepers: dict[Segment, set[int]] = field(default_factory=dict["Segment", set[int]])
    """Operations of the segment that keep something, as long as they do."""
    _within: dict[Segment, list[int]] = field(default_factory=dict["Segment", list[int]])
    """What lives as long as a checkpoint's own backward runs."""
    _own: dict[tuple[object, ...], int] = field(default_factory=dict[tuple[object, ...], int])
    """Bytes of kernels' own memory that were worked out before."""
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
        self.tape.mark("before", "")
        for storage in self.program.resident:
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

    def forward(self) -> None:
        """All operations, with what autograd keeps. What the network returns stays held."""
        tape, inside = self.tape, self._inside()
        for index, op in enumerate(self.program.ops):
            if self._outputs_before and op.name.startswith(
                "("
            ):  # the network has returned, and its outputs replace them
                self._let_go(self._outputs_before)
            tape.mark("forward", op.name, index)
            segment = inside.get(index) if inside else None
            if segment is None:
                if op.saved:
                    self._pending[index] = op.saved
                self._run(op, op.makes, op.outputs, op.saved, op.scratch.forward)
            else:
                if index == segment.first:
                    self._checkpoints[segment] = self._enter(segment)
                self._run(op, op.stays, op.outputs, (), op.dropped)
            for storage in op.outlives:
                tape.refs[storage] += 1
                self._with_loss.append(storage)
            tape.let_go(op.ends)
            if index in self._state_before:
                tape.let_go(self._state_before.pop(index))
            if index in self.program.forgotten:
                self._forget(index, inside)
            if segment is not None and index == segment.end - 1 and not (self._keepers[segment] or segment.reentrant):
                self._let_go(self._checkpoints.pop(segment, []))  # nothing will ask for it
        tape.let_go(self.program.cached)
        self._let_go(self._outputs_before)
        self._let_go(self._loss_before)

    def _forget(self, index: int, inside: Mapping[int, Segment]) -> None:
        """What no backward will come for any more."""
        for lost in self.program.forgotten[index]:
            self.tape.let_go(self._pending.pop(lost, ()))
            segment = inside.get(lost)
            if segment is not None and segment in self._checkpoints:
                self._leave(segment, lost)

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
            self._brief(op, scratch, "forward")
        for storage in makes:
            if cached and tape.copies.get(storage, storage) in cached:
                refs[storage] += 1
            elif refs[storage] == 0:
                tape.events.append(~storage)

    def _enter(self, segment: Segment) -> list[int]:
        for storage in segment.takes:
            self.tape.refs[storage] += 1
        own = [self.tape.new(self.checkpoint)] if self.checkpoint else []
        self._keepers[segment] = {index for index in range(segment.first, segment.end) if self.program.ops[index].saved}
        return [*segment.takes, *own]

    def backward(self) -> None:
        """From the loss to the parameters, whose gradients stay."""
        root = self.program.root
        if root is None:
            return
        last = self.program.ops[-1]
        self._waits = dict(self.program.waits)
        self.tape.mark("backward", last.name, len(self.program.ops) - 1)
        like = last.node.output_types[0]
        start = self.tape.new(Held(last.name, "temporaries", "gradient", like), 2)  # the caller of backward has it too
        self._arrived[root] = Arrived(start, True)
        inside, arrived = self._inside(), self._arrived
        for index in range(len(self.program.ops) - 1, -1, -1):
            op, segment = self.program.ops[index], inside.get(index) if inside else None
            arriving = {place: arrived.pop(place) for place in op.takes if place in arrived}
            if arriving:
                if segment is not None and segment.reentrant and segment not in self._within:
                    self._begin_within(segment, arriving)
                elif segment is not None and op.saved and index not in self._pending and not segment.reentrant:
                    self._recompute(segment)
                self._backward(index, op, arriving, segment)
            if segment is not None and segment.reentrant and index == segment.first:
                self._let_go(self._within.pop(segment, []))
                self._let_go(self._checkpoints.pop(segment, []))
        self.tape.release(start)

    def _begin_within(self, segment: Segment, arriving: Mapping[int, Arrived]) -> None:
        """All that arrived for what the segment puts out is held by who calls the backward within."""
        places = {place for op in self.program.ops[segment.first : segment.end] for place in op.takes}
        waiting = [self._arrived[place] for place in places if place in self._arrived]
        held = [gradient.storage for gradient in (*arriving.values(), *waiting)]
        for storage in held:
            self.tape.refs[storage] += 1
        self._within[segment] = [*held, *self._recompute(segment)]

    def _backward(self, index: int, op: Op, arriving: Mapping[int, Arrived], segment: Segment | None) -> None:
        tape, arrived, rules = self.tape, self._arrived, op.rules
        tape.mark("backward", op.name, index)
        given = self._in_parts(index, op, arriving) if rules.parts else {}
        direct = len(rules.gives) - rules.summed
        for number in range(direct):
            if number not in given:
                given[number] = self._give(op, number, arriving)
        self._passing(op, arriving)
        if segment is not None and not segment.reentrant:  # it hands out each tensor once, which goes with the function
            tape.let_go(self._pending.pop(index, ()))
        for number in range(direct, len(rules.gives)):
            given[number] = self._give(op, number, arriving)
        for storage, _ in arriving.values():
            tape.release(storage)
        if index in self._pending:
            tape.let_go(self._pending.pop(index))
        if segment is not None and segment in self._checkpoints and not segment.reentrant:
            self._leave(segment, index)
        added: list[int] = []
        for number, gradient in given.items():
            place = op.into[number]
            if place < 0 and place not in arrived:
                arrived[place] = gradient
            elif self._receive(place, rules.gives[number], gradient):
                added.append(gradient.storage)
        tape.let_go(added)

    def _passing(self, op: Op, arriving: Mapping[int, Arrived]) -> None:
        """What lives only while an operation's backward runs."""
        layer, extra, pieces = op.node.layer, op.scratch.backward, []
        if "copies pieces" in layer.quirks or self.threads is not None:
            pieces = self._pieces(op, arriving)
        if "copies pieces" in layer.quirks:
            extra += tuple([Own("gradient made whole", tensor) for tensor in pieces])
        if len(arriving) < len(op.takes):
            filled = [zeros for place, zeros in zip(op.takes, op.rules.zeros, strict=False) if place not in arriving]
            extra += tuple([Own("zeros for an output", zeros) for zeros in filled if zeros])
        if "puts gradient back" in layer.quirks and self.out_of_place and not op.is_copy:
            extra += (Own("copy of zeros", op.node.input_types[0]),)
        if extra or self.threads is not None:
            self._brief(op, extra, "backward", bool(pieces))

    def _in_parts(self, index: int, op: Op, arriving: Mapping[int, Arrived]) -> dict[int, Arrived]:
        """The gradients of an operation whose backward lets go of what it kept little by little, by their numbers."""
        given: dict[int, Arrived] = {}
        copies = self.tape.copies
        for part in op.rules.parts:
            given |= {number: self._give(op, number, arriving) for number in part.gives}
            self.tape.brief([Held(op.name, "temporaries", each.what, each.tensor) for each in part.scratch])
            kept, freed = self._pending.get(index, ()), {op.own[number] for number in part.frees}
            self._pending[index] = [each for each in kept if copies.get(each, each) not in freed]
            self.tape.let_go([each for each in kept if copies.get(each, each) in freed])
        return given

    def _pieces(self, op: Op, arriving: Mapping[int, Arrived]) -> list[TensorType]:
        """Of the outputs whose gradient arrives as a slice of a larger storage, or spread out from a smaller one."""
        outputs = () if op.is_copy else zip(op.takes, op.node.output_types, strict=True)
        given = [(arriving[place].storage, tensor) for place, tensor in outputs if place in arriving]
        return [tensor for storage, tensor in given if self.tape.storages[storage].tensor.numel != tensor.numel]

    def _give(self, op: Op, number: int, arriving: Mapping[int, Arrived]) -> Arrived:
        give = op.rules.gives[number]
        gradient = give.gradient
        if isinstance(gradient, Handed):
            handed = arriving[op.takes[gradient.output]]
            self.tape.refs[handed.storage] += 1
            return Arrived(handed.storage, False) if gradient.is_view else handed
        return Arrived(self.tape.new(self._gradient(op.into[number], gradient)), give.is_whole)

    def _gradient(self, place: int, tensor: TensorType) -> Held:
        if place < 0:
            return Held(self.program.makers[~place], "temporaries", "gradient", tensor)
        weight, stays = self.program.storages[place], place in self.program.parameters and place not in self.gradients
        return Held(weight.owner, "gradients" if stays else "temporaries", f"gradient of {weight.what}", tensor)

    def _receive(self, place: int, give: Give, gradient: Arrived) -> bool:
        """At a place where others may have arrived; a parameter's is done when all have.

        Whether it was added to others: the engine lets go of such only when it has handed out all of an operation's.
        """
        tape = self.tape
        first = self._arrived.get(place)
        if first is None:
            self._arrived[place] = gradient
        elif first.whole and tape.refs[first.storage] == 1 and not self.out_of_place:
            tape.is_part(gradient.storage)
        else:
            tape.is_part(first.storage)
            tape.is_part(gradient.storage)
            self._arrived[place] = Arrived(tape.new(self._gradient(place, give.like)), True)
            tape.release(first.storage)
        if place not in self.program.parameters:
            return first is not None
        self._waits[place] -= 1
        if self._waits[place] == 0:
            storage = self._stays(give, place, self._arrived.pop(place))
            if self.gradients.setdefault(place, storage) != storage:  # added to that of the micro-batch before
                tape.release(storage)
        return first is not None

    def _stays(self, give: Give, place: int, gradient: Arrived) -> int:
        """A parameter's gradient: what arrived, or a copy where others have it too, its values are spread out from
        fewer or lie in another order (accumulate_grad.h); another view is taken as it is, with all it is a view of.
        """
        storage = gradient.storage
        is_own = not isinstance(give.gradient, Handed) and not give.is_turned
        if is_own or place in self.gradients:  # which it is added to
            return storage
        arrived = self.tape.storages[storage].tensor
        held = self._gradient(place, give.like if arrived.numel < give.like.numel else arrived)
        if give.is_turned or held.tensor != arrived or (gradient.whole and self.tape.refs[storage] > 1):
            self.tape.is_part(storage)
            copy = self.tape.new(held)
            self.tape.release(storage)
            return copy
        self.tape.storages[storage] = held
        return storage

    def _recompute(self, segment: Segment) -> list[int]:
        """The forward of a segment once more, until all is kept again. What a reentrant one puts out stays."""
        again: dict[int, int] = {}
        held: Counter[int] = Counter()
        before = [self.tape.new(self.checkpoint)] if self.checkpoint else []  # to be put back afterwards
        runs_again = recomputed(self.program.ops, segment)
        for index, runs in runs_again:
            op = self.program.ops[index]
            self.tape.mark("recompute", op.name, index)
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
            held.update(outputs)
            held.update([copy for copy in makes if self.tape.copies[copy] in self.program.cached])
            for storage in op.ends:
                number = again.get(storage, storage)
                if held[number] > 0:  # what came from before the segment is not the segment's to drop
                    held[number] -= 1
                    self.tape.release(number)
        if segment.reentrant:
            return [*held.elements(), *before]
        self._let_go([*held.elements(), *before])
        return []

    def optimize(self, bursts: Iterable[tuple[str, Sequence[Held]]]) -> None:
        """The optimizer's step: what lives together, by the name of what is worked on."""
        for name, held in bursts:
            self.tape.mark("optimizer", name)
            self.tape.brief(held)

    def _leave(self, segment: Segment, index: int) -> None:
        """The last operation that lets go of what it kept lets go of the checkpoint."""
        self._keepers[segment].discard(index)
        if not self._keepers[segment]:
            self._let_go(self._checkpoints.pop(segment))

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
        waiting = (*self._pending.values(), *self._checkpoints.values(), self._with_loss)
        left = [storage for kept in waiting for storage in kept]
        self._pending.clear()
        self._checkpoints.clear()
        self._with_loss.clear()
        return left

    def finish(self) -> None:
        """Gradients go, and what the step's function held."""
        self.tape.mark("after", "")
        self._let_go([*self.gradients.values(), *self.program.returned, *self._left()])
        self.gradients.clear()

    def _let_go(self, storages: list[int]) -> None:
        """Of all in a list, which is empty then."""
        self.tape.let_go(storages)
        storages.clear()

    def _brief(self, op: Op, own: Sequence[Own], direction: Direction, pieced: bool = False) -> None:
        """What lives only while the operation runs, its kernels' own memory beside it."""
        tape = self.tape
        numbers = [tape.new(Held(op.name, "temporaries", each.what, each.tensor)) for each in own]
        if self.threads is not None and not op.is_copy and allocates(op.node.layer, direction):
            facts = op.node.facts
            call = Call(op.node.layer, facts.input_types, facts.output_types, op.operands, self.threads, pieced)
            tensor = TensorType((self._own_memory(call, direction),), "uint8")
            numbers.append(tape.new(Held(op.name, "workspace", "the kernel's own", tensor)))
            tape.kernels[numbers[-1]] = KernelRun(call, direction)
        tape.events += [~number for number in numbers]

    def _own_memory(self, call: Call, direction: Direction) -> int:
        key = (id(call.layer), call.inputs, call.needs, direction, call.pieced)
        if key not in self._own:
            self._own[key] = own_memory(call, direction)
        return self._own[key]
