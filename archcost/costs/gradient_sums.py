"""Gradients on their way back: where several meet they are added up, and those of parameters stay.

Where several meet, they are added into the first if nobody else holds its storage and it lies whole, else into a third
tensor (`can_accumulate_inplace` in torch/csrc/autograd/input_buffer.cpp).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from archcost.costs.events import Tape
from archcost.costs.program import Give, Held, Op, Program
from archcost.tensors import TensorType
from archcost.terms.autograd import Handed


class Arrived(NamedTuple):
    """A gradient on its way: its storage, and whether it is that, without gaps and without another hand on it."""

    storage: int
    whole: bool


class Gradients:
    """Of a step that is played onto a tape. `out_of_place` adds them as torch does under a dispatch mode."""

    def __init__(self, program: Program, tape: Tape, out_of_place: bool) -> None:
        self.program, self.tape, self.out_of_place = program, tape, out_of_place
        self.arrived: dict[int, Arrived] = {}
        self.waits: dict[int, int] = {}
        self.of_parameters: dict[int, int] = {}
        """By place, the storage of a parameter's gradient."""
        self.stay = False
        """Whether they outlive the step."""
        self.is_used_at_once = False
        """Whether the optimizer steps in backward, with each gradient as it comes."""
        self.complete: dict[int, Give] = {}
        """Then, by place, those that have come and wait for it."""

    def are_there(self) -> None:
        """Before any backward, as the step before has left them: what arrives is added to them."""
        self.stay = True
        for place in sorted(self.program.parameters):
            weight = self.program.storages[place]
            held = Held(weight.owner, "gradients", f"gradient of {weight.what}", weight.tensor)
            self.of_parameters[place] = self.tape.new(held)

    def dropped(self) -> list[int]:
        """Gradients of parameters that go when the optimizer has used them."""
        return [] if self.stay else [*self.of_parameters.values()]

    def begin(self, root: int, start: int) -> None:
        """With the storage of the loss's gradient at its place."""
        self.waits = dict(self.program.waits)
        self.arrived[root] = Arrived(start, True)

    def pieces(self, op: Op, arriving: Mapping[int, Arrived]) -> list[TensorType]:
        """Of the outputs whose gradient arrives as a slice of a larger storage, or spread out from a smaller one."""
        outputs = () if op.is_copy else zip(op.takes, op.node.output_types, strict=True)
        given = [(arriving[place].storage, tensor) for place, tensor in outputs if place in arriving]
        return [tensor for storage, tensor in given if self.tape.storages[storage].tensor.numel != tensor.numel]

    def give(self, op: Op, number: int, arriving: Mapping[int, Arrived], kept: Sequence[int] = ()) -> Arrived:
        """`kept` are the operation's own tensors, among which are gradients that forward has worked out."""
        give = op.rules.gives[number]
        gradient = give.gradient
        if isinstance(gradient, Handed):
            handed = arriving[op.takes[gradient.output]]
            self.tape.refs[handed.storage] += 1
            return Arrived(handed.storage, False) if gradient.is_view else handed
        if give.ready is not None:
            self.tape.refs[kept[give.ready]] += 1
            return Arrived(kept[give.ready], True)
        return Arrived(self.tape.new(self._held(op.into[number], gradient)), give.is_whole)

    def hand_on(self, op: Op, given: Mapping[int, Arrived]) -> None:
        """Each by its number to its place. What was added to others goes when all of the operation's are handed on."""
        added: list[int] = []
        for number, gradient in given.items():
            place = op.into[number]
            if op.rules.gives[number].ready is not None:
                gradient = self._taken_over(place, op.rules.gives[number], gradient)
            if place < 0 and place not in self.arrived:
                self.arrived[place] = gradient
            elif self._receive(place, op.rules.gives[number], gradient):
                added.append(gradient.storage)
        self.tape.let_go(added)

    def _taken_over(self, place: int, give: Give, gradient: Arrived) -> Arrived:
        """A tensor that forward has made and nobody keeps any more, under a number that the next pass will not use."""
        if self.tape.refs[gradient.storage] > 1:
            return gradient
        self.tape.release(gradient.storage)
        return gradient._replace(storage=self.tape.new(self._held(place, give.like)))

    def _held(self, place: int, tensor: TensorType) -> Held:
        if place < 0:
            return Held(self.program.makers[~place], "temporaries", "gradient", tensor)
        weight, stays = (
            self.program.storages[place],
            place in self.program.parameters and place not in self.of_parameters,
        )
        return Held(weight.owner, "gradients" if stays else "temporaries", f"gradient of {weight.what}", tensor)

    def _receive(self, place: int, give: Give, gradient: Arrived) -> bool:
        """At a place where others may have arrived; whether it was added to them. A parameter's ends with the last."""
        tape = self.tape
        first = self.arrived.get(place)
        if first is None:
            self.arrived[place] = gradient
        elif first.whole and tape.refs[first.storage] == 1 and not self.out_of_place:
            tape.is_part(gradient.storage)
        else:
            tape.is_part(first.storage)
            tape.is_part(gradient.storage)
            self.arrived[place] = Arrived(tape.new(self._held(place, give.like)), True)
            tape.release(first.storage)
        if place not in self.program.parameters:
            return first is not None
        self.waits[place] -= 1
        if self.waits[place] == 0:
            if self.is_used_at_once:
                self.complete[place] = give
                return first is not None
            storage = self._stays(give, place, self.arrived.pop(place))
            if self.of_parameters.setdefault(place, storage) != storage:  # added to that of the micro-batch before
                tape.release(storage)
        return first is not None

    def use_at_once(self, op: Op, given: Mapping[int, Arrived], use: Callable[[int], bool]) -> None:
        """The same, with each gradient used that is complete then, by place of its parameter; it goes, where `use` says
        so: the optimizer has stepped, or it has left the card.

        No other operation runs before (AccumulateGrad is first in the queue of engine.cpp). That of a weight comes
        after that of a bias which was added last, as it goes through an operation more.
        """
        gives, is_added_last = op.rules.gives, "sums bias gradient" in op.node.layer.quirks
        late = {
            number: gradient
            for number, gradient in given.items()
            if op.into[number] >= 0 and (gives[number].is_view or (is_added_last and not gives[number].is_summed))
        }
        for part in ({number: given[number] for number in given if number not in late}, late):
            self.hand_on(op, part)
            complete, self.complete = self.complete, {}
            for place, give in complete.items():
                arrived = self.arrived.pop(place)
                storage = self._stays(give, place, arrived)
                if use(place) or self.of_parameters.setdefault(place, storage) != storage:
                    self.tape.release(storage)
                if storage != arrived.storage:  # a copy, beside what was handed over
                    self.tape.release(arrived.storage)

    def _stays(self, give: Give, place: int, gradient: Arrived) -> int:
        """A parameter's gradient: what arrived, or a copy where others have it too, its values are spread out from
        fewer or lie in another order (accumulate_grad.h); another view is taken as it is, with all it is a view of.
        """
        storage = gradient.storage
        is_own = not isinstance(give.gradient, Handed) and not give.is_turned
        if is_own or place in self.of_parameters:  # which it is added to
            return storage
        arrived = self.tape.storages[storage].tensor
        held = self._held(place, give.like if arrived.numel < give.like.numel else arrived)
        if give.is_turned or held.tensor != arrived or (gradient.whole and self.tape.refs[storage] > 1):
            self.tape.is_part(storage)
            copy = self.tape.new(held)
            if not self.is_used_at_once:
                self.tape.release(storage)
            return copy
        self.tape.storages[storage] = held
        return storage
