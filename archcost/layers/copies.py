"""Copies of all values: as they are, in another order, in another dtype."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.keeping import PASSED_ON, Gradient, Saved, Setting
from archcost.layers.base import Dtype
from archcost.layers.order import ValueByValue
from archcost.layers.reshaping import Reshaping
from archcost.layouts import is_row_major
from archcost.tensors import Tensors, TensorType
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


class Casting(ValueByValue):
    """The input itself where it has that dtype already, else a copy in it, its values in the same order."""

    names_dtype: ClassVar[bool] = True
    dtype: Dtype

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, self.dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (0 if outputs == inputs else None,)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        """Cast back."""
        return (PASSED_ON,) if outputs == inputs else inputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(inputs[0].numel, 0, {}, "values in another dtype"),)


class Cast(Casting):
    """The input itself where it has that dtype already, else a copy in it (torch.Tensor.to). No precision changes it.

    Backward casts the gradient back; integers have none.
    """

    type: Literal["cast"] = "cast"
    prefix: ClassVar[str] = "cast"
