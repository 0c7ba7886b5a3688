"""Where every tensor of a network lives, and which storages autograd keeps for backward.

A storage is what is allocated and freed at once. Views, in-place results and shared weights lead to one storage,
which is therefore counted once, whoever keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from archcost.graph import ModelGraph, Node, Port
from archcost.layers import Write
from archcost.layers.base import Layer, Weight
from archcost.layers.rules import Autograd, Call, NewView, Placement, without_gradients
from archcost.passes.gradients import NOTHING, Needs, gradients_required
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import (
    PASSED_ON,
    Device,
    Gradient,
    Handed,
    Input,
    Output,
    Own,
    Saved,
    Scratch,
    Setting,
    Stage,
    Stored,
    excess,
)
from archcost.terms.memory_format import Layout, channels_last
from archcost.terms.torch_releases import Torch, installed

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


class Passing(NamedTuple):
    """What backward gives the inputs of a layer, and what lives only while the layer runs."""

    gradients: tuple[Gradient, ...]
    scratch: Scratch
    dropped: tuple[Own, ...]
    """In place of the scratch of forward, what lives then under a checkpoint, which drops at once what is kept."""
    viewed: tuple[bool, ...]
    """Whether the new gradient of each input is a view."""
    turned: bool
    """Whether the gradient of `weight` lies in another order than the weight."""
    stages: tuple[Stage, ...]
    outlives: tuple[int, ...]
    zeros: tuple[TensorType | None, ...]


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
    passing: Mapping[str, Passing]
    required: Mapping[str, Needs]
    """What autograd prepares for in each layer."""

    @property
    def storages(self) -> tuple[Storage, ...]:
        """All that is kept, each storage once, in the order in which it is first kept."""
        return unique(storage for kept in self.saved.values() for storage in kept)


Counter = Storage | Port
"""What counts the writes into a tensor, by which torch notices in backward that a kept one was overwritten: views and
in-place results share it with the tensor that they are made of, and it is named by that; `Tensor.data` has its own.
"""


class Answers(NamedTuple):
    """What a layer says of one call. Equal layers on equal inputs share it."""

    saved: tuple[Saved, ...]
    aliases: tuple[int | str | None, ...]
    layouts: tuple[Layout, ...]
    overwrites: bool
    is_view: bool
    allocated: Tensors
    hides_writes: bool
    passing: Passing


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
    release = torch or installed()
    places = {Port(name): Storage(name, "input", "input", tensor) for name, tensor in graph.inputs.items()}
    layouts: dict[Port, Layout] = {
        Port(name): channels_last(tensor.shape) if images_last and tensor.rank == 4 else None
        for name, tensor in graph.inputs.items()
    }
    required = gradients_required(graph) if autograd else dict.fromkeys((node.name for node in graph.nodes), NOTHING)
    saved: dict[str, tuple[Storage, ...]] = {}
    counters: dict[Port, Counter] = dict(places.items())
    keepers: dict[Counter, dict[str, None]] = {}
    spoiled: dict[str, tuple[str, ...]] = {}
    known: dict[tuple[int, Setting], Answers] = {}
    passing: dict[str, Passing] = {}
    views: set[Port] = set()
    for node in graph.nodes:
        setting = _setting(node, required[node.name], layouts, training, device, release)
        key = (id(node.facts), setting)
        if key not in known:
            known[key] = ask(node.layer, Call(node.input_types, node.output_types, setting))
        rules = known[key]
        passing[node.name] = rules.passing
        for index, (alias, layout) in enumerate(zip(rules.aliases, rules.layouts, strict=True)):
            port = Port(node.name, index)
            places[port] = _made(node, index, rules.allocated[index]) if alias is None else _lies(alias, node, places)
            counters[port] = _counted(alias, node, port, rules.hides_writes, places, counters)
            layouts[port] = layout
        onto_view = rules.overwrites and node.inputs[0] in views
        if rules.is_view or onto_view:
            views.add(Port(node.name))
        if onto_view and setting.needs and not isinstance(node.layer, Write):
            passing[node.name] = _through_view(rules.passing, node.input_types[0], places[node.inputs[0]].tensor)
        if rules.overwrites:
            spoiled[node.name] = tuple(keepers.get(counters[node.inputs[0]], ()))
        saved[node.name] = unique(_follow(reference, node, places) for reference in rules.saved)
        for reference in rules.saved:
            if not isinstance(reference, Own):
                keepers.setdefault(_counter(reference, node, places, counters), {})[node.name] = None
    refused = {name: keepers for name, keepers in spoiled.items() if keepers}
    return Kept(places, layouts, saved, refused, passing, required)


def ask(layer: Layer, call: Call) -> Answers:
    """A layer's own values, as the storages of a network want them."""
    setting = call.setting
    autograd, placement = layer.autograd(call), layer.placement(call)
    gradients = tuple([given.tensor if isinstance(given, NewView) else given for given in autograd.gradients])
    forward = autograd.forward if setting.needs else autograd.where_nobody_needs()
    return Answers(
        autograd.saved if setting.needs else (),
        placement.aliases,
        placement.layouts,
        layer.overwrites(setting),
        _is_view(layer, placement, gradients, setting),
        placement.allocated or call.outputs,
        placement.hides_writes,
        Passing(
            gradients,
            Scratch(forward, autograd.backward),
            _dropped(layer, call, autograd),
            tuple([isinstance(given, NewView) for given in autograd.gradients]),
            autograd.turns_weight_gradient,
            autograd.stages if setting.needs else (),
            autograd.outlives,
            autograd.zeros,
        ),
    )


def _is_view(layer: Layer, placement: Placement, gradients: tuple[Gradient, ...], setting: Setting) -> bool:
    """Whether the first output is a view to autograd: it is not where an input is overwritten, or handed out."""
    if placement.is_view is not None:
        return placement.is_view
    return placement.aliases[0] == 0 and not layer.overwrites(setting) and gradients[0] != PASSED_ON


def _dropped(layer: Layer, call: Call, autograd: Autograd) -> tuple[Own, ...]:
    """What lives beside the outputs at forward's worst moment where a checkpoint drops at once what is kept."""
    if not call.setting.needs:
        return autograd.where_nobody_needs()
    if "composed" in layer.quirks:
        return layer.autograd(replace(call, setting=without_gradients(call.setting))).where_nobody_needs()
    return (*autograd.own(), *autograd.forward)


def _through_view(passing: Passing, view: TensorType, whole: TensorType) -> Passing:
    """Backward of a layer that overwrites a view.

    What arrived is put into zeros like the whole (as_strided_backward in torch/csrc/autograd/FunctionsManual.cpp); of
    those a copy is made, and of the view's part in it a second one, which takes the place of what arrived. The layer's
    own gradient is then put into the first (CopySlices in torch/csrc/autograd/functions/tensor.cpp).
    """
    first, *rest = passing.gradients
    handed = isinstance(first, Handed)
    extra = excess("gradient of the whole, twice", 2 * whole.numel - (view.numel if handed else 0), view.dtype)
    scratch = replace(passing.scratch, backward=(*passing.scratch.backward, *extra))
    return passing._replace(gradients=(view if handed else first, *rest), scratch=scratch)


def _lies(alias: int | str, node: Node, places: Mapping[Port, Storage]) -> Storage:
    """Where an output lies that has no storage of its own."""
    return _stored(alias, node, places) if isinstance(alias, str) else places[node.inputs[alias]]


def _counted(
    alias: int | str | None,
    node: Node,
    port: Port,
    hides_writes: bool,
    places: Mapping[Port, Storage],
    counters: Mapping[Port, Counter],
) -> Counter:
    """The counter of an output."""
    if alias is None:
        return places[port]
    if hides_writes:
        return port
    return _counter(Stored(alias) if isinstance(alias, str) else Input(alias), node, places, counters)


def _counter(
    reference: Input | Output | Stored,
    node: Node,
    places: Mapping[Port, Storage],
    counters: Mapping[Port, Counter],
) -> Counter:
    match reference:
        case Input(index):
            return counters[node.inputs[index]]
        case Output(index):
            return counters[Port(node.name, index)]
        case Stored(name):
            return counters[node.given[name]] if name in node.given else _stored(name, node, places)


def _made(node: Node, index: int, tensor: TensorType) -> Storage:
    return Storage(node.name, "output", f"output {index}" if index else "output", tensor)


def unique(storages: Iterable[Storage]) -> tuple[Storage, ...]:
    return tuple(dict.fromkeys(storages))


def _setting(
    node: Node, needs: Needs, layouts: Mapping[Port, Layout], training: bool, device: Device, torch: Torch
) -> Setting:
    arriving = tuple([layouts[port] for port in node.inputs])
    given = arriving if any(layout is not None for layout in arriving) else ()
    return Setting(frozenset(needs.operands), training, device, given, weights_dtype(node), torch)


def weights_dtype(node: Node) -> str | None:
    """The dtype of the weights where it is not that of what arrives."""
    if not node.weights or node.weights[0].cast is not None or not node.input_types:
        return None
    dtype = node.weights[0].dtype
    return None if dtype == node.input_types[0].dtype else dtype


def _follow(reference: Saved, node: Node, places: Mapping[Port, Storage]) -> Storage:
    """The storage that a reference leads to."""
    match reference:
        case Input(index):
            return places[node.inputs[index]]
        case Output(index):
            return places[Port(node.name, index)]
        case Stored(name):
            return _stored(name, node, places)
        case own:
            return Storage(node.name, "saved", own.what, own.tensor)


def _stored(name: str, node: Node, places: Mapping[Port, Storage]) -> Storage:
    """Weights have the dtype of what arrives. A transposed weight is a view of its owner's, whose size is the same."""
    if name in node.given:
        return places[node.given[name]]
    weight = next(weight for weight in node.weights if weight.name == name)
    shape, owner, dtype = weight.shape, node.name, weight.dtype or node.input_types[0].dtype
    if name == "weight" and node.shared is not None:
        owner = node.shared.owner
        shape = (shape[1], shape[0], *shape[2:]) if node.shared.transposed else shape
    if weight.cast is not None:
        owner, _ = copy_owner(node, weight)
        return Storage(owner, "weight", copied(name, weight.cast), TensorType(shape, weight.cast))
    return Storage(owner, "weight", name, TensorType(shape, dtype))


def copy_owner(node: Node, weight: Weight) -> tuple[str, bool]:
    """Whose copy autocast makes of a weight, and whether it is one of a transposed weight: such is the reader's own."""
    if weight.name != "weight" or node.shared is None:
        return node.name, False
    return (node.name, True) if node.shared.transposed else (node.shared.owner, False)


def copied(name: str, dtype: str) -> str:
    """What autocast's copy of a weight is called."""
    return f"{name} as {dtype}"
