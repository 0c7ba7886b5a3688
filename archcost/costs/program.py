"""One pass of eager PyTorch as operations over storages: what each makes, reads for the last time, keeps and gives.

A program knows no time and no sizes beyond its tensors; `timeline` plays it. Storages, operations and gradients are
numbered in the order in which they first appear, which no batch changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from archcost.costs.early_release import forgotten
from archcost.graph import Node, Port
from archcost.graph.parameter_order import Owned
from archcost.passes.contract import RunGraph
from archcost.passes.gradients import NOTHING, Needs
from archcost.passes.layer_rules import Give, LayerRules, New, Part, copying, weight_type
from archcost.passes.precision import AutocastCopy
from archcost.passes.storages import ROLES, Followed, Held, Role, copied, copy_owner, spoiled
from archcost.terms.autograd import Own, Scratch
from archcost.terms.memory_format import Layout
from archcost.work import Operand

__all__ = ["ROLES", "Give", "Held", "Op", "Program", "Role", "program"]


class Op(NamedTuple):
    """One differentiable operation. Numbers are those of storages, but for `takes` and `into`."""

    name: str
    node: Node
    rules: LayerRules
    makes: tuple[int, ...]
    """In forward: outputs of its own, and what lives for backward alone."""
    outputs: tuple[int, ...]
    """The storage of each output, its own or another's; each is held until it is read for the last time."""
    reads: tuple[int, ...]
    ends: tuple[int, ...]
    """The storage of each output (of any operation) that this one is the last to read; and of its own, of those that
    nobody reads and the network does not return."""
    saved: tuple[int, ...]
    takes: tuple[int, ...]
    """The places of its outputs' gradients."""
    into: tuple[int, ...]
    """The places of the gradients that it gives."""
    outlives: tuple[int, ...] = ()
    """Of what it keeps, what backward does not let go of: it goes with the loss."""
    inputs: tuple[int, ...] = ()
    weights: tuple[int, ...] = ()
    """The storages of both, as it works on them."""

    @property
    def own(self) -> tuple[int, ...]:
        """Of what it makes, what lives for backward alone."""
        return self.makes[len(self.makes) - self.rules.own :]

    @property
    def stays(self) -> tuple[int, ...]:
        """What it makes that does not live for backward alone."""
        return self.makes[: len(self.makes) - self.rules.own]

    @property
    def runs_to_save(self) -> bool:
        """Whether something is kept that the operation itself makes, so that it has to run before all is kept."""
        return any(each in self.makes or each in self.outputs for each in self.saved)

    @property
    def gives(self) -> tuple[Give, ...]:
        return self.rules.gives

    @property
    def parts(self) -> tuple[Part, ...]:
        """Of its backward, where that is more than one operation."""
        return self.rules.parts

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Those whose gradient backward computes."""
        return self.rules.operands

    @property
    def scratch(self) -> Scratch:
        return self.rules.scratch

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """In which order the values of each input lie."""
        return self.rules.arriving

    @property
    def is_copy(self) -> bool:
        """Autocast's copy of a weight of the node, not the node itself."""
        return self.name != self.node.name

    @property
    def forward_flops(self) -> int:
        """Contraction and elementwise FLOPs; a copy of a weight has none."""
        flops = [] if self.is_copy else [work.forward for work in self.node.facts.work]
        return sum([each.contraction + each.elementwise for each in flops])


@dataclass(frozen=True)
class Program:
    """`resident` storages live through it all: weights, buffers, inputs. `root` is the place of the loss's gradient.

    A place is where the gradients of one tensor come together: of a weight its storage, of an output a number below
    nothing. `makers` are the layers that make the outputs, from -1 down. `parameters` are weights that get a gradient;
    `waits` says how many come together in their places. `returned` are the storages of the network's outputs, and
    `cached` the copies of weights that autocast holds until forward ends.
    """

    storages: tuple[Held, ...]
    resident: tuple[int, ...]
    ops: tuple[Op, ...]
    makers: tuple[str, ...]
    root: int | None
    parameters: frozenset[int]
    waits: Mapping[int, int]
    returned: tuple[int, ...]
    state: Mapping[int, tuple[int, ...]]
    """By operation the storages that the module keeps until this operation of the next step is done."""
    cached: frozenset[int]
    spoiled: Mapping[str, tuple[str, ...]]
    """By layer, those whose backward torch refuses as the layer overwrites what they kept."""
    order: tuple[Owned, ...]
    """Of the parameters, where it is not that of the layers."""
    forgotten: Mapping[int, tuple[int, ...]]
    """By operation, those that autograd forgets once it has run."""
    used_up: Mapping[int, tuple[int, ...]]
    """By operation what was there before the step and goes once it has run."""

    @cached_property
    def lost(self) -> frozenset[int]:
        """All that autograd forgets before backward."""
        return frozenset(index for indices in self.forgotten.values() for index in indices)

    @cached_property
    def _dropped(self) -> dict[int, tuple[Own, ...]]:
        return {}

    def dropped(self, op: Op) -> tuple[Own, ...]:
        """In place of the scratch of forward, what lives then under a checkpoint, which drops at once what is kept.
        Equal layers are asked once.
        """
        if op.is_copy:
            return ()
        known = self._dropped
        if id(op.rules) not in known:
            known[id(op.rules)] = op.rules.dropped
        return known[id(op.rules)]


def program(prepared: RunGraph) -> Program:
    """Of a network after all passes."""
    return _Writer(prepared).program()


class _Writer:
    def __init__(self, prepared: RunGraph) -> None:
        self.graph = prepared.graph
        self.returned = prepared.returned
        self.held = {*prepared.returned, *prepared.graph.state}
        """What outlives its last reader."""
        self.required = prepared.required
        self.needs = prepared.needs
        self.walk = prepared.walk
        self.makers: list[str] = []
        self.of_outputs: dict[str, tuple[int, ...]] = {}
        """By layer, the places of its outputs' gradients."""
        self.waits: dict[int, int] = {}
        self.parameters: set[int] = set()
        self.cached: list[int] = []
        self.made_copies: set[int] = set()
        self.leaves: set[str] = set()
        """Layers whose output is a weight itself."""
        self.trainable = {node.name: node.trainable for node in self.graph.nodes}
        self.ops: list[Op] = []
        self.copies_given_to = self._copies_given_to()

    def program(self) -> Program:
        last: dict[Port, int] = {}
        for index, node in enumerate(self.graph.nodes):
            last.update(dict.fromkeys(node.uses, index))
            if node.holds:
                last.update(dict.fromkeys(node.holds, index))
        ends: dict[int, list[Port]] = {}
        for port, reader in last.items():
            if port not in self.held and port.producer not in self.graph.inputs:
                ends.setdefault(reader, []).append(port)
        casts: list[Op] = []
        read: list[int] = []
        for index, (node, step) in enumerate(zip(self.graph.nodes, self.walk.steps, strict=True)):
            read += map(self._at, ends.get(index, ()))
            if isinstance(node.layer, AutocastCopy):  # what it reads lives until the layer that it casts for is done
                casts.append(self._op(node, step, ()))
                source = node.inputs[0].producer
                if source in self.leaves and self.trainable[source]:  # a trained weight, whose copy autocast remembers
                    self.cached.append(casts[-1].makes[0])
                continue
            # Arguments are cast from the last to the first: bias, weight, input (as compiled by GCC).
            copies = list(self._copies(node, step)) if step.weights else []
            read += [copy.outputs[0] for copy in copies if copy.outputs]
            unread = [at for port, at in self._outputs(node, step) if port not in last and port not in self.held]
            self.ops += [*copies, *casts, self._op(node, step, (*read, *unread))]
            casts.clear()
            read.clear()
        return Program(
            tuple(self.walk.held),
            self.walk.resident,
            tuple(self.ops),
            tuple(self.makers),
            self._root(),
            frozenset(self.parameters),
            self.waits,
            tuple([self._at(port) for port in self.returned]),
            self._state(),
            frozenset(self.cached),
            self._spoiled(),
            self.graph.parameters if self.graph.parameter_order else (),
            self._forgotten(),
            self._used_up(),
        )

    def _outputs(self, node: Node, step: Followed) -> Iterator[tuple[Port, int]]:
        return ((Port(node.name, index), number) for index, number in enumerate(step.outputs))

    def _at(self, port: Port) -> int:
        return self.walk.at[port.producer][port.output]

    def _places(self, node: Node, step: Followed) -> tuple[int, ...]:
        """Of the outputs' gradients. A weight that is handed out itself has one place for all that read it."""
        below = -1 - len(self.makers)
        places = tuple(range(below, below - len(step.outputs), -1))
        self.makers += [node.name] * len(places)
        if step.weights and places and step.outputs[0] in step.weights:
            first = self.walk.held[step.outputs[0]]
            if first.owner == node.name and first.role == "weights":
                self.leaves.add(node.name)
                places = (step.outputs[0], *places[1:])
                if first.what in self._needs(node.name).weights:  # the optimizer passes over what gets no gradient
                    self.parameters.add(step.outputs[0])
        self.of_outputs[node.name] = places
        return places

    def _spoiled(self) -> dict[str, tuple[str, ...]]:
        """What torch refuses: a kept tensor is looked at when its backward comes, and not before."""
        coming = {
            name: tuple([keeper for keeper in keepers if self._needs(keeper).operands])
            for name, keepers in spoiled(self.graph.nodes, self.walk.steps).items()
        }
        return {name: keepers for name, keepers in coming.items() if keepers}

    def _needs(self, name: str) -> Needs:
        return self.needs.get(name, NOTHING)

    def _state(self) -> dict[int, tuple[int, ...]]:
        if not self.graph.state:
            return {}
        numbers = {op.name: index for index, op in enumerate(self.ops)}
        made = {storage for op in self.ops for storage in op.makes}
        until: dict[int, dict[int, None]] = {}
        for port, layer in self.graph.state.items():
            if self._at(port) in made:
                until.setdefault(numbers.get(layer, 0), {})[self._at(port)] = None
        return {index: tuple(storages) for index, storages in until.items()}

    def _used_up(self) -> dict[int, tuple[int, ...]]:
        ends = {(op.name, op.node.layer.uses_up): index for index, op in enumerate(self.ops) if op.node.layer.uses_up}
        return {
            ends[held.owner, held.what]: (number,)
            for number, held in self._resident()
            if (held.owner, held.what) in ends
        }

    def _resident(self) -> Iterator[tuple[int, Held]]:
        return ((number, self.walk.held[number]) for number in self.walk.resident)

    def _forgotten(self) -> dict[int, tuple[int, ...]]:
        if self.needs and all(needs is self.required[name] for name, needs in self.needs.items()):
            return {}  # all that was prepared leads to the loss, which the caller has
        found = forgotten(self.graph, self.held, self.required)
        numbers = {op.name: index for index, op in enumerate(self.ops)}
        lost: dict[int, tuple[int, ...]] = {}
        for name, last in found.items():
            lost[numbers[last]] = (*lost.get(numbers[last], ()), numbers[name])
        return lost

    def _root(self) -> int | None:
        """The place of the gradient that backward starts with: that of the one scalar at the end."""
        ends = [port for port in self.graph.outputs if self._needs(port.producer).operands]
        return self.of_outputs[ends[-1].producer][ends[-1].output] if ends else None

    def _copies(self, node: Node, step: Followed) -> Iterator[Op]:
        """Autocast's copies of weights, each made by the first layer that works on it, the bias first.

        Its cache holds those of trained weights until forward ends, but not those of views, as a transposed weight is
        (cached_cast in autocast_mode.cpp). One that several layers work on has a gradient if any of them gives one.
        """
        for index in range(len(node.weights) - 1, -1, -1):
            weight, number = node.weights[index], step.weights[index]
            if weight.cast is None or number in self.made_copies:
                continue
            self.made_copies.add(number)
            whose, transposed = copy_owner(node, weight, self.trainable)
            what = copied(weight.name, weight.cast)
            owner = node.shared.owner if weight.name == "weight" and node.shared is not None else node.name
            cached = self.trainable[owner] and not transposed
            if cached:
                self.cached.append(number)
            gives: tuple[Give, ...] = ()
            into: tuple[int, ...] = ()
            if number in self.copies_given_to:
                tensor, turned = weight_type(weight, node), self.copies_given_to[number]
                gives = (Give(tensor, tensor, transposed, is_turned=turned, is_whole=not transposed),)
                into = (self._parameter(self.walk.weights[owner][weight.name]),)
            made = New(what, self.walk.held[number].tensor)
            rules = copying(node.layer, made, gives)
            outputs = () if cached else (number,)
            source = (self.walk.weights[owner][weight.name],)
            name = f"{whose} ({what})"
            yield Op(name, node, rules, (number,), outputs, (), (), (), (number,), into, weights=source)

    def _copies_given_to(self) -> dict[int, bool]:
        """By autocast's copy of a weight that some layer gives a gradient, whether that comes turned around."""
        given_to: dict[int, bool] = {}
        for node, step in zip(self.graph.nodes, self.walk.steps, strict=True):
            for give, reference in zip(step.rules.gives, step.rules.given_to, strict=True):
                index = reference - len(node.inputs)
                if index >= 0 and node.weights[index].cast is not None:
                    given_to.setdefault(step.weights[index], give.is_turned)
        return given_to

    def _parameter(self, storage: int) -> int:
        """The place of a weight's gradient, of which one more comes together there."""
        self.waits[storage] = self.waits.get(storage, 0) + 1
        self.parameters.add(storage)
        return storage

    def _op(self, node: Node, step: Followed, ends: Sequence[int]) -> Op:
        rules, inputs = step.rules, step.inputs
        around = (*inputs, *step.weights, *step.makes) if rules.outlives else ()
        return Op(
            node.name,
            node,
            rules,
            step.makes,
            step.outputs,
            tuple(map(self._at, node.uses)) if node.layer.asked or node.given else inputs,
            tuple(ends),
            step.saved,
            self._places(node, step),
            tuple([self._into(node, step, each) for each in rules.given_to]),
            tuple([around[each] for each in rules.outlives]) if step.saved and rules.outlives else (),
            inputs,
            step.weights,
        )

    def _into(self, node: Node, step: Followed, reference: int) -> int:
        """The place of the gradient of one of the tensors that a layer works on."""
        weight = reference - len(step.inputs)
        port = node.inputs[reference] if weight < 0 else node.given.get(node.weights[weight].name)
        if port is None:
            storage = step.weights[weight]
            return self._parameter(storage) if node.weights[weight].cast is None else storage
        place = self.of_outputs[port.producer][port.output]
        if place in self.parameters:  # of a weight that is an output, which waits for all that read it
            self.waits[place] = self.waits.get(place, 0) + 1
        return place
