"""The layers that stand for a cache in the graph of a run; no spec can name them."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.layers.base import Arity, Layer, Weight
from archcost.layers.card import Card
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.rules import Autograd, Call, Placement
from archcost.tensors import Tensors, TensorType
from archcost.work import Copy, Work

CACHE = "cache"
PAST = "past"
"""Names of what is kept: with room for the new positions, or without."""


class Keeping(Layer):
    """What a layer has made of past positions, before what it makes of the new ones along `dim`.

    With `grows` the past is copied into a new tensor, as torch.cat does in transformers' DynamicCache. Otherwise there
    is room for all of it, and the new positions are written there, as engines do, and transformers' StaticCache.
    """

    type: Literal["(cache)"] = "(cache)"
    card: ClassVar[Card] = Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=AS_GIVEN,
        promotion="first",
        fvcore="nothing",
        time="copy",
        blas=False,
    )
    is_cache: ClassVar[bool] = True
    uses_up: ClassVar[str] = PAST
    past: int = 0
    dim: int = -2
    grows: bool = False

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self._shape(inputs, inputs[0].shape[self.dim] + self.past), inputs[0].dtype),)

    def _shape(self, inputs: Tensors, positions: int) -> tuple[int, ...]:
        shape = inputs[0].shape
        axis = self.dim % len(shape)
        return (*shape[:axis], positions, *shape[axis + 1 :])

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        if self.grows:
            return (Weight(PAST, self._shape(inputs, self.past), is_buffer=True),) if self.past else ()
        return (Weight(CACHE, self.output_types(inputs)[0].shape, is_buffer=True),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(inputs[0].numel, 0, {}, "values moved"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (None,))

    def placement(self, call: Call) -> Placement:
        return super().placement(call) if self.grows else Placement((CACHE,), (None,))


class Kept(Layer):
    """What was made of another sequence, once for all tokens: of one sample of this shape, for the input's batch."""

    type: Literal["(kept)"] = "(kept)"
    card: ClassVar[Card] = Keeping.card
    arity: ClassVar[Arity] = Arity(1, 1)
    asked: ClassVar[frozenset[int]] = frozenset({0})
    is_cache: ClassVar[bool] = True
    shape: tuple[int, ...]
    dtype: str

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType((self.shape[0] * inputs[0].shape[0], *self.shape[1:]), self.dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return (Weight(CACHE, self.output_types(inputs)[0].shape, is_buffer=True, dtype=self.dtype),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(outputs[0].numel, 0, {}, "nothing moved"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (None,))

    def placement(self, call: Call) -> Placement:
        return Placement((CACHE,), (None,))
