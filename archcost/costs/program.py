"""One pass of eager PyTorch as operations over storages: what each makes, reads for the last time, keeps and gives.

A program knows no time and no sizes beyond its tensors; `timeline` plays it. Storages, operations and gradients are
numbered in the order in which they first appear, which no batch changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, get_args

from archcost.costs.early_release import forgotten
from archcost.graph import Node, Port
from archcost.graph.parameter_order import Owned
from archcost.layers.base import Weight
from archcost.passes.contract import RunGraph
from archcost.passes.gradients import NOTHING
from archcost.passes.precision import AutocastCopy
from archcost.passes.storages import Passing, Storage, copied, copy_owner
from archcost.tensors import TensorType
from archcost.terms.autograd import NO_SCRATCH, Handed, Own, Scratch, Stage
from archcost.terms.memory_format import Layout
from archcost.work import Operand

Role = Literal[
    "weights", "gradients", "optimizer_state", "buffers", "inputs", "activations", "temporaries", "workspace"
]
ROLES: tuple[Role, ...] = get_args(Role)


class Held(NamedTuple):
    """A storage: whose it is, what it holds there, and its size."""

    owner: str
    role: Role
    what: str
    tensor: TensorType

    @property
    def nbytes(self) -> int:
        return self.tensor.nbytes


class Give(NamedTuple):
    """A gradient that an operation gives: into which place, and what it is made of."""

    place: int
    gradient: Handed | TensorType
    like: TensorType
    """What it is the gradient of."""
    is_view: bool = False
    """Whether a new one is a view of what was computed, to which nothing is added in place."""
    is_summed: bool = False
    """Whether autograd's engine sums it up, after the operation's own function (validate_outputs in engine.cpp)."""
    is_turned: bool = False
    """Whether it lies in another order than what it is the gradient of."""


class Part(NamedTuple):
    """A part of an operation's backward: which of its `gives` it makes, by index, and which storages it lets go of."""

    gives: tuple[int, ...]
    frees: frozenset[int]
    scratch: tuple[Own, ...]


class Op(NamedTuple):
    """One differentiable operation. Numbers are those of storages, but for `takes` and `gives`."""

    name: str
    makes: tuple[int, ...]
    """In forward: outputs of its own, and what lives for backward alone."""
    stays: tuple[int, ...]
    """What it makes that does not live for backward alone."""
    outputs: tuple[int, ...]
    """The storage of each output, its own or another's; each is held until it is read for the last time."""
    reads: tuple[int, ...]
    ends: tuple[int, ...]
    """The storage of each output (of any operation) that this one is the last to read; and of its own, of those that
    nobody reads and the network does not return."""
    saved: tuple[int, ...]
    runs_to_save: bool
    """Whether something is kept that the operation itself makes, so that it has to run before all is kept."""
    takes: tuple[int, ...]
    """The places of its outputs' gradients."""
    gives: tuple[Give, ...]
    scratch: Scratch
    stages: tuple[Part, ...]
    """Of its backward, where that is more than one operation."""
    dropped: tuple[Own, ...]
    """In place of the scratch of forward, what lives then under a checkpoint, which drops at once what is kept."""
    operands: tuple[Operand, ...]
    """Those whose gradient backward computes."""
    node: Node
    outlives: tuple[int, ...] = ()
    """Of what it keeps, what backward does not let go of: it goes with the loss."""
    layouts: tuple[Layout, ...] = ()
    """In which order the values of each input lie."""
    zeros: tuple[TensorType | None, ...] = ()
    """By output, what backward makes in place of a gradient that does not arrive."""

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

    `parameters` are the places of the weights' gradients with the storage of the weight; `waits` says how many
    gradients come together in a place. `returned` are the storages of the network's outputs, and `cached` the copies
    of weights that autocast holds until forward ends.
    """

    storages: tuple[Held, ...]
    resident: tuple[int, ...]
    ops: tuple[Op, ...]
    places: tuple[Port | tuple[str, str], ...]
    """What the gradient in each place is of: an output, or a weight by its owner and name."""
    root: int | None
    parameters: Mapping[int, int]
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

    @cached_property
    def lost(self) -> frozenset[int]:
        """All that autograd forgets before backward."""
        return frozenset(index for indices in self.forgotten.values() for index in indices)


def program(prepared: RunGraph) -> Program:
    """Of a network after all passes."""
    return _Writer(prepared).program()


class _Writer:
    def __init__(self, prepared: RunGraph) -> None:
        self.graph = prepared.graph
        self.returned = prepared.returned
        self.kept = prepared.kept
        self.needs = prepared.needs
        self.storages: list[Held] = []
        self.numbers: dict[Storage, int] = {}
        self.places: dict[Port | tuple[str, str], int] = {}
        self.waits: dict[int, int] = {}
        self.parameters: dict[int, int] = {}
        self.resident: list[int] = []
        self.cached: list[int] = []
        self.same: dict[Port, tuple[str, str]] = {}
        """Outputs that are weights themselves, whose gradients are the weights'."""
        self.ops: list[Op] = []
        self.trainable = {node.name: node.trainable for node in self.graph.nodes}

    def program(self) -> Program:
        for name in self.graph.inputs:
            self.resident.append(self._number(self.kept.places[Port(name)]))
        for node in self.graph.nodes:
            self._weights(node)
        last = {port: node.name for node in self.graph.nodes for port in (*node.uses, *node.holds)}
        held = {*self.returned, *self.graph.state}
        ends: dict[str, list[Port]] = {}
        for port, reader in last.items():
            if port not in held and port.producer not in self.graph.inputs:
                ends.setdefault(reader, []).append(port)
        casts: list[Op] = []
        read: list[int] = []
        for node in self.graph.nodes:
            read += map(self._at, ends.get(node.name, ()))
            if isinstance(node.layer, AutocastCopy):  # what it reads lives until the layer that it casts for is done
                casts.append(self._op(node, (), ()))
                if self._is_trained(node.inputs[0]):
                    self.cached.append(casts[-1].makes[0])
                continue
            # Arguments are cast from the last to the first: bias, weight, input (as compiled by GCC).
            copies = list(self._copies(node))
            read += [copy.outputs[0] for copy in copies if copy.outputs]
            outputs = [Port(node.name, index) for index in range(len(node.output_types))]
            unread = [port for port in outputs if port not in last and port not in held]
            self.ops += [*copies, *casts, self._op(node, read, unread)]
            casts.clear()
            read.clear()
        root = self._root()
        return Program(
            tuple(self.storages),
            tuple(self.resident),
            tuple(self.ops),
            tuple(self.places),
            root,
            self.parameters,
            self.waits,
            tuple([self._at(port) for port in self.returned]),
            self._state(),
            frozenset(self.cached),
            self._spoiled(),
            self.graph.parameters if self.graph.spec.parameter_order else (),
            self._forgotten(),
        )

    def _spoiled(self) -> dict[str, tuple[str, ...]]:
        """What torch refuses: a kept tensor is looked at when its backward comes, and not before."""
        coming = {
            name: tuple([keeper for keeper in keepers if self.needs.get(keeper, NOTHING).operands])
            for name, keepers in self.kept.spoiled.items()
        }
        return {name: keepers for name, keepers in coming.items() if keepers}

    def _state(self) -> dict[int, tuple[int, ...]]:
        numbers = {op.name: index for index, op in enumerate(self.ops)}
        made = {storage for op in self.ops for storage in op.makes}
        until: dict[int, dict[int, None]] = {}
        for port, layer in self.graph.state.items():
            if self._at(port) in made:
                until.setdefault(numbers.get(layer, 0), {})[self._at(port)] = None
        return {index: tuple(storages) for index, storages in until.items()}

    def _forgotten(self) -> dict[int, tuple[int, ...]]:
        numbers = {op.name: index for index, op in enumerate(self.ops)}
        lost: dict[int, tuple[int, ...]] = {}
        for name, last in forgotten(self.graph, {*self.returned, *self.graph.state}, self.kept.required).items():
            lost[numbers[last]] = (*lost.get(numbers[last], ()), numbers[name])
        return lost

    def _root(self) -> int | None:
        """The place of the gradient that backward starts with: that of the one scalar at the end."""
        ends = [port for port in self.graph.outputs if self.needs.get(port.producer, NOTHING).operands]
        return self._place(ends[-1]) if ends else None

    def _number(self, storage: Storage) -> int:
        if storage not in self.numbers:
            role: Role = "inputs" if storage.role == "input" else "activations"
            self.numbers[storage] = self._add(Held(storage.owner, role, storage.what, storage.tensor))
        return self.numbers[storage]

    def _add(self, held: Held) -> int:
        self.storages.append(held)
        return len(self.storages) - 1

    def _is_trained(self, port: Port) -> bool:
        """Whether it is a trained weight itself, whose copy autocast remembers."""
        return port in self.same and self.trainable[port.producer]

    def _at(self, port: Port) -> int:
        return self._number(self.kept.places[port])

    def _place(self, of: Port | tuple[str, str]) -> int:
        if isinstance(of, Port):
            of = self.same.get(of, of)
        return self.places.setdefault(of, len(self.places))

    def _weights(self, node: Node) -> None:
        """Parameters and buffers of the layer's own."""
        for weight in node.own_weights:
            tensor = weight_type(weight, node)
            storage = Storage(node.name, "weight", weight.name, tensor)
            role: Role = "buffers" if weight.is_buffer else "weights"
            number = self.numbers[storage] = self._add(Held(node.name, role, weight.name, tensor))
            self.resident.append(number)
            if not weight.is_buffer and self.kept.places[Port(node.name)] == storage:
                self.same[Port(node.name)] = (node.name, weight.name)
                if self.needs.get(node.name, NOTHING).weights:  # the optimizer passes over what gets no gradient
                    self.parameters[self._place(Port(node.name))] = number

    def _weight(self, node: Node, weight: Weight) -> tuple[str, TensorType]:
        """Whose weight it is, and as what it lies there."""
        tensor = weight_type(weight, node)
        if weight.name != "weight" or node.shared is None:
            return node.name, tensor
        if node.shared.transposed:
            shape = tensor.shape
            tensor = TensorType((shape[1], shape[0], *shape[2:]), tensor.dtype)
        return node.shared.owner, tensor

    def _copies(self, node: Node) -> Iterator[Op]:
        """Autocast's copies of weights, each made by the first layer that works on it, the bias first.

        Its cache holds those of trained weights until forward ends, but not those of views, as a transposed weight is
        (cached_cast in autocast_mode.cpp).
        """
        for weight in reversed(node.weights):
            owner, tensor = self._weight(node, weight)
            if weight.cast is None:
                continue
            whose, transposed = copy_owner(node, weight)
            copy = Storage(whose, "weight", copied(weight.name, weight.cast), TensorType(tensor.shape, weight.cast))
            if copy in self.numbers:
                continue
            number = self._number(copy)
            cached = self.trainable[owner] and not transposed
            if cached:
                self.cached.append(number)
            trained = weight.name in self.needs.get(node.name, NOTHING).weights
            place = self._place((whose, copy.what))
            turned = weight.name == "weight" and self.kept.passing[node.name].turned
            given = (self._parameter(owner, weight.name, tensor),) if trained else ()
            gives = tuple([give._replace(is_view=transposed, is_turned=turned) for give in given])
            outputs = () if cached else (number,)
            name, makes = f"{whose} ({copy.what})", (number,)
            yield Op(name, makes, makes, outputs, (), (), (), False, (place,), gives, NO_SCRATCH, (), (), (), node)

    def _parameter(self, owner: str, name: str, tensor: TensorType) -> Give:
        place = self._place((owner, name))
        self.waits[place] = self.waits.get(place, 0) + 1
        self.parameters[place] = self.numbers[Storage(owner, "weight", name, tensor)]
        return Give(place, tensor, tensor)

    def _op(self, node: Node, ends: Sequence[int], unread: Sequence[Port]) -> Op:
        saved = self.kept.saved[node.name]
        outputs = [self.kept.places[Port(node.name, index)] for index in range(len(node.output_types))]
        own = [storage for storage in saved if storage.owner == node.name and storage.role == "saved"]
        made = [storage for storage in (*outputs, *own) if storage.owner == node.name and storage not in self.numbers]
        runs = any(storage.owner == node.name and storage.role != "weight" for storage in saved)
        passing = self.kept.passing[node.name]
        gives = list(self._gives(node, passing))
        return Op(
            node.name,
            tuple([self._number(storage) for storage in dict.fromkeys(made)]),
            tuple([self._number(storage) for storage in dict.fromkeys(made) if storage.role != "saved"]),
            tuple([self._number(storage) for storage in outputs]),
            tuple([self._at(port) for port in node.uses]),
            (*ends, *map(self._at, unread)),  # once they have been made above, and have their numbers
            tuple([self._number(storage) for storage in saved]),
            runs or any(storage in outputs for storage in saved),
            tuple([self._place(Port(node.name, index)) for index in range(len(outputs))]),
            tuple([give for _, give in gives]),
            passing.scratch,
            tuple([self._part(stage, saved, gives) for stage in passing.stages]),
            passing.dropped,
            self.needs.get(node.name, NOTHING).operands,
            node,
            tuple([self._at(node.inputs[index]) for index in passing.outlives] if saved else ()),
            tuple([self.kept.layouts[port] for port in node.inputs]),
            passing.zeros,
        )

    def _give(self, port: Port, gradient: Handed | TensorType, like: TensorType) -> Give:
        """To an output, which may be a weight itself and then waits for all that read it."""
        place = self._place(port)
        if place in self.parameters:
            self.waits[place] = self.waits.get(place, 0) + 1
        return Give(place, gradient, like)

    def _part(self, stage: Stage, saved: Sequence[Storage], gives: Sequence[tuple[Operand, Give]]) -> Part:
        made = [index for index, (operand, _) in enumerate(gives) if operand in stage.operands]
        own = [self._number(each) for each in saved if each.role == "saved" and each.what in stage.frees]
        return Part(tuple(made), frozenset(own), stage.scratch)

    def _gives(self, node: Node, passing: Passing) -> Iterator[tuple[Operand, Give]]:
        needs = self.needs.get(node.name, NOTHING)
        for index in needs.inputs:
            gradient, tensor = passing.gradients[index], node.input_types[index]
            if gradient is None:
                continue
            if not isinstance(gradient, Handed):
                gradient = TensorType(gradient.shape, tensor.dtype)
            elif node.output_types[gradient.output].dtype != tensor.dtype:  # autograd's engine casts it
                gradient = tensor
            yield index, self._give(node.inputs[index], gradient, tensor)._replace(is_view=passing.viewed[index])
        for weight in node.weights:
            if weight.name not in needs.weights or Port(node.name) in self.same:
                continue
            owner, tensor = self._weight(node, weight)
            if weight.name in node.given:
                give = self._give(node.given[weight.name], tensor, tensor)
            elif weight.cast is None:
                give = self._parameter(owner, weight.name, tensor)
            else:
                copy = TensorType(tensor.shape, weight.cast)
                give = Give(self._place((copy_owner(node, weight)[0], copied(weight.name, weight.cast))), copy, copy)
            transposed = node.shared is not None and node.shared.transposed
            is_view = weight.name == "weight" and (transposed or "weight gradient is view" in node.layer.quirks)
            is_summed = weight.name == "bias" and "sums bias gradient" in node.layer.quirks
            is_turned = weight.name == "weight" and passing.turned
            yield weight.name, give._replace(is_view=is_view, is_summed=is_summed, is_turned=is_turned)


def weight_type(weight: Weight, node: Node) -> TensorType:
    """A weight as it is kept between steps: in the dtype of what arrives, unless it has its own."""
    return TensorType(weight.shape, weight.dtype or node.input_types[0].dtype)
