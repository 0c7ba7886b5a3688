"""Attention as torch composes it where it has no fused kernel: two products, and a softmax between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from archcost.layers.rules import Autograd, Call, NewView
from archcost.tensors import DTYPE_BYTES, TensorType
from archcost.terms.autograd import Gradient, Input, Own, Saved, excess, worst
from archcost.terms.memory_format import like, strides_of, view

QUERY, KEY, VALUE, MASK = range(4)
SCORES = frozenset({QUERY, KEY, MASK})
"""Inputs whose gradient comes by way of that of the scores."""


@dataclass(frozen=True)
class Composition:
    """One call of it (`_scaled_dot_product_attention_math` in native/transformers/attention.cpp).

    The CPU works on float32 copies of 16-bit inputs. Query and key are both multiplied by the root of the scale, heads
    that serve several are repeated, and matrices are copied where the product finds no view of them.
    """

    call: Call
    has_dropout: bool
    is_causal: bool
    enable_gqa: bool

    @property
    def wants_scores(self) -> bool:
        return bool(SCORES & self.call.setting.needs)

    @property
    def drops(self) -> bool:
        return self.call.setting.training and self.has_dropout

    @property
    def dtype(self) -> str:
        """In which it works."""
        dtype = self.call.source.dtype
        return "float32" if dtype in ("float16", "bfloat16") else dtype

    @property
    def is_cast(self) -> bool:
        return self.dtype != self.call.source.dtype

    @property
    def repeats(self) -> bool:
        return self.enable_gqa and self.call.source.shape[-3] != self.call.inputs[KEY].shape[-3]

    def whole(self, index: int) -> TensorType:
        """An input as it is multiplied: with every head."""
        return TensorType((*self.call.source.shape[:-2], *self.call.inputs[index].shape[-2:]), self.dtype)

    @property
    def scores(self) -> TensorType:
        return TensorType((*self.call.source.shape[:-1], self.call.inputs[KEY].shape[-2]), self.dtype)

    @property
    def result(self) -> TensorType:
        inputs = self.call.inputs
        return TensorType((*inputs[QUERY].shape[:-1], inputs[VALUE].shape[-1]), inputs[QUERY].dtype)

    def is_copied(self, index: int) -> bool:
        """Whether the product finds no view of its matrices."""
        whole, layout = self.whole(index), self.call.setting.layout(index)
        if self.repeats and index != QUERY:
            return False  # repeated heads lie row-major
        if index != VALUE or self.is_cast:
            layout = like(whole.shape, [(whole.shape, layout)])
        if index == KEY:
            strides = strides_of(whole.shape, layout)
            shape, layout = (*whole.shape[:-2], *whole.shape[:-3:-1]), (*strides[:-2], *strides[:-3:-1])
        else:
            shape = whole.shape
        return view(shape, layout, (prod(shape[:-2]), *shape[-2:])) is None

    def autograd(self, gradients: tuple[Gradient | NewView, ...]) -> Autograd:
        """`gradients` are what it gives."""
        inputs, result = self.call.inputs, self.result
        size = DTYPE_BYTES[result.dtype]
        given = sum([tensor.nbytes for index, tensor in enumerate(inputs) if self.call.needs(index)])
        made, made_backward = worst(self._forward()), worst(self._backward())
        return Autograd(
            self.saved,
            gradients,
            excess("scores and scaled inputs", (made - result.nbytes - sum(self._kept.values())) // size, result.dtype),
            excess("gradients of the scores", (made_backward - given) // size, result.dtype),
        )

    @cached_property
    def saved(self) -> tuple[Saved, ...]:
        needs = self.call.needs
        kept: list[Saved] = []
        if needs(KEY):
            kept.append(Own("scaled query", self.whole(QUERY)))
        if needs(QUERY):
            kept.append(Own("scaled key", self.whole(KEY)))
        if self.wants_scores or (needs(VALUE) and not self.drops):
            kept.append(Own("probabilities", self.scores))
        if self.drops and self.wants_scores:
            kept.append(Own("mask", self.scores))
        if self.drops and needs(VALUE):
            kept.append(Own("probabilities that are left", self.scores))
        if self.wants_scores:
            is_made = self.repeats or self.is_cast or self.is_copied(VALUE)
            kept.append(Own("values", self.whole(VALUE)) if is_made else Input(VALUE))
        return tuple(kept)

    @property
    def _kept(self) -> dict[str, int]:
        """Bytes of what it keeps of its own, by name."""
        return {own.what: own.tensor.nbytes for own in self.saved if isinstance(own, Own)}

    def _forward(self) -> list[int]:
        """Bytes made and, negative, dropped, in order."""
        needs, inputs, size = self.call.needs, self.call.inputs, DTYPE_BYTES[self.dtype]
        query, key, value = (self.whole(index).nbytes for index in (QUERY, KEY, VALUE))
        scores = self.scores.nbytes
        queries, keys, values = (
            self.whole(index).nbytes if self.is_copied(index) else 0 for index in (QUERY, KEY, VALUE)
        )
        steps = [query, self._mask_bytes]  # local variables, until torch's function returns
        steps += [tensor.numel * size for tensor in inputs[:MASK]] if self.is_cast else []
        steps += [key, value] if self.repeats else []
        steps += [key, queries, keys, scores]
        steps += [0 if needs(KEY) else -queries, 0 if needs(QUERY) else -key, -keys]
        steps += [scores]  # the probabilities
        if self.drops:
            steps += [scores, 0 if self.wants_scores else -2 * scores]
        else:
            steps += [-scores]
        steps += [values, TensorType(self.result.shape, self.dtype).nbytes]
        if self.is_cast:
            steps += [0 if self.wants_scores else -values]
            steps += [self.result.nbytes, self.scores.numel * DTYPE_BYTES[self.result.dtype]]
        return steps

    @property
    def _mask_bytes(self) -> int:
        """Of the mask that torch makes of one of bool, or of `is_causal`."""
        if self.is_causal:
            return prod(self.scores.shape[-2:]) * DTYPE_BYTES[self.dtype]
        if len(self.call.inputs) <= MASK or self.call.inputs[MASK].dtype != "bool":
            return 0
        return self.call.inputs[MASK].numel * DTYPE_BYTES[self.call.source.dtype]

    def _backward(self) -> list[int]:
        """The same beyond what was there when the gradient arrived; kept tensors go one by one."""
        needs, kept = self.call.needs, self._kept
        scores, arrived = self.scores.nbytes, self.result.nbytes
        query, key, value = (self.whole(index).nbytes for index in (QUERY, KEY, VALUE))
        cast = TensorType(self.result.shape, self.dtype).nbytes if self.is_cast else 0
        steps = [cast, -arrived] if self.is_cast else []
        steps += [value if needs(VALUE) else 0, scores if self.wants_scores else 0]
        steps += [-cast if self.is_cast else -arrived]
        steps += [-kept.get("values", 0), -kept.get("probabilities that are left", 0)]
        if not self.wants_scores:
            return steps
        steps += [scores, -scores, -kept["mask"]] if self.drops else []
        steps += [scores, -scores, -kept["probabilities"]]
        steps += [query if needs(QUERY) else 0, key if needs(KEY) else 0]
        steps += [-scores, -kept.get("scaled query", 0), -kept.get("scaled key", 0)]
        steps += [key, -key] if needs(KEY) else []
        steps += [query, -query] if needs(QUERY) else []
        return steps
