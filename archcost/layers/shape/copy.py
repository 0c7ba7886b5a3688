"""Copies of all values: as they are, in another order, in another dtype."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from archcost.layers.base import Arity
from archcost.layers.card import Card, onnx
from archcost.layers.fields import Flag, dtype_among
from archcost.layers.memory_order import value_by_value
from archcost.layers.rules import Call, Placement
from archcost.layers.shape.reshape import Reshaping, moving
from archcost.tensors import COMPUTED_BYTES, STORED, Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Gradient
from archcost.terms.memory_format import is_row_major
from archcost.work import Copy, Work


class Clone(Reshaping):
    """A copy, its values in the order of the input's (torch.clone). Backward hands on what arrives."""

    type: Literal["clone"] = "clone"
    prefix: ClassVar[str] = "clone"
    card: ClassVar[Card] = moving("torch.clone", "clone")

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def gradient(self, call: Call) -> Gradient:
        return PASSED_ON

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)


class Contiguous(Reshaping):
    """The input itself where its values lie row-major, else a copy where they do (torch.Tensor.contiguous)."""

    type: Literal["contiguous"] = "contiguous"
    prefix: ClassVar[str] = "contiguous"
    card: ClassVar[Card] = moving("Tensor.contiguous", "contiguous")

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def gradient(self, call: Call) -> Gradient:
        return PASSED_ON

    def placement(self, call: Call) -> Placement:
        return Placement((0 if is_row_major(call.source.shape, call.layout) else None,), (None,))


WEIGHTS = "weights"
"""In place of a dtype: that of the network's weights, float32 unless the run says otherwise."""

LIKE = "like"
"""In place of a dtype: that of another tensor, which the layer is given for it."""

DtypeToFollow = Annotated[str, BeforeValidator(dtype_among([*COMPUTED_BYTES, WEIGHTS, LIKE]))]
DtypeOrWeights = Annotated[str, BeforeValidator(dtype_among([*COMPUTED_BYTES, *STORED, WEIGHTS]))]


class Recast(Reshaping):
    """The input itself where it has that dtype already, else a copy in it, its values in the same order."""

    def gradient(self, call: Call) -> Gradient:
        """Cast back."""
        return PASSED_ON if call.result == call.source else call.source

    def placement(self, call: Call) -> Placement:
        of_first = replace(call, inputs=call.inputs[:1])
        return value_by_value(of_first, 0 if call.result == call.source else None)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(inputs[0].numel, 0, {}, "values in another dtype"),)


class Cast(Recast):
    """The input itself where it has that dtype already, else a copy in it (torch.Tensor.to). No precision changes it.

    `weights` is the dtype of the network's weights, float32 unless the run says otherwise. Backward casts the gradient
    back; integers have none. With `unless_autocast` it is left out where a GPU's autocast is on, as it is by a module
    that asks torch.is_autocast_enabled() first.
    """

    type: Literal["cast"] = "cast"
    prefix: ClassVar[str] = "cast"
    card: ClassVar[Card] = moving(None, "to", operator=onnx("Cast"), promotion="named")
    dtype: DtypeOrWeights
    unless_autocast: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, "float32" if self.dtype == WEIGHTS else self.dtype),)


class CastLike(Recast):
    """The first input in the dtype of the second, of which no value is read (torch.Tensor.type_as, `x.to(y.dtype)`).

    It is the input itself where it has that dtype already. Backward casts the gradient back.
    """

    type: Literal["cast_like"] = "cast_like"
    prefix: ClassVar[str] = "cast"
    card: ClassVar[Card] = moving("Tensor.type_as", operator=onnx("CastLike"), promotion="named")
    arity: ClassVar[Arity] = Arity(2, 2)
    untouched: ClassVar[frozenset[int]] = frozenset({1})
    asked: ClassVar[frozenset[int]] = frozenset({1})

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, inputs[1].dtype),)
