"""Layers that take values of several tensors in pairs; where shapes differ, a 1 stretches (see combining.py)."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.keeping import PASSED_ON, Gradient, Input, Own, Saved, Scratch, Setting, excess
from archcost.layers.base import Arity, Flag, Layer, Number, require_floating
from archcost.layers.combining import Arithmetic, broadcast, broadcast_shape, stretched, unsummed
from archcost.layers.order import ValueByValue
from archcost.layouts import Layout
from archcost.tensors import Tensors, TensorType
from archcost.work import Copy, Elementwise, Reduction, Work


def pairs(inputs: Tensors, output: TensorType, each: tuple[int, int], what: str) -> Elementwise:
    """One operation a value; `each` of the gradients costs so many, and the sum where its input was stretched."""
    sums = stretched(inputs, output)
    return Elementwise(output.numel, 1, {index: each[index] + sums.get(index, 0) for index in (0, 1)}, what)


def is_first_seen_smaller(inputs: Tensors) -> bool:
    """Whether the first input has fewer axes: its gradient is summed with all, then seen without those in front."""
    return inputs[0].rank < len(broadcast_shape(inputs))


class Sub(Arithmetic):
    """Difference of two tensors. Backward passes the gradient on, and its negation."""

    type: Literal["sub"] = "sub"
    prefix: ClassVar[str] = "sub"

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (PASSED_ON if inputs[0].shape == outputs[0].shape else inputs[0], inputs[1])

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return is_first_seen_smaller(inputs)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The negation for a stretched input, before it is summed up."""
        if 1 not in setting.needs or inputs[1].shape == outputs[0].shape:
            return Scratch()
        return Scratch(backward=(Own("negation before it is summed", outputs[0]),))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (pairs(inputs, outputs[0], (0, 1), "subtracted"),)


class Div(Arithmetic):
    """Quotient a/b of two tensors; dy/b, and −dy·(a/b)/b: two divisions, negation, product."""

    type: Literal["div"] = "div"
    prefix: ClassVar[str] = "div"

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return super().output_types(inputs)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (self.first(inputs), Input(1)) if 1 in setting.needs else (Input(1),)

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return is_first_seen_smaller(inputs)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The divisor's gradient comes first, of a/b, (a/b)/b, −dy and their product."""
        if 1 not in setting.needs:
            numel = unsummed(inputs, outputs[0], setting)
        else:
            numel = 4 * outputs[0].numel - sum(inputs[index].numel for index in (0, 1) if index in setting.needs)
        return Scratch(backward=excess("factors of the gradients", numel, outputs[0].dtype))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (pairs(inputs, outputs[0], (1, 4), "divided"),)


class Extremum(ValueByValue):
    """One of each pair; the gradient goes where the value came from, halved where both are equal."""

    arity: ClassVar[Arity] = Arity(2, 2)

    def output_types(self, inputs: Tensors) -> Tensors:
        return (broadcast(inputs),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(0), Input(1))

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return is_first_seen_smaller(inputs)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Each gradient of two masks, halves and itself; the other's stands beside it, not yet summed up."""
        needed = [index for index in (0, 1) if index in setting.needs]
        numel = (len(needed) + 1) * outputs[0].numel - sum(inputs[index].numel for index in needed)
        masks = Own("masks", TensorType((2 * outputs[0].numel,), "bool"))
        return Scratch(backward=(*excess("halves before they are summed", numel, outputs[0].dtype), masks))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A comparison, and one for each gradient."""
        return (pairs(inputs, outputs[0], (1, 1), "compared"),)


class Maximum(Extremum):
    """The larger of each pair (torch.maximum)."""

    type: Literal["maximum"] = "maximum"
    prefix: ClassVar[str] = "maximum"


class Minimum(Extremum):
    """The smaller of each pair (torch.minimum)."""

    type: Literal["minimum"] = "minimum"
    prefix: ClassVar[str] = "minimum"


class Judging(ValueByValue):
    """One operation a value; bool comes out."""

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(broadcast(inputs).shape, "bool"),)

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
        if (len(inputs) == 2) == (self.other is not None):
            raise ShapeError(
                "compares with a second input or with a number",
                expected="one of them",
                found="both" if len(inputs) == 2 else "neither",
            )
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


class LogicalNot(Judging):
    """It does not hold (torch.logical_not)."""

    type: Literal["logical_not"] = "logical_not"
    prefix: ClassVar[str] = "not"


def require_mask(mask: TensorType, which: str) -> None:
    if mask.dtype != "bool":
        raise ShapeError(f"the {which} input must be a mask", expected="bool", found=str(mask))


def moved(inputs: Tensors, output: TensorType, what: str) -> tuple[Work, ...]:
    """Values picked by a mask are free; stretched ones have their gradients summed up."""
    sums = {index: count for index, count in stretched(inputs, output).items() if inputs[int(index)].dtype != "bool"}
    return (Reduction(output.numel, 0, sums, what) if sums else Copy(output.numel, 0, {}, what),)


class Where(ValueByValue):
    """x where the mask holds, else y (torch.where). Inputs: mask of bool, x, y. No arithmetic: a choice is free."""

    type: Literal["where"] = "where"
    prefix: ClassVar[str] = "where"
    arity: ClassVar[Arity] = Arity(3, 3)

    def output_types(self, inputs: Tensors) -> Tensors:
        require_mask(inputs[0], "first")
        broadcast(inputs[1:])
        return (TensorType(broadcast_shape(inputs), inputs[1].dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(0),)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The zero that stands for the others' gradient, or what a stretched input's is before it is summed up."""
        numel = max(unsummed(inputs, outputs[0], setting), 1)
        return Scratch(backward=excess("gradients before they are summed", numel, outputs[0].dtype))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return moved(inputs, outputs[0], "chosen")


class MaskedFill(Layer):
    """The number `value` where the mask holds, else x (torch.masked_fill). Inputs: x, mask of bool. No arithmetic."""

    type: Literal["masked_fill"] = "masked_fill"
    prefix: ClassVar[str] = "masked_fill"
    arity: ClassVar[Arity] = Arity(2, 2)
    value: Number
    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        require_mask(inputs[1], "second")
        result = TensorType(broadcast_shape(inputs), inputs[0].dtype)
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
