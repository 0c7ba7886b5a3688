"""Copies of all values: as they are, in another order, in another dtype."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from archcost.layers.base import Arity, Dtype, dtype_among
from archcost.layers.dtypes import AS_GIVEN, Autocast, Outcome
from archcost.layers.memory_order import ValueByValue
from archcost.layers.shape.reshape import Reshaping
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Gradient, Saved, Setting
from archcost.terms.memory_format import Layout, is_row_major
from archcost.terms.time_classes import TimeClass
from archcost.work import Copy, Work


class Clone(Reshaping, ValueByValue):
    """A copy, its values in the order of the input's (torch.clone). Backward hands on what arrives."""

    type: Literal["clone"] = "clone"
    prefix: ClassVar[str] = "clone"

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (PASSED_ON,)


class Contiguous(Reshaping):
    """The input itself where its values lie row-major, else a copy where they do (torch.Tensor.contiguous)."""

    type: Literal["contiguous"] = "contiguous"
    prefix: ClassVar[str] = "contiguous"

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (0 if is_row_major(inputs[0].shape, setting.layout(0)) else None,)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (PASSED_ON,)


WEIGHTS = "weights"
"""In place of a dtype: that of the network's weights, float32 unless the run says otherwise."""

LIKE = "like"
"""In place of a dtype: that of another tensor, which the layer is given for it."""

DtypeToFollow = Annotated[str, BeforeValidator(dtype_among([*DTYPE_BYTES, WEIGHTS, LIKE]))]
DtypeOrWeights = Annotated[str, BeforeValidator(dtype_among([*DTYPE_BYTES, WEIGHTS]))]


class Recast(ValueByValue):
    """The input itself where it has that dtype already, else a copy in it, its values in the same order."""

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "copy"
    comes_out: ClassVar[Outcome] = "named"

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (0 if outputs[0] == inputs[0] else None,)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        """Cast back."""
        return (PASSED_ON if outputs[0] == inputs[0] else inputs[0],)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(inputs[0].numel, 0, {}, "values in another dtype"),)


class Casting(Recast):
    """To a dtype that is named."""

    dtype: Dtype

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, self.dtype),)


class Cast(Recast):
    """The input itself where it has that dtype already, else a copy in it (torch.Tensor.to). No precision changes it.

    `weights` is the dtype of the network's weights, float32 unless the run says otherwise. Backward casts the gradient
    back; integers have none.
    """

    type: Literal["cast"] = "cast"
    prefix: ClassVar[str] = "cast"
    dtype: DtypeOrWeights

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, "float32" if self.dtype == WEIGHTS else self.dtype),)


class CastLike(Recast):
    """The first input in the dtype of the second, of which no value is read (torch.Tensor.type_as, `x.to(y.dtype)`).

    It is the input itself where it has that dtype already. Backward casts the gradient back.
    """

    type: Literal["cast_like"] = "cast_like"
    prefix: ClassVar[str] = "cast"
    arity: ClassVar[Arity] = Arity(2, 2)
    untouched: ClassVar[frozenset[int]] = frozenset({1})
    asked: ClassVar[frozenset[int]] = frozenset({1})

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, inputs[1].dtype),)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        return super().layouts(inputs[:1], outputs, setting)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (*super().gradients(inputs, outputs, setting), None)
