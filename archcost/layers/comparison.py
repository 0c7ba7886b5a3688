"""Comparisons, logic, bits, and what is put where a mask holds."""

from __future__ import annotations

from functools import reduce
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import broadcast_shape, require_one_more, stretched, summed_back, together
from archcost.layers.card import Card, onnx
from archcost.layers.derivative import written
from archcost.layers.dtypes import AS_GIVEN, Outcome
from archcost.layers.fields import Flag, Number, Scalar
from archcost.layers.memory_order import value_by_value
from archcost.layers.rows import row
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.tensors import Tensors, TensorType, result_dtype, with_number
from archcost.terms.autograd import INPUT, Input, Own, Setting, excess
from archcost.work import Copy, Elementwise, Reduction, Work

Whole = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]


def card(
    torch: str | None, calls: tuple[str, ...] = (), operator: str | None = None, promotion: Outcome = "named"
) -> Card:
    return Card(
        torch=torch,
        calls=calls,
        onnx=onnx(operator) if operator else None,
        autocast=AS_GIVEN,
        promotion=promotion,
        fvcore="nothing",
        time="elementwise",
        blas=False,
    )


class Predicate(Layer):
    """One operation a value, which has no gradient; bool comes out."""

    what: ClassVar[str] = "compared"

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(broadcast_shape(inputs), "bool"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, 1, {}, self.what),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)


class Comparison(Predicate):
    """With a second input or with the number `other`."""

    arity: ClassVar[Arity] = Arity(1, 2)
    other: Number | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        require_one_more(inputs, self.other)
        return super().output_types(inputs)


def comparison(name: str, sign: str, operator: str | None, *synonyms: str) -> type[Comparison]:
    type_ = name.lower()
    doc = f"{written(f'x {sign} y')} (torch.{type_})."
    return row(__name__, Comparison, name, type_, doc, card(f"Tensor.{type_}", (type_, *synonyms), operator))


Eq = comparison("Eq", "==", "Equal")
Ne = comparison("Ne", "!=", None, "not_equal")
Lt = comparison("Lt", "<", "Less", "less")
Le = comparison("Le", "<=", "LessOrEqual", "less_equal")
Gt = comparison("Gt", ">", "Greater", "greater")
Ge = comparison("Ge", ">=", "GreaterOrEqual", "greater_equal")


class Both(Predicate):
    """Of two inputs."""

    arity: ClassVar[Arity] = Arity(2, 2)


def logic(name: str, type_: str, operator: str, says: str) -> type[Both]:
    cards = card(f"torch.{type_}", (type_,), operator)
    return row(__name__, Both, name, type_, f"{says} (torch.{type_}).", cards, prefix=operator.lower())


def predicate(name: str, type_: str, operator: str | None, says: str, prefix: str | None = None) -> type[Predicate]:
    cards = card(f"torch.{type_}", (type_,), operator)
    return row(__name__, Predicate, name, type_, f"{says} (torch.{type_}).", cards, prefix=prefix or type_)


LogicalAnd = logic("LogicalAnd", "logical_and", "And", "Both hold")
LogicalOr = logic("LogicalOr", "logical_or", "Or", "Either holds")
LogicalXor = logic("LogicalXor", "logical_xor", "Xor", "One holds, and the other does not")
LogicalNot = predicate("LogicalNot", "logical_not", "Not", "It does not hold", prefix="not")
IsNan = predicate("IsNan", "isnan", "IsNaN", "It is no number")
IsInf = predicate("IsInf", "isinf", "IsInf", "It is infinite")


class IsFinite(Predicate):
    """It is a number, and a finite one (torch.isfinite)."""

    type: Literal["isfinite"] = "isfinite"
    prefix: ClassVar[str] = "isfinite"
    card: ClassVar[Card] = card("torch.isfinite", ("isfinite",))

    def autograd(self, call: Call) -> Autograd:
        """The input is kept for |x|, until that is compared. Made on the way: |x|, and whether x is a number and |x|
        finite, where integers are always both.
        """
        if not call.source.is_floating:
            return Autograd((INPUT,), call.inputs)
        masks = Own("masks", TensorType((2 * call.result.numel,), "bool"))
        return Autograd((INPUT,), call.inputs, forward=(Own("absolute values", call.source), masks))


def require_bits(tensor: TensorType) -> None:
    if tensor.is_floating:
        raise ShapeError("needs integers or bool", expected="no floats", found=str(tensor))


class Bitwise(Predicate):
    """One operation a value on the bits of two inputs, or of one and the integer `other`; of bool it is logic."""

    arity: ClassVar[Arity] = Arity(1, 2)
    what: ClassVar[str] = "bits"
    other: Whole | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        require_one_more(inputs, self.other)
        for tensor in inputs:
            require_bits(tensor)
        dtype = result_dtype(inputs)
        dtype = dtype if self.other is None else with_number(dtype, self.other)
        return (TensorType(broadcast_shape(inputs), dtype),)


def bits(name: str, sign: str, says: str) -> type[Bitwise]:
    word = name.removeprefix("Bitwise").lower()
    type_ = f"bitwise_{word}"
    doc = f"{says} (torch.{type_}, `{sign}`)."
    return row(__name__, Bitwise, name, type_, doc, card(f"Tensor.{type_}", operator=name), prefix=word)


BitwiseAnd = bits("BitwiseAnd", "&", "Bits of both")
BitwiseOr = bits("BitwiseOr", "|", "Bits of either")
BitwiseXor = bits("BitwiseXor", "^", "Bits of one alone")


class BitwiseNot(Predicate):
    """The other bits (torch.bitwise_not, `~`)."""

    type: Literal["bitwise_not"] = "bitwise_not"
    prefix: ClassVar[str] = "not"
    card: ClassVar[Card] = card("torch.bitwise_not", operator="BitwiseNot")
    what: ClassVar[str] = "bits"

    def output_types(self, inputs: Tensors) -> Tensors:
        require_bits(inputs[0])
        return inputs


def require_mask(mask: TensorType, which: str) -> None:
    if mask.dtype != "bool":
        raise ShapeError(f"the {which} input must be a mask", expected="bool", found=str(mask))


class Choice(Layer):
    """Values picked by a mask, which is free; stretched ones have their gradients summed up."""

    what: ClassVar[str]

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        (output,) = outputs
        sums = {index: n for index, n in stretched(inputs, output).items() if inputs[int(index)].dtype != "bool"}
        kind = Reduction if sums else Copy
        return (kind(output.numel, 0, sums, self.what),)


class Where(Choice):
    """x where the mask holds, else y (torch.where). Inputs: mask of bool, x, y. No arithmetic: a choice is free.

    A number may stand for x (`value`) or y (`other`), whose input is then left out.
    """

    type: Literal["where"] = "where"
    prefix: ClassVar[str] = "where"
    arity: ClassVar[Arity] = Arity(1, 3)
    card: ClassVar[Card] = card(None, operator="Where", promotion="promoted")
    what: ClassVar[str] = "chosen"
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

    def autograd(self, call: Call) -> Autograd:
        """Forward makes tensors of numbers, and casts an input beside them. Backward a zero stands for the gradients
        of what was not chosen.
        """
        result, needed = call.result, sum(call.needs(index) for index in range(len(call.inputs)))
        made = excess("numbers", len(self.numbers()), result.dtype)
        if made and call.inputs[1:] and call.inputs[1].dtype != result.dtype:
            made += (Own("input cast", TensorType(call.inputs[1].shape, result.dtype)),)
        at_once = (*[result] * needed, TensorType((), result.dtype))
        return summed_back(call, (INPUT,), during=(at_once,), forward=made)

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)


class MaskedFill(Choice):
    """The number `value` where the mask holds, else x (torch.masked_fill). Inputs: x, mask of bool. No arithmetic.

    Without `value` a third input, of a single value, is put there.
    """

    type: Literal["masked_fill"] = "masked_fill"
    prefix: ClassVar[str] = "masked_fill"
    arity: ClassVar[Arity] = Arity(2, 3)
    card: ClassVar[Card] = card("Tensor.masked_fill", promotion="first")
    what: ClassVar[str] = "filled"
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

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace

    def autograd(self, call: Call) -> Autograd:
        """The gradient of a value that is an input is chosen, and summed there and then."""
        if not call.needs(2):
            return summed_back(call, (Input(1),))
        single = TensorType((), call.result.dtype)
        chosen = (*[call.result] * (1 + call.needs(0)), single)
        return summed_back(call, (Input(1),), {2: single}, during=(chosen,))

    def placement(self, call: Call) -> Placement:
        """A copy that is filled is row-major, however x lay (native masked_fill)."""
        return value_by_value(call, 0) if self.inplace else own_storage(call)
