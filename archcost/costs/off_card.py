"""What a step keeps off the card while it is played: activations that come back one by one, weights layer by layer.

Activations move as `torch.autograd.graph.save_on_cpu` moves them, and torchtune's and TRL's offloading: what an
operation of the network keeps is copied when it is kept, each time anew, and comes back when its backward runs. Of a
checkpoint it is what goes into it. Weights, views of them, buffers, what is smaller than 1,024 bytes and what the loss
keeps stay. Copies are there at once, and what was copied lives no longer than its last reader: streams hold on to some.

Weights come before the layer that works on them and go behind it, forward, again in backward, and where it is computed
again; the next layer's are fetched meanwhile, so that those of two layers are there (DeepSpeed's ZeRO-3; accelerate
fetches one). A weight that a layer hands out as its output stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from archcost.costs.checkpoint_segments import Segment
from archcost.costs.events import Tape
from archcost.costs.program import Held, Op, Program
from archcost.passes.offload import Part
from archcost.tensors import TensorType

LEAST_OFFLOADED = 1024
"""Bytes of an activation that is worth its way (`min_offload_size` of torchtune's OffloadActivations)."""


class Move(NamedTuple):
    """A tensor's way over the link."""

    part: Part
    to: Literal["host", "card"]
    tensor: TensorType


@dataclass(slots=True)
class OffCard:
    """What comes and goes off the card: an event is the number of a tensor there, or ~number of one that goes."""

    held: list[Held] = field(default_factory=list[Held])
    events: list[int] = field(default_factory=list[int])
    moves: list[Move] = field(default_factory=list[Move])

    def take(self, held: Held) -> int:
        self.held.append(held)
        self.events.append(len(self.held) - 1)
        self.moves.append(Move("activations", "host", held.tensor))
        return len(self.held) - 1

    def drop(self, numbers: Iterable[int]) -> None:
        self.events += [~number for number in numbers]


class Activations:
    """Those of a step that is played onto a tape."""

    def __init__(self, program: Program, tape: Tape, off_card: OffCard) -> None:
        self.program, self.tape, self.off_card = program, tape, off_card
        self.of_ops: dict[int, list[int]] = {}
        """By operation, the tensors off the card that its backward will ask for."""
        self.of_segments: dict[Segment, dict[int, int]] = {}
        """By checkpoint, those by the storages on the card that it takes."""

    def keep(self, index: int, op: Op) -> tuple[int, ...]:
        """What an operation keeps, moved; the storages that stay: all of a loss, and gradients made in forward."""
        if op.name.startswith("(") or any(give.ready is not None for give in op.rules.gives):
            return op.saved
        packed, stay = self._packed(op)
        if packed:
            self.of_ops[index] = [self.off_card.take(held) for held in packed]
        return stay

    def _packed(self, op: Op) -> tuple[list[Held], tuple[int, ...]]:
        """Of what an operation keeps, the tensors that move, as the operation has them, and the storages that stay."""
        stays: set[int] = set()
        packed: list[Held] = []
        for storage, tensor in self._kept(op):
            held = self.program.storages[storage]
            if not self._moves(storage, tensor.nbytes) or storage in op.outlives:
                stays.add(storage)
            else:
                packed.append(held._replace(role="activations", tensor=tensor))
        return packed, tuple([storage for storage in op.saved if storage in stays])

    def _kept(self, op: Op) -> Iterator[tuple[int, TensorType]]:
        """The storages that an operation keeps, each with the tensor that it has there, which may be a view."""
        weights = [self.program.storages[each].tensor for each in op.weights]
        numbers = (*op.inputs, *op.weights, *op.makes, *op.outputs)
        types = (*op.node.input_types, *weights, *(made.tensor for made in op.rules.makes), *op.node.output_types)
        return ((numbers[each], types[each]) for each in op.rules.saved)

    def _moves(self, storage: int, nbytes: int) -> bool:
        return nbytes >= LEAST_OFFLOADED and self.program.storages[storage].role not in ("weights", "buffers")

    def bring(self, index: int) -> list[int]:
        """What the backward of an operation asks for, back on the card."""
        numbers = self.of_ops.pop(index, [])
        held = [self.off_card.held[number] for number in numbers]
        self.off_card.moves += [Move("activations", "card", each.tensor) for each in held]
        self.off_card.drop(numbers)
        return list(self.tape.come(held))

    def enter(self, segment: Segment) -> tuple[int, ...]:
        """What a checkpoint takes, moved; the storages that it holds as they are."""
        storages = self.program.storages
        moved = [each for each in segment.takes if self._moves(each, storages[each].nbytes)]
        self.of_segments[segment] = {each: self.off_card.take(storages[each]) for each in moved}
        return tuple([each for each in segment.takes if each not in moved])

    def bring_into(self, segment: Segment) -> dict[int, int]:
        """What a checkpoint took, back on the card: by the storage that it was the one that it is now."""
        numbers = self.of_segments.pop(segment, {})
        again: dict[int, int] = {}
        for storage, number in numbers.items():
            again[storage] = self.tape.again(storage)
            self.tape.refs[again[storage]] = 1
            self.tape.events.append(again[storage])
            self.off_card.moves.append(Move("activations", "card", self.off_card.held[number].tensor))
        self.off_card.drop(numbers.values())
        return again

    def forget(self, index: int) -> None:
        """No backward will come for it."""
        self.off_card.drop(self.of_ops.pop(index, []))

    def left(self) -> None:
        """What is still there for a backward that did not come goes."""
        for numbers in self.of_ops.values():
            self.off_card.drop(numbers)
        for taken in self.of_segments.values():
            self.off_card.drop(taken.values())
        self.of_ops.clear()
        self.of_segments.clear()


class Weights:
    """Those that are fetched for the layer that works on them, of a step that is played onto a tape."""

    def __init__(self, program: Program, tape: Tape, off_card: OffCard) -> None:
        self.tape, self.off_card = tape, off_card
        self.all = offloadable_weights(program)
        self.of_ops = [tuple([each for each in dict.fromkeys(op.weights) if each in self.all]) for op in program.ops]
        self.here: set[int] = set()
        for storage in self.all:
            tape.refs[storage] = ENDLESS

    def begin(self, index: int, after: int | None) -> None:
        """Before an operation: its weights are there, and those of the one that comes after it."""
        for storage in (*self.of_ops[index], *self._of(after)):
            if storage not in self.here:
                self.here.add(storage)
                self.tape.events.append(storage)
                self.off_card.moves.append(Move("weights", "card", self.tape.storages[storage].tensor))

    def end(self, index: int, after: int | None) -> None:
        """Behind it they go, but for those that the next one has, too."""
        for storage in self.of_ops[index]:
            if storage in self.here and storage not in self._of(after):
                self.here.remove(storage)
                self.tape.events.append(~storage)

    def all_gone(self) -> None:
        """Backward has ended, whatever was fetched for more of it."""
        self.tape.events += [~storage for storage in sorted(self.here)]
        self.here.clear()

    def _of(self, index: int | None) -> tuple[int, ...]:
        return () if index is None else self.of_ops[index]

    def next_of(self, indices: Iterable[int]) -> dict[int, int]:
        """By operation in that order, the next one with weights; none for the last."""
        found: dict[int, int] = {}
        waiting: list[int] = []
        for index in indices:
            if self.of_ops[index]:
                found.update(dict.fromkeys(waiting, index))
                waiting.clear()
            waiting.append(index)
        return found


def offloadable_weights(program: Program) -> frozenset[int]:
    """The storages of all weights but those that a layer hands out as its output."""
    handed_out = {storage for op in program.ops for storage in op.outputs}
    weights = [each for each in program.resident if program.storages[each].role == "weights"]
    return frozenset(weights) - handed_out


ENDLESS = 1 << 40
"""Hands on a weight that comes and goes whoever keeps it: what was kept of it is filled again."""
