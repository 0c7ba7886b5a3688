"""What autograd really keeps: a layer or a network is run, and every saved tensor is followed to its storage.

Torch hands each tensor that it saves to `saved_tensors_hooks`; nothing of archcost's rules is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from archcost.graph import Port
from archcost.pytorch.network import Network, as_tuple, module_at

BytesByName = dict[str, int]


@dataclass(frozen=True, slots=True)
class LayerSaved:
    """`shared` are the storages that others have a hand on, by name with their bytes; `own` the bytes of the rest."""

    shared: Mapping[str, int]
    own: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NetworkSaved:
    """By layer; and for every input and output of a layer the name of the storage that it lives in, and its strides.

    A storage is named by who has it first: an input, `layer` or `layer:1` for an output, `layer.weight`.
    """

    layers: Mapping[str, LayerSaved]
    places: Mapping[str, str]
    strides: Mapping[str, tuple[int, ...]]

    @property
    def nbytes(self) -> int:
        """All that is kept, each storage once."""
        shared: BytesByName = {}
        for layer in self.layers.values():
            shared |= layer.shared
        return sum(shared.values()) + sum(sum(layer.own) for layer in self.layers.values())


def address(tensor: Tensor) -> int:
    """The address of the tensor's storage, the same for all views of it."""
    return tensor.untyped_storage().data_ptr()


@dataclass(slots=True)
class _Record:
    """Saved tensors as they come, by the layer that runs; every tensor is held, so that no address is used twice."""

    running: str = ""
    saved: dict[str, list[Tensor]] = field(default_factory=dict[str, list[Tensor]])
    names: dict[int, str] = field(default_factory=dict[int, str])
    held: list[Tensor] = field(default_factory=list[Tensor])

    def pack(self, tensor: Tensor) -> None:
        self.saved.setdefault(self.running, []).append(tensor.detach())

    def unpack(self, packed: Any) -> Tensor:
        raise RuntimeError("a network that is only watched has no backward")

    def name(self, name: str, tensor: Tensor) -> str:
        """The first name of the tensor's storage."""
        self.held.append(tensor.detach())
        return self.names.setdefault(address(tensor), name)

    def of(self, layer: str) -> LayerSaved:
        found = {address(tensor): tensor for tensor in self.saved.get(layer, ())}
        sizes = {place: tensor.untyped_storage().nbytes() for place, tensor in found.items()}
        shared = {self.names[place]: size for place, size in sizes.items() if place in self.names}
        return LayerSaved(
            shared, tuple(sorted(size for place, size in sizes.items() if size and place not in self.names))
        )


def watch(module: nn.Module, inputs: Sequence[Tensor]) -> NetworkSaved:
    """Saved tensors of one layer (`layer`) with inputs `0`, `1`, …, which require gradients as they are set to."""
    record = _Record("layer")
    places = {str(index): record.name(str(index), tensor) for index, tensor in enumerate(inputs)}
    _name_stored(record, "layer", module)
    with saved_tensors_hooks(record.pack, record.unpack):
        results = as_tuple(module(*inputs))
    strides: dict[str, tuple[int, ...]] = {}
    _note_outputs(record, "layer", results, places, strides)
    return NetworkSaved({"layer": record.of("layer")}, places, strides)


def watch_network(network: Network, inputs: Mapping[str, Tensor]) -> NetworkSaved:
    """Saved tensors of a forward pass of the network, in its current mode."""
    record = _Record()
    places = {name: record.name(name, tensor) for name, tensor in inputs.items()}
    strides: dict[str, tuple[int, ...]] = {}
    handles: list[Any] = []
    for step in network.steps:
        module = module_at(network, step.name)
        _name_stored(record, step.name, module)

        def begins(module: nn.Module, given: Any, layer: str = step.name) -> None:
            record.running = layer

        def ends(module: nn.Module, given: Any, results: Any, layer: str = step.name) -> None:
            _note_outputs(record, layer, as_tuple(results), places, strides)

        handles += [module.register_forward_pre_hook(begins), module.register_forward_hook(ends)]
    try:
        with saved_tensors_hooks(record.pack, record.unpack):
            network(**inputs)
    finally:
        for handle in handles:
            handle.remove()
    return NetworkSaved({step.name: record.of(step.name) for step in network.steps}, places, strides)


def _name_stored(record: _Record, layer: str, module: nn.Module) -> None:
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        record.name(f"{layer}.{name}", tensor)


def _note_outputs(
    record: _Record,
    layer: str,
    results: Sequence[Tensor],
    places: dict[str, str],
    strides: dict[str, tuple[int, ...]],
) -> None:
    for index, tensor in enumerate(results):
        port = str(Port(layer, index))
        places[port] = record.name(port, tensor)
        strides[port] = tuple(tensor.stride())
