"""Where every tensor of a network lives, and which storages autograd keeps for backward.

A storage is what is allocated and freed at once. Views, in-place results and shared weights lead to one storage,
which is therefore counted once, whoever keeps it. A storage is a number: what it holds is looked up where it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, NamedTuple, get_args

from archcost.graph import ModelGraph, Node, Port
from archcost.layers.base import Weight
from archcost.layers.rules import Call
from archcost.passes.gradients import NOTHING, Needs, gradients_required
from archcost.passes.layer_rules import LayerRules, ask, layer_rules, through_view, weight_type
from archcost.tensors import TensorType
from archcost.terms.autograd import Device, Setting
from archcost.terms.memory_format import Layout, channels_last
from archcost.terms.torch_releases import Torch, installed

Role = Literal[
    "weights",
    "gradients",
    "optimizer_state",
    "buffers",
    "inputs",
    "activations",
    "temporaries",
    "workspace",
    "kv_cache",
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


class Followed(NamedTuple):
    """A layer in its place: the numbers of the storages around it."""

    rules: LayerRules
    inputs: tuple[int, ...]
    weights: tuple[int, ...]
    """As it works on them: autocast's copies, or outputs of other layers, or its own."""
    makes: tuple[int, ...]
    outputs: tuple[int, ...]
    saved: tuple[int, ...]


class Walk:
    """A graph gone through layer by layer; each storage gets a number where it first appears.

    The inputs of the network and all weights come first. `required` is what autograd prepares for in each layer,
    `needs` what backward computes; `images_last` has inputs of four axes arrive with their channels last.
    """

    def __init__(
        self,
        graph: ModelGraph,
        training: bool,
        device: Device,
        required: Mapping[str, Needs],
        needs: Mapping[str, Needs],
        torch: Torch,
        images_last: bool,
    ) -> None:
        self.required, self.needs = required, needs
        self._trainable = {node.name: node.trainable for node in graph.nodes}
        self._setting = (training, device, torch)
        self.held: list[Held] = []
        self.at: dict[str, tuple[int, ...]] = {}
        """By input of the network or layer, the storages of its outputs."""
        self.layouts: dict[str, tuple[Layout, ...]] = {}
        self.weights: dict[str, dict[str, int]] = {}
        """By layer its own weights, and autocast's copies of them."""
        self._declared: dict[int, list[tuple[Role, str, TensorType]]] = {}
        """By facts of a layer its weights. Equal layers share them."""
        self._views: set[str] = set()
        """Layers whose first output is a view."""
        self._known: dict[tuple[object, ...], LayerRules] = {}
        for name, tensor in graph.inputs.items():
            self.at[name] = (len(self.held),)
            self.held.append(Held(name, "inputs", "input", tensor))
            self.layouts[name] = (input_layout(tensor, images_last),)
        for node in graph.nodes:
            if node.facts.weights:
                self._own_weights(node)
        self.resident = tuple(range(len(self.held)))
        """Inputs and weights."""
        self.steps = [self._follow(node) for node in graph.nodes]

    def _own_weights(self, node: Node) -> None:
        rows = self._declared.get(id(node.facts))
        if rows is None:
            rows = self._declared[id(node.facts)] = [_row(weight, node) for weight in node.weights]
        if node.shared is not None or node.given:
            own = [weight.name for weight in node.own_weights]
            rows = [row for row in rows if row[1] in own]
        first = len(self.held)
        self.held += [Held(node.name, role, name, tensor) for role, name, tensor in rows]
        self.weights[node.name] = {name: first + index for index, (_, name, _) in enumerate(rows)}

    def _follow(self, node: Node) -> Followed:
        name, held, at = node.name, self.held, self.at
        inputs = tuple([at[producer][output] for producer, output in node.inputs])
        weights = self._worked_on(node) if node.facts.weights else ()
        rules = self._rules(node, inputs)
        makes = tuple(range(len(held), len(held) + len(rules.makes)))
        role: Role = "kv_cache" if node.layer.is_cache else "activations"
        held += [Held(name, role, what, tensor) for what, tensor in rules.makes]
        around = (*inputs, *weights, *makes)
        outputs = tuple([around[each] for each in rules.outputs])
        around += outputs
        saved = tuple(dict.fromkeys([around[each] for each in rules.saved])) if rules.saved else ()
        at[name], self.layouts[name] = outputs, rules.layouts
        return Followed(rules, inputs, weights, makes, outputs, saved)

    def _rules(self, node: Node, inputs: Sequence[int]) -> LayerRules:
        layouts, required = self.layouts, self.required[node.name]
        arriving = tuple([layouts[producer][output] for producer, output in node.inputs])
        needed, shared = self.needs.get(node.name, NOTHING), node.shared and node.shared.transposed
        key: tuple[object, ...] = (id(node.facts), required, needed, arriving, shared, *node.given)
        rules = self._known.get(key)
        if rules is None:
            rules = self._known[key] = self._asked(node, arriving, None)
        if rules.overwrites and node.inputs[0].producer in self._views and node.inputs[0].output == 0:
            from archcost.layers.indexing.write import Write  # a family that is not imported for networks without

            if rules.call.setting.needs and not isinstance(node.layer, Write):
                whole = self.held[inputs[0]].tensor
                if (*key, whole) not in self._known:
                    self._known[*key, whole] = self._asked(node, arriving, whole)
                rules = self._known[*key, whole]
            self._views.add(node.name)
        elif rules.is_view:
            self._views.add(node.name)
        return rules

    def _asked(self, node: Node, arriving: tuple[Layout, ...], whole: TensorType | None) -> LayerRules:
        """`whole` is what the input is a view of, where the layer overwrites one."""
        training, device, torch = self._setting
        given = arriving if any(layout is not None for layout in arriving) else ()
        operands = frozenset(self.required[node.name].operands)
        setting = Setting(operands, training, device, given, weights_dtype(node), torch)
        call = Call(node.input_types, node.output_types, setting)
        answers = ask(node.layer, call)
        if whole is not None:
            answers = through_view(answers, node.input_types[0], whole)
        return layer_rules(node, self.needs.get(node.name, NOTHING), arriving, call, answers)

    def _worked_on(self, node: Node) -> tuple[int, ...]:
        own, weights = self.weights[node.name], node.facts.weights
        if len(own) == len(weights) and not any(weight.cast for weight in weights):
            return tuple(own.values())
        return tuple([self._weight(node, weight) for weight in weights])

    def _weight(self, node: Node, weight: Weight) -> int:
        """The storage of a weight. A transposed one is a view of its owner's."""
        if weight.name in node.given:
            port = node.given[weight.name]
            return self.at[port.producer][port.output]
        if weight.cast is None:
            is_shared = weight.name == "weight" and node.shared is not None
            return self.weights[node.shared.owner if is_shared and node.shared else node.name][weight.name]
        owner, what = copy_owner(node, weight, self._trainable)[0], copied(weight.name, weight.cast)
        if what not in self.weights[owner]:
            tensor = TensorType(weight_type(weight, node).shape, weight.cast)
            self.weights[owner][what] = len(self.held)
            self.held.append(Held(owner, "activations", what, tensor))
        return self.weights[owner][what]


def input_layout(tensor: TensorType, images_last: bool) -> Layout:
    """In which order the values of an input of the network lie."""
    return channels_last(tensor.shape) if images_last and tensor.rank == 4 else None


def _row(weight: Weight, node: Node) -> tuple[Role, str, TensorType]:
    kept: Role = "buffers" if weight.is_buffer and not weight.is_scale else "weights"
    return "kv_cache" if node.layer.is_cache else kept, weight.name, weight_type(weight, node)


def copy_owner(node: Node, weight: Weight, trainable: Mapping[str, bool]) -> tuple[str, bool]:
    """The owner of autocast's copy of a weight, and whether it is of a transposed one, which the reader owns. It owns
    that of a frozen one too, which autocast does not remember for others.
    """
    if weight.name != "weight" or node.shared is None:
        return node.name, False
    if node.shared.transposed:
        return node.name, True
    return (node.shared.owner if trainable[node.shared.owner] else node.name), False


def copied(name: str, dtype: str) -> str:
    """What autocast's copy of a weight is called."""
    return f"{name} as {dtype}"


def weights_dtype(node: Node) -> str | None:
    """The dtype of the weights where it is not that of what arrives."""
    if not node.weights or node.weights[0].cast is not None or not node.input_types:
        return None
    dtype = node.weights[0].dtype
    return None if dtype == node.input_types[0].dtype else dtype


def spoiled(nodes: Iterable[Node], steps: Sequence[Followed]) -> dict[str, tuple[str, ...]]:
    """By layer that overwrites its input, those before it that had kept what was there.

    Torch counts the writes into a tensor, and in backward notices that a kept one was overwritten. Views and in-place
    results share the counter of the tensor that they are made of, and it is named by the storage of that; `Tensor.data`
    has its own, named by a number below nothing.
    """
    if not _may_spoil(steps):
        return {}
    counters: dict[str, Sequence[int]] = {}
    keepers: dict[int, dict[str, None]] = {}
    found: dict[str, tuple[str, ...]] = {}
    hidden = count(-1, -1)
    for node, step in zip(nodes, steps, strict=True):
        rules, reads = step.rules, zip(node.inputs, step.inputs, strict=True)
        around = [counters[port.producer][port.output] if port.producer in counters else at for port, at in reads]
        around += step.weights
        for index, weight in enumerate(node.weights if node.given else ()):
            port = node.given.get(weight.name)
            if port is not None and port.producer in counters:
                around[len(node.inputs) + index] = counters[port.producer][port.output]
        around += step.makes
        first_made = len(around) - len(step.makes)
        counters[node.name] = [
            next(hidden) if rules.hides_writes and each < first_made else around[each] for each in rules.outputs
        ]
        around += counters[node.name]
        if rules.overwrites and around[0] in keepers:
            found[node.name] = tuple(keepers[around[0]])
        for kept in rules.saved:
            keepers.setdefault(around[kept], {})[node.name] = None
    return found


def _may_spoil(steps: Sequence[Followed]) -> bool:
    """Whether a storage is overwritten that somebody keeps."""
    written = {step.inputs[0] for step in steps if step.rules.overwrites}
    kept: set[int] = set()
    for step in steps if written else ():
        if step.rules.overwrites and step.inputs[0] in kept:
            return True
        kept.update(written.intersection(step.saved))
    return False


StorageRole = Literal["input", "output", "weight", "saved"]
"""Of the network's inputs, of what layers put out, of parameters and buffers, of what lives for backward alone."""


class Storage(NamedTuple):
    """`owner` is the layer that makes it, or the network's input that it holds; `what` tells its storages apart."""

    owner: str
    role: StorageRole
    what: str
    tensor: TensorType

    @property
    def nbytes(self) -> int:
        return self.tensor.nbytes

    def __str__(self) -> str:
        return f"{self.owner} {self.what}"


@dataclass(frozen=True, slots=True)
class Kept:
    """`places` says in which storage each input of the network and each output of a layer lives, `layouts` how it
    lies there; `saved` lists for each layer, in order of execution, the storages that it keeps, each once.

    `spoiled` names, for a layer that overwrites its input, the layers before it that had kept what was there: torch
    refuses their backward, if it comes.
    """

    places: Mapping[Port, Storage]
    layouts: Mapping[Port, Layout]
    saved: Mapping[str, tuple[Storage, ...]]
    spoiled: Mapping[str, tuple[str, ...]]

    @property
    def storages(self) -> tuple[Storage, ...]:
        """All that is kept, each storage once, in the order in which it is first kept."""
        return tuple(dict.fromkeys(storage for kept in self.saved.values() for storage in kept))


def kept(
    graph: ModelGraph,
    training: bool = True,
    device: Device = "cpu",
    autograd: bool = True,
    torch: Torch | None = None,
    images_last: bool = False,
) -> Kept:
    """What one forward pass keeps under autograd, or without, by the rules of that torch or of the installed one.

    `images_last` has inputs of four axes arrive with their channels last.

    Raises nothing: every layer has its rule.
    """
    required = required_by(graph, autograd)
    walk = Walk(graph, training, device, required, required, torch or installed(), images_last)
    steps = walk.steps
    roles: dict[int, StorageRole] = {
        number: "saved" for step in steps for number in step.makes[len(step.makes) - step.rules.own :]
    }
    roles |= {number: "weight" for weights in walk.weights.values() for number in weights.values()}
    roles |= {walk.at[name][0]: "input" for name in graph.inputs}
    storages = [
        Storage(held.owner, roles.get(number, "output"), held.what, held.tensor)
        for number, held in enumerate(walk.held)
    ]
    ports = {Port(name, index): number for name, numbers in walk.at.items() for index, number in enumerate(numbers)}
    return Kept(
        {port: storages[number] for port, number in ports.items()},
        {port: walk.layouts[port.producer][port.output] for port in ports},
        {
            node.name: tuple([storages[number] for number in step.saved])
            for node, step in zip(graph.nodes, steps, strict=True)
        },
        spoiled(graph.nodes, steps),
    )


def required_by(graph: ModelGraph, autograd: bool) -> dict[str, Needs]:
    """What autograd prepares for in each layer, if it is on."""
    return gradients_required(graph) if autograd else dict.fromkeys([node.name for node in graph.nodes], NOTHING)
