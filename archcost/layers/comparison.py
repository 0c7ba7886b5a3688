"""Layers that judge values: comparisons, logic, and what is put where a mask holds."""

from __future__ import annotations

from functools import reduce
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Flag, Layer, Number, Scalar
from archcost.layers.broadcasting import (
    broadcast_shape,
    is_first_seen_smaller,
    require_one_more,
    stretched,
    together,
    unsummed,
)
from archcost.layers.dtypes import AS_GIVEN, Autocast, Outcome
from archcost.layers.memory_order import ValueByValue
from archcost.layers.promotion import Promoting
from archcost.tensors import Tensors, TensorType, result_dtype, with_number
from archcost.terms.autograd import INPUT, NO_SCRATCH, Input, Own, Saved, Scratch, Setting, excess
from archcost.terms.memory_format import Layout
from archcost.terms.time_classes import TimeClass
from archcost.work import Copy, Elementwise, Reduction, Work

Whole = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]


class Judging(ValueByValue):
    """One operation a value; bool comes out."""

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    comes_out: ClassVar[Outcome] = "named"

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(broadcast_shape(inputs), "bool"),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """There is no gradient."""
        return ()

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, 1, {}, "judged"),)


class Comparison(Judging):
    """One comparison a value, with that of a second input or with the number `other`; bool comes out."""

    arity: ClassVar[Arity] = Arity(1, 2)
    other: Number | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        require_one_more(inputs, self.other)
        return super().output_types(inputs)


class Eq(Comparison):
    """x = y (torch.eq)."""

    type: Literal["eq"] = "eq"
    prefix: ClassVar[str] = "eq"


class Ne(Comparison):
    """x ≠ y (torch.ne)."""

    type: Literal["ne"] = "ne"
    prefix: ClassVar[str] = "ne"


class Lt(Comparison):
    """x < y (torch.lt)."""

    type: Literal["lt"] = "lt"
    prefix: ClassVar[str] = "lt"


class Le(Comparison):
    """x ≤ y (torch.le)."""

    type: Literal["le"] = "le"
    prefix: ClassVar[str] = "le"


class Gt(Comparison):
    """x > y (torch.gt)."""

    type: Literal["gt"] = "gt"
    prefix: ClassVar[str] = "gt"


class Ge(Comparison):
    """x ≥ y (torch.ge)."""

    type: Literal["ge"] = "ge"
    prefix: ClassVar[str] = "ge"


class LogicalAnd(Judging):
    """Both hold (torch.logical_and)."""

    type: Literal["logical_and"] = "logical_and"
    prefix: ClassVar[str] = "and"
    arity: ClassVar[Arity] = Arity(2, 2)


class LogicalOr(Judging):
    """Either holds (torch.logical_or)."""

    type: Literal["logical_or"] = "logical_or"
    prefix: ClassVar[str] = "or"
    arity: ClassVar[Arity] = Arity(2, 2)


class LogicalXor(Judging):
    """One holds, and the other does not (torch.logical_xor)."""

    type: Literal["logical_xor"] = "logical_xor"
    prefix: ClassVar[str] = "xor"
    arity: ClassVar[Arity] = Arity(2, 2)


class LogicalNot(Judging):
    """It does not hold (torch.logical_not)."""

    type: Literal["logical_not"] = "logical_not"
    prefix: ClassVar[str] = "not"


class IsNan(Judging):
    """It is no number (torch.isnan)."""

    type: Literal["isnan"] = "isnan"
    prefix: ClassVar[str] = "isnan"


class IsInf(Judging):
    """It is infinite (torch.isinf)."""

    type: Literal["isinf"] = "isinf"
    prefix: ClassVar[str] = "isinf"


class IsFinite(Judging):
    """It is a number, and a finite one (torch.isfinite)."""

    type: Literal["isfinite"] = "isfinite"
    prefix: ClassVar[str] = "isfinite"

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """For |x|, until that is compared."""
        return (INPUT,)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """|x|, and whether x is a number and |x| finite, where integers are always both."""
        if not inputs[0].is_floating:
            return NO_SCRATCH
        return Scratch((Own("absolute values", inputs[0]), Own("masks", TensorType((2 * outputs[0].numel,), "bool"))))


class Bitwise(Judging):
    """One operation a value on the bits of two inputs, or of one and the integer `other`; of bool it is logic."""

    arity: ClassVar[Arity] = Arity(1, 2)
    other: Whole | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        require_one_more(inputs, self.other)
        for tensor in inputs:
            require_bits(tensor)
        dtype = result_dtype(inputs)
        dtype = dtype if self.other is None else with_number(dtype, self.other)
        return (TensorType(broadcast_shape(inputs), dtype),)


def require_bits(tensor: TensorType) -> None:
    if tensor.is_floating:
        raise ShapeError("needs integers or bool", expected="no floats", found=str(tensor))


class BitwiseAnd(Bitwise):
    """Bits of both (torch.bitwise_and, `&`)."""

    type: Literal["bitwise_and"] = "bitwise_and"
    prefix: ClassVar[str] = "and"


class BitwiseOr(Bitwise):
    """Bits of either (torch.bitwise_or, `|`)."""

    type: Literal["bitwise_or"] = "bitwise_or"
    prefix: ClassVar[str] = "or"


class BitwiseXor(Bitwise):
    """Bits of one alone (torch.bitwise_xor, `^`)."""

    type: Literal["bitwise_xor"] = "bitwise_xor"
    prefix: ClassVar[str] = "xor"


class BitwiseNot(Judging):
    """The other bits (torch.bitwise_not, `~`)."""

    type: Literal["bitwise_not"] = "bitwise_not"
    prefix: ClassVar[str] = "not"

    def output_types(self, inputs: Tensors) -> Tensors:
        require_bits(inputs[0])
        return inputs


def require_mask(mask: TensorType, which: str) -> None:
    if mask.dtype != "bool":
        raise ShapeError(f"the {which} input must be a mask", expected="bool", found=str(mask))


def moved(inputs: Tensors, output: TensorType, what: str) -> tuple[Work, ...]:
    """Values picked by a mask are free; stretched ones have their gradients summed up."""
    sums = {index: count for index, count in stretched(inputs, output).items() if inputs[int(index)].dtype != "bool"}
    return (Reduction(output.numel, 0, sums, what) if sums else Copy(output.numel, 0, {}, what),)


class Where(Promoting):
    """x where the mask holds, else y (torch.where). Inputs: mask of bool, x, y. No arithmetic: a choice is free.

    A number may stand for x (`value`) or y (`other`), whose input is then left out.
    """

    type: Literal["where"] = "where"
    prefix: ClassVar[str] = "where"
    arity: ClassVar[Arity] = Arity(1, 3)
    value: Scalar | None = None
    other: Scalar | None = None

    def numbers(self) -> tuple[float, ...]:
        return tuple(number for number in (self.value, self.other) if number is not None)

    def output_types(self, inputs: Tensors) -> Tensors:
        require_mask(inputs[0], "first")
        numbers = self.numbers()
        if len(inputs) + len(numbers) != 3:
            raise ShapeError(
                "chooses between two", expected=f"a mask and {2 - len(numbers)} more inputs", found=together(inputs)
            )
        tensors = inputs[1:] or (TensorType((), "bool"),)
        dtype = reduce(with_number, numbers, result_dtype(tensors))
        return (TensorType(broadcast_shape(inputs), dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(0),)

    def scratch_of_one_dtype(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Numbers as tensors. Backward the zero that stands for the others' gradient, or what a stretched input's is
        before it is summed up.
        """
        numel = max(unsummed(inputs, outputs[0], setting), 1)
        numbers = excess("numbers", len(self.numbers()), outputs[0].dtype)
        if numbers and inputs[1:] and inputs[1].dtype != outputs[0].dtype:
            numbers += (Own("input cast", TensorType(inputs[1].shape, outputs[0].dtype)),)
        return Scratch(numbers, excess("gradients before they are summed", numel, outputs[0].dtype))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return moved(inputs, outputs[0], "chosen")


class MaskedFill(Layer):
    """The number `value` where the mask holds, else x (torch.masked_fill). Inputs: x, mask of bool. No arithmetic.

    Without `value` a third input, of a single value, is put there.
    """

    type: Literal["masked_fill"] = "masked_fill"
    prefix: ClassVar[str] = "masked_fill"
    arity: ClassVar[Arity] = Arity(2, 3)
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    comes_out: ClassVar[Outcome] = "first"
    value: Number | None = None
    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        require_mask(inputs[1], "second")
        if (len(inputs) == 3) == (self.value is not None):
            found = "both" if self.value is not None else "neither"
            raise ShapeError("fills with a number or with a third input", expected="one of them", found=found)
        if inputs[2:] and inputs[2].shape:
            raise ShapeError("the third input must be a single value", expected="no axes", found=str(inputs[2]))
        result = TensorType(broadcast_shape(inputs[:2]), inputs[0].dtype)
        if self.inplace and result != inputs[0]:
            raise ShapeError("inplace cannot stretch the first input", expected=str(result), found=str(inputs[0]))
        return (result,)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(1),)

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (0,) if self.inplace else (None,)

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """A copy that is filled is row-major, however x lay (native masked_fill)."""
        return (setting.layout(0) if self.inplace else None,)

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return is_first_seen_smaller(inputs)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """A stretched input's gradient before it is summed up."""
        numel = unsummed(inputs, outputs[0], setting)
        return Scratch(backward=excess("gradient before it is summed", numel, outputs[0].dtype))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return moved(inputs, outputs[0], "filled")
