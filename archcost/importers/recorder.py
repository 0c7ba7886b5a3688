"""What is written down while a module runs: layers, and which of their outputs each tensor is.

Tensors are known by their identity, so all of them are held until the record is finished: on the meta device that
costs nothing. A tensor that no call on the network's values made is a constant, and becomes a layer where it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from archcost.errors import ShapeError
from archcost.importers.identity import batch_axis, by_sample, mentions_batch, place_of, storage_of, type_of
from archcost.importers.opaque import OutOfSightError, constant_of, operation_of
from archcost.importers.recorded import AutocastRegion, Entry, Ref
from archcost.importers.torch.packed_sequences import ASSUMED
from archcost.importers.torch.proposal import SAMPLES, Proposal
from archcost.layers import LAYERS, Layer
from archcost.layers.base import Weight
from archcost.tensors import TensorType

EMPTY_OPERANDS = "what is joined and has no values is left out; the zeros that go back through it are not counted"

PROMOTED = frozenset(["add", "sub", "mul", "div", "maximum", "minimum", "pow", "scale", "rsub"])
"""Layers of values in pairs, whose operands may have different dtypes in torch."""


class ModuleWeight(NamedTuple):
    """A parameter or buffer of the module."""

    tensor: Tensor
    is_buffer: bool
    trainable: bool


class Overwrite(NamedTuple):
    """Values put into `numel` places: those of the first of `parts`, or a number.

    Other parts are indices along `dims`. `in_place` is a result that lies there already, as a view of it all.
    """

    parts: Sequence[Tensor]
    numel: int
    dims: Sequence[int] = ()
    in_place: bool = False


class Recorder:
    """The entries so far. `path` and `region` are set by who follows the modules, and their autocast."""

    def __init__(
        self, inputs: Mapping[str, Tensor], weights: Mapping[str, ModuleWeight], dtype: torch.dtype = torch.float32
    ) -> None:
        self.dtype = dtype
        """In which the module runs. What is written down is float32 all the same."""
        self.entries: list[Entry] = []
        self.path = ""
        self.region: AutocastRegion | None = None
        self.weights = weights
        self.batch_axes = {name: axis for name, tensor in inputs.items() if (axis := batch_axis(tensor)) is not None}
        self.batch_first: Ref | None = None
        self.held: list[Tensor] = []
        self.functions: list[Any] = []
        """The `ctx` of every autograd.Function that was heard to be applied."""
        self.assumptions: list[str] = []
        self.refs: dict[int, Ref] = {}
        self.places: dict[Any, Ref] = {}
        self.required: dict[int, bool] = {}
        self.detached: dict[int, Ref] = {}
        self.no_gradient: set[int] = set()
        """Tensors made of trained weights where autograd looked away: no gradient goes back from who reads them."""
        self.in_function = False
        """Whether what runs is forward of an autograd.Function: weights get no gradient from it."""
        self.pending: dict[int, list[tuple[Tensor, Overwrite, bool]]] = {}
        """What was written over part of a tensor, through views of it."""
        self.constants: list[tuple[int, int]] = []
        """Of each constant the storage that it lay in, and its entry."""
        self.opaques: dict[int, dict[int, str]] = {}
        """By entry of an opaque layer, its inputs and outputs by their storages."""
        self.known_since: dict[int, int] = {}
        """How many entries there were when a tensor was last known."""
        self.overwritten: dict[int, int] = {}
        """The same of a storage when something wrote over all of it, by the storage."""
        for name, tensor in inputs.items():
            self.register(tensor, Ref("input", name))
        for path, weight in weights.items():
            self.register(weight.tensor, Ref("weight", path))

    def assume(self, call: str) -> None:
        """Reading a call of this name may rest on something that is said with the numbers."""
        if call in ASSUMED and ASSUMED[call] not in self.assumptions:
            self.assumptions.append(ASSUMED[call])

    @property
    def batch_ref(self) -> Ref:
        """What is read for its batch alone: an input with the batch first, or else one that is turned for it."""
        if self.batch_first is None:
            name = min(self.batch_axes, key=self.batch_axes.__getitem__)
            self.batch_first = Ref("input", name)
            if axis := self.batch_axes[name]:
                turned = LAYERS["transpose"].model_validate({"type": "transpose", "dim0": 0, "dim1": axis})
                self.batch_first = self._add(turned, (self.batch_first,), {})
        return self.batch_first

    def float32_type(self, tensor: Tensor) -> TensorType:
        """What it is where weights are float32."""
        kind = type_of(tensor)
        low = str(self.dtype).removeprefix("torch.")
        return kind._replace(dtype="float32") if kind.dtype == low else kind

    def release(self) -> None:
        """Of all tensors, once nothing more is written down: what they were is in the entries."""
        for known in (self.held, self.functions, self.refs, self.places, self.pending, self.known_since, self.detached):
            known.clear()

    def register(self, tensor: Tensor, ref: Ref) -> None:
        if id(tensor) not in self.refs:
            self.held.append(tensor)
        self.refs[id(tensor)] = ref
        self.known_since[id(tensor)] = len(self.entries)
        self.detached.pop(id(tensor), None)

    def register_place(self, tensor: Tensor, ref: Ref) -> None:
        """Beneath autograd a view may come back as another object; it lies in the same place."""
        self.register(tensor, ref)
        self.places[place_of(tensor)] = ref

    def register_all_places(self) -> None:
        """From now on every tensor so far is also known by where it lies."""
        self.places.update({place_of(tensor): self.refs[id(tensor)] for tensor in self.held if tensor.is_meta})

    def find(self, tensor: Tensor) -> Ref | None:
        found = self.refs.get(id(tensor))
        if found is None and self.places and tensor.is_meta:
            found = self.places.get(place_of(tensor))
            if found is not None:
                self.register(tensor, found)
        return found

    def is_batch_counter(self, tensor: Tensor) -> bool:
        """Whether it is the counter of a batch norm, whose layer adds to it."""
        ref = self.find(tensor)
        return ref is not None and ref.kind == "weight" and str(ref.key).endswith("num_batches_tracked")

    def reference(self, tensor: Tensor, detached: bool = False) -> Ref:
        """Raises OutOfSightError."""
        for whole, written, apart in self.pending.pop(id(tensor), ()):
            if written.in_place:
                self._copy_instead(written.parts[0])
            self._overwrite(whole, written, apart)
        found = self.find(tensor)
        self.require_heard(tensor)
        if found is not None and self.overwritten and self._is_stale(tensor):
            self.opaque("a view of what was overwritten", (), (tensor,))
            found = self.refs[id(tensor)]
        if found is None:
            if tensor.requires_grad and not tensor.numel():
                raise OutOfSightError(
                    "a gradient goes back through a tensor without values, which no layer makes",
                    expected="sizes of at least 1",
                    found=str(type_of(tensor)),
                )
            if tensor.is_leaf:
                self.refuse_new(tensor)
            elif tensor.requires_grad:
                raise OutOfSightError(
                    "a tensor was made out of sight: by a compiled or scripted function, or a C++ extension",
                    expected="calls of torch that Python makes",
                    found=f"a tensor {type_of(tensor)} of {getattr(tensor.grad_fn, 'name', lambda: 'unknown')()}",
                )
            found = self._constant(tensor)
            self.register(tensor, found)
        if (detached and tensor.requires_grad) or (not detached and id(tensor) in self.no_gradient):
            if id(tensor) not in self.detached:
                self.detached[id(tensor)] = self.detach(found)
            return self.detached[id(tensor)]
        return found

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
        """Raises OutOfSightError for a weight that forward has made, or that lies in a list of the module's."""
        if tensor.requires_grad and torch.is_grad_enabled():
            raise OutOfSightError(
                "forward wants the gradient of a tensor that is none of the module's parameters",
                expected="weights that module.parameters() lists, made before forward runs",
                found=str(type_of(tensor)),
            )

    def detach(self, ref: Ref) -> Ref:
        return self.add(LAYERS["detach"](type="detach"), (ref,))

    def _is_stale(self, tensor: Tensor) -> bool:
        """Whether it is a view, and something wrote over the whole of what it is a view of."""
        written = self.overwritten.get(storage_of(tensor), 0) if tensor._is_view() else 0
        return written > self.known_since[id(tensor)]

    def base_of_view(self, target: Tensor) -> Tensor:
        """What an operation in place on `target` changes, asked before it runs: the tensor that it is a view of.

        Not where that is a tensor within an operator, which nobody else has a hand on.
        """
        base = target._base
        whole = target if base is None or (base.requires_grad and self.find(base) is None) else base
        for tensor in (whole, target):
            self.reference(tensor)  # a constant, as long as it is one
        return whole

    def overwrite(self, target: Tensor, whole: Tensor, written: Overwrite, detached: bool = False) -> None:
        """`whole`, which `target` is or is a view of, has other values in a part of it.

        Through a view, that is noted, and done when somebody reads the whole again. Where autograd looks away it stays
        what it was to autograd, and the write is done at once.
        """
        if detached and whole.requires_grad:
            self._overwrite(target, written, detached)
            return
        if whole is not target:
            self.pending.setdefault(id(whole), []).append((whole, written, detached))
            return
        self._overwrite(whole, written, detached)
        self.overwritten[storage_of(whole)] = len(self.entries)

    def _copy_instead(self, result: Tensor) -> None:
        """What overwrote a tensor through a view of it all, which somebody reads again."""
        ref = self.refs[id(result)]
        if ref.kind == "entry" and isinstance(ref.key, int):
            entry = self.entries[ref.key]
            self.entries[ref.key] = replace(entry, layer=entry.layer.model_copy(update={"inplace": False}))

    def _overwrite(self, whole: Tensor, written: Overwrite, detached: bool) -> None:
        fields = {"dims": written.dims} if written.dims else {}
        each, rest = divmod(written.numel, whole.shape[0] if whole.dim() else 1)
        if not written.dims and sum(part.numel() for part in written.parts) != written.numel and not rest:
            fields = {"numel": each}
        if not self.write(Proposal("write", (whole, *written.parts), fields), (whole,), detached):
            self.opaque("aten::copy_", (whole, *written.parts), (whole,))

    def _constant(self, tensor: Tensor) -> Ref:
        layer, sized = constant_of(self.float32_type(tensor))
        made = self._add(layer, (self.batch_ref,) if sized else (), {})
        assert isinstance(made.key, int)
        self.constants.append((storage_of(tensor), made.key))
        return made

    def write(
        self, proposal: Proposal, results: Sequence[Tensor], detached: bool = False, places: bool = False
    ) -> bool:
        """Add a layer for a call that returned these tensors. False where the layer's own rules say something else."""
        if proposal.type == "concat":
            proposal = self._without_empty_operands(proposal)
        if any(self.find(tensor) is not None for tensor in proposal.spared):
            proposal = replace(proposal, inputs=(*proposal.inputs, *proposal.spared))
        layer = self._matching_layer(proposal, results, proposal.inputs)
        dtype = self.float32_type(results[0]).dtype
        mixed = layer is None and proposal.type in PROMOTED
        if mixed:  # torch works on copies in the result's dtype
            layer = self._matching_layer(proposal, results, [tensor.to(results[0].dtype) for tensor in proposal.inputs])
        if layer is None:
            return False
        reads = [self.reference(tensor, detached) for tensor in proposal.inputs]
        if mixed:
            cast = LAYERS["cast"].model_validate({"type": "cast", "dtype": dtype})
            differs = [self.float32_type(tensor).dtype != dtype for tensor in proposal.inputs]
            reads = [self._add(cast, (ref,), {}) if wrong else ref for ref, wrong in zip(reads, differs, strict=True)]
        apart = detached and self.in_function
        weights = {
            name: self.reference(tensor, apart) for name, tensor in proposal.weights.items() if tensor is not None
        }
        made = self._add(layer, (*reads, self.batch_ref) if proposal.sized else tuple(reads), weights)
        assert isinstance(made.key, int)
        trained = [tensor for tensor in proposal.weights.values() if tensor is not None and tensor.requires_grad]
        no_gradient = (
            detached
            and not self.in_function
            and (trained or any(id(tensor) in self.no_gradient for tensor in proposal.inputs))
        )
        for output, tensor in enumerate(results):
            if detached and tensor.requires_grad and self.find(tensor) is not None:
                continue  # written over in place: to autograd it stays what it was
            (self.register_place if places else self.register)(tensor, Ref("entry", made.key, output))
            if no_gradient:
                self.no_gradient.add(id(tensor))
        return True

    def _without_empty_operands(self, proposal: Proposal) -> Proposal:
        """A concat without operands that have no values and that no layer makes."""
        filled = tuple([tensor for tensor in proposal.inputs if tensor.numel() or self.find(tensor) is not None])
        if not filled or len(filled) == len(proposal.inputs):
            return proposal
        if EMPTY_OPERANDS not in self.assumptions:
            self.assumptions.append(EMPTY_OPERANDS)
        return replace(proposal, inputs=filled)

    def _matching_layer(self, proposal: Proposal, results: Sequence[Tensor], inputs: Sequence[Tensor]) -> Layer | None:
        if proposal.type not in LAYERS or mentions_batch(proposal.fields.values()):
            return None
        types = tuple([self.float32_type(tensor) for tensor in inputs])
        if any(tensor.is_complex for tensor in types):
            return None
        if proposal.sized:
            types = (*types, TensorType((SAMPLES, 1)))
        try:
            layer = LAYERS[proposal.type].model_validate({"type": proposal.type, **proposal.fields})
            least, most = layer.arity
            if len(types) < least or (most is not None and len(types) > most):
                return None
            if layer.output_types(types) != tuple([self.float32_type(tensor) for tensor in results]):
                return None
            expected = layer.weights(types)
        except (ValidationError, ShapeError, KeyError, IndexError):
            return None
        return layer if _are_weights(expected, proposal.weights) else None

    def opaque(
        self,
        op: str,
        reads: Iterable[Tensor],
        results: Sequence[Tensor],
        places: bool = False,
        detached: bool = False,
    ) -> None:
        """An operation without a rule, as it was observed. Without floats it does no floating-point operation."""
        reads = list(reads)
        floats = any(type_of(tensor).is_floating for tensor in (*reads, *results))
        layer, sized = operation_of(op, [self.float32_type(tensor) for tensor in results], floats)
        refs = tuple([self.reference(tensor, detached) for tensor in reads])
        made = self._add(layer, (*refs, self.batch_ref) if sized else refs, {})
        assert isinstance(made.key, int)
        if layer.type == "opaque":
            words = {storage_of(each): _operand_name("output", index) for index, each in enumerate(results)}
            words |= {storage_of(each): _operand_name("input", index) for index, each in enumerate(reads)}
            self.opaques[made.key] = words
        for output, tensor in enumerate(results):
            (self.register_place if places else self.register)(tensor, Ref("entry", made.key, output))

    def add(self, layer: Layer, reads: tuple[Ref, ...]) -> Ref:
        """A layer that is none of a call of torch."""
        return self._add(layer, reads, {})

    def note_saved(self, first: int, saved: Sequence[Tensor]) -> None:
        """What autograd was seen to keep while the entries from `first` on were made, told of the opaque ones."""
        expected = [index for index in self.opaques if index >= first]
        kept: dict[int, list[str]] = {index: [] for index in expected}
        own: dict[int, list[tuple[int, ...]]] = {index: [] for index in expected}
        for tensor in saved if expected else ():
            holders = [index for index in expected if storage_of(tensor) in self.opaques[index]]
            for index in holders:
                kept[index].append(self.opaques[index][storage_of(tensor)])
            if not holders and self.find(tensor) is None:
                own[expected[-1]].append(by_sample(tensor))
        for index in expected:
            fields = {"holding": tuple(dict.fromkeys(kept[index])), "saved": tuple(own[index])}
            entry = self.entries[index]
            self.entries[index] = replace(entry, layer=entry.layer.model_copy(update=fields))

    def _add(self, layer: Layer, reads: tuple[Ref, ...], weights: Mapping[str, Ref]) -> Ref:
        self.entries.append(Entry(layer, reads, weights, self.path, self.region))
        return Ref("entry", len(self.entries) - 1)


def _operand_name(side: str, index: int) -> str:
    return f"{side}:{index}" if index else side


def _are_weights(expected: Sequence[Weight], given: Mapping[str, Tensor | None]) -> bool:
    """Whether the call's tensors are the layer's weights. Batch norm counts its batches by itself."""
    shapes = {weight.name: weight.shape for weight in expected if weight.name != "num_batches_tracked"}
    return shapes == {name: tuple(tensor.shape) for name, tensor in given.items() if tensor is not None}
