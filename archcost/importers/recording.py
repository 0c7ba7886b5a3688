"""The layers recorded so far, and which output of which of them every tensor is.

Tensors are told apart by identity, so all are referenced until the recording ends, which costs nothing on the meta
device.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from archcost.importers.identity import batch_axis, place_of, storage_of, type_of
from archcost.importers.opaque import OutOfSightError
from archcost.importers.recorded import AutocastRegion, Entry, Ref
from archcost.layers import LAYERS, Layer
from archcost.tensors import TensorType


class Recording:
    """The entries so far. `path` (of the module that runs) and `region` (its own autocast) are set from outside."""

    def __init__(self, inputs: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        self.dtype = dtype
        """The dtype that the module runs in. Entries are float32 in any case."""
        self.entries: list[Entry] = []
        self.path = ""
        self.region: AutocastRegion | None = None
        self.batch_axes = {name: axis for name, tensor in inputs.items() if (axis := batch_axis(tensor)) is not None}
        self.batch_first: Ref | None = None
        self.held: list[Tensor] = []
        self.functions: list[Any] = []
        """The `ctx` of every autograd.Function whose application was intercepted."""
        self.refs: dict[int, Ref] = {}
        self.places: dict[Any, Ref] = {}
        self.detached: dict[int, Ref] = {}
        self.known_since: dict[int, int] = {}
        """The number of entries when a tensor was registered."""
        self.overwritten: dict[int, int] = {}
        """The number of entries when a whole storage was written over."""

    def float32_type(self, tensor: Tensor) -> TensorType:
        """The type that it has when weights are float32."""
        kind = type_of(tensor)
        low = str(self.dtype).removeprefix("torch.")
        return kind._replace(dtype="float32") if kind.dtype == low else kind

    def release(self) -> None:
        """Drop all references to tensors, when the recording has ended."""
        for known in (self.held, self.functions, self.refs, self.places, self.known_since, self.detached):
            known.clear()

    def register(self, tensor: Tensor, ref: Ref) -> None:
        if id(tensor) not in self.refs:
            self.held.append(tensor)
        self.refs[id(tensor)] = ref
        self.known_since[id(tensor)] = len(self.entries)
        self.detached.pop(id(tensor), None)

    def register_place(self, tensor: Tensor, ref: Ref) -> None:
        """Register it also by where it lies, since below autograd a view may come back as another object."""
        self.register(tensor, ref)
        self.places[place_of(tensor)] = ref

    def register_all_places(self) -> None:
        """Register all tensors so far by where they lie."""
        self.places.update({place_of(tensor): self.refs[id(tensor)] for tensor in self.held if tensor.is_meta})

    def find(self, tensor: Tensor) -> Ref | None:
        found = self.refs.get(id(tensor))
        if found is None and self.places and tensor.is_meta:
            found = self.places.get(place_of(tensor))
            if found is not None:
                self.register(tensor, found)
        return found

    def is_batch_counter(self, tensor: Tensor) -> bool:
        """Whether it is `num_batches_tracked` of a batch norm, which the layer itself counts up."""
        ref = self.find(tensor)
        return ref is not None and ref.kind == "weight" and str(ref.key).endswith("num_batches_tracked")

    def require_heard(self, tensor: Tensor) -> None:
        """Raises OutOfSightError for a result of an autograd.Function that was applied unheard: torch 2.14's `apply` is
        a builtin, of which a name that was bound before tells nobody.
        """
        asks = tensor.requires_grad and torch.is_grad_enabled() and not tensor._is_view()
        node = tensor.grad_fn if asks else None
        if isinstance(node, BackwardCFunction) and all(node is not each for each in self.functions):
            name = type(node).__name__.removesuffix("Backward")
            raise OutOfSightError(
                f"{name} was applied by another name for {name}.apply, so that its backward was not seen",
                expected=f"{name}.apply(…) where it is called",
                found=f"a tensor {type_of(tensor)} that it returned",
            )

    def refuse_new(self, tensor: Tensor) -> None:
        """Raises OutOfSightError for a trained tensor that is no parameter of the module."""
        if tensor.requires_grad and torch.is_grad_enabled():
            raise OutOfSightError(
                "forward wants the gradient of a tensor that is none of the module's parameters",
                expected="weights that module.parameters() lists, made before forward runs",
                found=str(type_of(tensor)),
            )

    def is_stale(self, tensor: Tensor) -> bool:
        """Whether it is a view of a tensor that has been written over since it was registered."""
        written = self.overwritten.get(storage_of(tensor), 0) if tensor._is_view() else 0
        return written > self.known_since[id(tensor)]

    @property
    def batch_ref(self) -> Ref:
        """The input that layers read for the size of the batch: one with the batch first, or a transpose of one."""
        if self.batch_first is None:
            name = min(self.batch_axes, key=self.batch_axes.__getitem__)
            self.batch_first = Ref("input", name)
            if axis := self.batch_axes[name]:
                turned = LAYERS["transpose"].model_validate({"type": "transpose", "dim0": 0, "dim1": axis})
                self.batch_first = self._add(turned, (self.batch_first,), {})
        return self.batch_first

    def detach(self, ref: Ref) -> Ref:
        return self.add(LAYERS["detach"](type="detach"), (ref,))

    def add(self, layer: Layer, reads: tuple[Ref, ...]) -> Ref:
        """Add a layer that stands for no call of torch."""
        return self._add(layer, reads, {})

    def _add(self, layer: Layer, reads: tuple[Ref, ...], weights: Mapping[str, Ref]) -> Ref:
        self.entries.append(Entry(layer, reads, weights, self.path, self.region))
        return Ref("entry", len(self.entries) - 1)
