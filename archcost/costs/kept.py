"""Where every tensor of a network lives, and which storages autograd keeps for backward.

A storage is what is allocated and freed at once. Views, in-place results and shared weights lead to one storage,
which is therefore counted once, whoever keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from archcost.costs.gradients import Needs, gradients_required
from archcost.graph import ModelGraph, Node, Port
from archcost.keeping import Device, Input, Output, Saved, Setting, Stored
from archcost.layouts import Layout
from archcost.tensors import TensorType

Role = Literal["input", "output", "weight", "saved"]
"""Of the network's inputs, of what layers put out, of parameters and buffers, of what lives for backward alone."""


class Storage(NamedTuple):
    """`owner` is the layer that makes it, or the network's input that it holds; `what` tells its storages apart."""

    owner: str
    role: Role
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
    """

    places: Mapping[Port, Storage]
    layouts: Mapping[Port, Layout]
    saved: Mapping[str, tuple[Storage, ...]]

    @property
    def storages(self) -> tuple[Storage, ...]:
        """All that is kept, each storage once, in the order in which it is first kept."""
        return unique(storage for kept in self.saved.values() for storage in kept)


def kept(graph: ModelGraph, training: bool = True, device: Device = "cpu") -> Kept:
    """What one forward pass keeps under autograd. Raises nothing: every layer has its rule."""
    places = {Port(name): Storage(name, "input", "input", tensor) for name, tensor in graph.inputs.items()}
    layouts: dict[Port, Layout] = dict.fromkeys(places)
    required = gradients_required(graph)
    saved: dict[str, tuple[Storage, ...]] = {}
    for node in graph.nodes:
        setting = _setting(node, required[node.name], layouts, training, device)
        inputs, outputs = node.input_types, node.output_types
        aliases = node.layer.aliases(inputs, outputs, setting)
        orders = node.layer.layouts(inputs, outputs, setting)
        for index, (tensor, alias, order) in enumerate(zip(outputs, aliases, orders, strict=True)):
            port = Port(node.name, index)
            made = Storage(node.name, "output", f"output {index}" if index else "output", tensor)
            places[port] = made if alias is None else places[node.inputs[alias]]
            layouts[port] = order
        references = node.layer.saved(inputs, outputs, setting)
        saved[node.name] = unique(_follow(reference, node, places) for reference in references)
    return Kept(places, layouts, saved)


def unique(storages: Iterable[Storage]) -> tuple[Storage, ...]:
    return tuple(dict.fromkeys(storages))


def _setting(node: Node, needs: Needs, layouts: Mapping[Port, Layout], training: bool, device: Device) -> Setting:
    arriving = tuple([layouts[port] for port in node.inputs])
    given = arriving if any(layout is not None for layout in arriving) else ()
    return Setting(frozenset(needs.operands), training, device, given)


def _follow(reference: Saved, node: Node, places: Mapping[Port, Storage]) -> Storage:
    """The storage that a reference leads to."""
    match reference:
        case Input(index):
            return places[node.inputs[index]]
        case Output(index):
            return places[Port(node.name, index)]
        case Stored(name):
            return _stored(name, node)
        case own:
            return Storage(node.name, "saved", own.what, own.tensor)


def _stored(name: str, node: Node) -> Storage:
    """Weights have the dtype of what arrives. A transposed weight is a view of its owner's, whose size is the same."""
    shape = next(weight.shape for weight in node.weights if weight.name == name)
    owner = node.name
    if name == "weight" and node.shared is not None:
        owner = node.shared.owner
        shape = (shape[1], shape[0], *shape[2:]) if node.shared.transposed else shape
    return Storage(owner, "weight", name, TensorType(shape, node.input_types[0].dtype))
