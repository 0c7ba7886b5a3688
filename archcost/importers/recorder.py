"""`Recorder`: the layers of a module, recorded while it runs, and which output of which layer every tensor is.

A tensor that no recorded call made is a constant, which is recorded as a layer when something reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor

from archcost.errors import ShapeError
from archcost.importers import detection
from archcost.importers.author_formulas import Formulas
from archcost.importers.identity import by_sample, mentions_batch, storage_of, type_of
from archcost.importers.opaque import OutOfSightError, constant_of, operation_of
from archcost.importers.recorded import Ref
from archcost.importers.recording import Recording
from archcost.importers.torch.proposal import SAMPLES, Proposal
from archcost.importers.torch.recurrent import ASSUMED
from archcost.layers import LAYERS, Layer
from archcost.layers.base import Weight
from archcost.layers.shape.copy import WEIGHTS
from archcost.tensors import TensorType

EMPTY_OPERANDS = "what is joined and has no values is left out; the zeros that go back through it are not counted"

PROMOTED = frozenset(["add", "sub", "mul", "div", "maximum", "minimum", "pow", "scale", "rsub"])
"""Layers of values in pairs, whose operands may have different dtypes in torch."""


class ModuleWeight(NamedTuple):
    """A parameter or buffer of the module. `stays_wide`: in float32, in a module most of which is in 16 bits."""

    tensor: Tensor
    is_buffer: bool
    trainable: bool
    stays_wide: bool = False


class Overwrite(NamedTuple):
    """A write over part of a tensor: `numel` values, of the first of `parts` or a number; other parts are indices along
    `dims`. With `in_place` the values are already there, since the result is a view of the tensor.
    """

    parts: Sequence[Tensor]
    numel: int
    dims: Sequence[int] = ()
    in_place: bool = False


class Recorder(Recording):
    """Adds layers to a recording, for the calls of a module and for what was written over between them."""

    def __init__(
        self, inputs: Mapping[str, Tensor], weights: Mapping[str, ModuleWeight], dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(inputs, dtype)
        self.weights = weights
        self.assumptions: list[str] = []
        self.required: dict[int, bool] = {}
        self.no_gradient: set[int] = set()
        """Tensors made of trained weights while autograd was off: no gradient flows back through them."""
        self.in_function = False
        """Whether the forward of an autograd.Function runs, whose calls give weights no gradient."""
        self.pending: dict[int, list[tuple[Tensor, Overwrite, bool]]] = {}
        """Writes through a view, by the tensor viewed. They are recorded when that tensor is read again."""
        self.constants: list[tuple[int, int]] = []
        """The storage and the entry of every constant."""
        self.opaques: dict[int, dict[int, str]] = {}
        """For every opaque entry the names of its inputs and outputs, by their storages."""
        for name, tensor in inputs.items():
            self.register(tensor, Ref("input", name))
        for path, weight in weights.items():
            self.register(weight.tensor, Ref("weight", path))

    def assume(self, call: str) -> None:
        """Note the assumption that the rule of this call makes, if it makes one."""
        said = ASSUMED.get(call) or detection.ASSUMED.get(call)
        if said and said not in self.assumptions:
            self.assumptions.append(said)

    def release(self) -> None:
        super().release()
        self.pending.clear()

    def reference(self, tensor: Tensor, detached: bool = False) -> Ref:
        """Where a tensor that a layer reads comes from; else a constant is recorded. Raises OutOfSightError."""
        for whole, written, apart in self.pending.pop(id(tensor), ()):
            if written.in_place:
                self._copy_instead(written.parts[0])
            self._overwrite(whole, written, apart)
        found = self.find(tensor)
        self.require_heard(tensor)
        if found is not None and self.overwritten and self.is_stale(tensor):
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

    def base_of_view(self, target: Tensor) -> Tensor:
        """The tensor that an operation in place on `target` changes, asked before it runs: the base of a view, unless
        that is internal to an operator.
        """
        base = target._base
        whole = target if base is None or (base.requires_grad and self.find(base) is None) else base
        for tensor in (whole, target):
            self.reference(tensor)  # a constant, as long as it is one
        return whole

    def overwrite(self, target: Tensor, whole: Tensor, written: Overwrite, detached: bool = False) -> None:
        """Record that a part of `whole` got other values, through `target`, which is `whole` or a view of it.

        A write through a view is recorded when `whole` is read again; at once where autograd is off, since to autograd
        `whole` is unchanged then.
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
        """Make the layer of `result` one that copies: it wrote through a view, and its input is read again."""
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

    def follow_weights(self, constants: Sequence[tuple[int, int]], given: Sequence[Tensor]) -> None:
        """Let constants that an operator makes for itself, as zeros like its input, have the dtype of the weights: all
        but those that it was given.
        """
        theirs = {storage_of(tensor) for tensor in given}
        for storage, index in constants:
            entry = self.entries[index]
            if storage not in theirs and getattr(entry.layer, "dtype", None) == "float32":
                self.entries[index] = replace(entry, layer=entry.layer.model_copy(update={"dtype": WEIGHTS}))

    def write(
        self, proposal: Proposal, results: Sequence[Tensor], detached: bool = False, places: bool = False
    ) -> bool:
        """Add the proposed layer for a call with these results. False where the layer's own rules give others."""
        if proposal.type == "concat":
            proposal = self._without_empty_operands(proposal)
        results = results[: proposal.outputs]
        if any(self.find(tensor) is not None for tensor in proposal.spared):
            proposal = replace(proposal, inputs=(*proposal.inputs, *proposal.spared))
        layer = _matching_layer(self, proposal, results, proposal.inputs)
        dtype = self.float32_type(results[0]).dtype
        mixed = layer is None and proposal.type in PROMOTED
        if mixed:  # torch works on copies in the result's dtype
            layer = _matching_layer(
                self, proposal, results, [tensor.to(results[0].dtype) for tensor in proposal.inputs]
            )
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
        of_weights = any(tensor is not None and tensor.requires_grad for tensor in proposal.weights.values())
        cut_off = of_weights or any(id(tensor) in self.no_gradient for tensor in proposal.inputs)
        no_gradient = detached and not self.in_function and cut_off
        for output, tensor in enumerate(results):
            if detached and tensor.requires_grad and self.find(tensor) is not None:
                continue  # written over in place: to autograd it stays what it was
            (self.register_place if places else self.register)(tensor, Ref("entry", made.key, output))
            if no_gradient:
                self.no_gradient.add(id(tensor))
        return True

    def _without_empty_operands(self, proposal: Proposal) -> Proposal:
        """A concat without operands that are empty and constant."""
        filled = tuple([tensor for tensor in proposal.inputs if tensor.numel() or self.find(tensor) is not None])
        if not filled or len(filled) == len(proposal.inputs):
            return proposal
        if EMPTY_OPERANDS not in self.assumptions:
            self.assumptions.append(EMPTY_OPERANDS)
        return replace(proposal, inputs=filled)

    def opaque(
        self,
        op: str,
        reads: Iterable[Tensor],
        results: Sequence[Tensor],
        places: bool = False,
        detached: bool = False,
    ) -> None:
        """Add an opaque layer for an operation that no rule proposes."""
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

    def note_formulas(self, told: Formulas, op: str) -> None:
        """Add to the last entry, which is opaque, what formulas of the operator's author say."""
        if told.problem is not None:
            self.assumptions.append(f"nothing is told by the author of {op}: {told.problem}")
        entry = self.entries[-1]
        if told.forward is None or entry.layer.type != "opaque":
            return
        grows = any(axis is not None for axis in entry.layer.model_dump()["batch_dims"])
        fields = {"flops": told.forward, "backward_flops": told.backward}
        if not grows and any(len(each or ()) > 1 for each in fields.values()):
            self.assumptions.append(
                f"nothing is told by the author of {op}: what it makes does not grow with the batch"
            )
            return
        self.entries[-1] = replace(entry, layer=entry.layer.model_copy(update=fields))

    def note_saved(self, first: int, saved: Sequence[Tensor]) -> None:
        """Add to the opaque entries from `first` on which tensors autograd was seen to save of them."""
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


def _matching_layer(
    known: Recording, proposal: Proposal, results: Sequence[Tensor], inputs: Sequence[Tensor]
) -> Layer | None:
    if proposal.type not in LAYERS or mentions_batch(proposal.fields.values()):
        return None
    types = tuple([known.float32_type(tensor) for tensor in inputs])
    if not LAYERS[proposal.type].takes_complex and any(tensor.is_complex for tensor in types):
        return None
    if proposal.sized:
        types = (*types, TensorType((SAMPLES, 1)))
    try:
        layer = LAYERS[proposal.type].model_validate({"type": proposal.type, **proposal.fields})
        least, most = layer.arity
        if len(types) < least or (most is not None and len(types) > most):
            return None
        if layer.output_types(types) != tuple([known.float32_type(tensor) for tensor in results]):
            return None
        expected = layer.weights(types)
    except (ValidationError, ShapeError, KeyError, IndexError):
        return None
    return layer if _are_weights(expected, proposal.weights) else None


def _operand_name(side: str, index: int) -> str:
    return f"{side}:{index}" if index else side


def _are_weights(expected: Sequence[Weight], given: Mapping[str, Tensor | None]) -> bool:
    """Whether the call's tensors have the shapes of the layer's weights, `num_batches_tracked` aside."""
    shapes = {weight.name: weight.shape for weight in expected if weight.name != "num_batches_tracked"}
    return shapes == {name: tuple(tensor.shape) for name, tensor in given.items() if tensor is not None}
