"""Layers that take values of several tensors in pairs; where shapes differ, a 1 stretches (see arithmetic.py)."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Scalar
from archcost.layers.binary.arithmetic import Arithmetic
from archcost.layers.broadcasting import (
    broadcast,
    broadcast_shape,
    is_first_seen_smaller,
    pairs,
    require_one_more,
    stretched,
    unsummed,
)
from archcost.layers.promotion import Promoting
from archcost.layers.value_function import require_numbers
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType, result_dtype, with_number
from archcost.terms.autograd import PASSED_ON, Gradient, Input, Own, Saved, Scratch, Setting, excess
from archcost.work import Elementwise, Operand, Work


class Sub(Arithmetic):
    """Difference of two tensors. Backward passes the gradient on, and its negation."""

    type: Literal["sub"] = "sub"
    prefix: ClassVar[str] = "sub"

    def output_types(self, inputs: Tensors) -> Tensors:
        if {tensor.dtype for tensor in inputs} == {"bool"}:
            raise ShapeError("torch subtracts no masks", expected="numbers", found="bool", hint="logical_xor")
        return super().output_types(inputs)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (PASSED_ON if inputs[0] == outputs[0] else inputs[0], inputs[1])

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return is_first_seen_smaller(inputs)

    def passes_on(self, index: int) -> bool:
        return index == 0

    def scratch_of_one_dtype(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The negation for a stretched input, before it is summed up."""
        if 1 not in setting.needs or inputs[1].shape == outputs[0].shape:
            return Scratch()
        return Scratch(backward=(Own("negation before it is summed", outputs[0]),))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (pairs(inputs, outputs[0], (0, 1), "subtracted"),)


class Div(Arithmetic):
    """Quotient a/b of two tensors, of integers in float32; dy/b, and −dy·(a/b)/b: two divisions, negation, product."""

    type: Literal["div"] = "div"
    prefix: ClassVar[str] = "div"

    def output_types(self, inputs: Tensors) -> Tensors:
        (result,) = super().output_types(inputs)
        return (result if result.is_floating else TensorType(result.shape, "float32"),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (self.first(inputs), Input(1)) if 1 in setting.needs else (Input(1),)

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return is_first_seen_smaller(inputs)

    def worked_out(self, inputs: Tensors, outputs: Tensors) -> tuple[str, ...]:
        return (result_dtype((*outputs, *inputs)),) * 2

    def like_what_arrived(self, setting: Setting) -> int:
        """The negation, for the divisor."""
        return int(1 in setting.needs)

    def scratch_of_one_dtype(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The divisor's gradient comes first, of a/b, (a/b)/b, −dy and their product."""
        if 1 not in setting.needs:
            numel = unsummed(inputs, outputs[0], setting)
        else:
            numel = 4 * outputs[0].numel - sum(inputs[index].numel for index in (0, 1) if index in setting.needs)
        return Scratch(backward=excess("factors of the gradients", numel, outputs[0].dtype))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (pairs(inputs, outputs[0], (1, 4), "divided"),)


def halved(inputs: Tensors, output: TensorType, setting: Setting) -> Scratch:
    """Each gradient of two masks, halves and itself; the other's stands beside it, not yet summed up.

    Torch 2.13 overwrites the halved gradient where the other value was taken; 2.14 makes another of it.
    """
    needed = [index for index in range(len(inputs)) if index in setting.needs]
    made = len(needed) + (2 if setting.since("2.14") else 1)
    numel = made * output.numel - sum(inputs[index].numel for index in needed)
    masks = Own("masks", TensorType((2 * output.numel,), "bool"))
    return Scratch(backward=(*excess("halves before they are summed", numel, output.dtype), masks))


class Extremum(Promoting):
    """One of each pair; the gradient goes where the value came from, halved where both are equal."""

    arity: ClassVar[Arity] = Arity(2, 2)

    def output_types(self, inputs: Tensors) -> Tensors:
        return (broadcast(inputs),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(0), Input(1))

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return is_first_seen_smaller(inputs)

    def scratch_of_one_dtype(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        return halved(inputs, outputs[0], setting)

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


class ClampTensor(Promoting):
    """min(max(x, low), high), bounds that are tensors: inputs after x, of the kind that `bounds` says (torch.clamp).

    dy goes to x where no bound held, else to the bound that did.
    """

    type: Literal["clamp_tensor"] = "clamp_tensor"
    prefix: ClassVar[str] = "clamp"
    arity: ClassVar[Arity] = Arity(2, 3)
    bounds: Literal["min", "max", "both"] = "both"

    def names(self) -> tuple[str, ...]:
        """Of the inputs after x, as torch's arguments are called."""
        return ("min", "max") if self.bounds == "both" else (self.bounds,)

    def output_types(self, inputs: Tensors) -> Tensors:
        wanted = 1 + len(self.names())
        if len(inputs) != wanted:
            raise ShapeError(
                "another number of bounds", expected=f"{wanted} inputs for {self.bounds}", found=str(len(inputs))
            )
        for tensor in inputs:
            require_numbers(tensor)
        return (broadcast(inputs),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return tuple(Input(index) for index in range(len(inputs)))

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return is_first_seen_smaller(inputs)

    def scratch_of_one_dtype(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """All gradients unsummed, with the masks of x's, which comes last, and zero; or with the first of the sums.

        Torch 2.14 halves a gradient where x is a bound.
        """
        (output,) = outputs
        if setting.since("2.14"):
            return (
                halved(inputs, output, setting) if self.bounds != "both" else _halved_at_both(inputs, output, setting)
            )
        needed = [index for index in range(len(inputs)) if index in setting.needs]
        unsummed = len(needed) * output.numel - sum(inputs[index].numel for index in needed)
        held = excess("gradients before they are summed", unsummed, output.dtype)
        if self.bounds != "both":
            masks = output.numel
        elif 0 in needed:
            masks = 3 * output.numel
        else:  # which of the bounds is the smaller one has their shape
            masks = 2 * output.numel + prod(broadcast_shape(inputs[1:]))
        judged = (Own("masks", TensorType((masks,), "bool")), Own("zero", TensorType((), output.dtype)))
        summed = [inputs[index] for index in needed if inputs[index].shape != output.shape][:1]
        if sum(each.nbytes for each in summed) > sum(each.tensor.nbytes for each in judged):
            return Scratch(backward=(*held, *(Own("sum", each) for each in summed)))
        return Scratch(backward=(*held, *judged))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A comparison for each bound, both ways; for a bound's own gradient also between the two, where both are."""
        bounds, sums = len(inputs) - 1, stretched(inputs, outputs[0])
        gradients: dict[Operand, int] = {index: bounds + sums.get(index, 0) for index in range(len(inputs))}
        return (Elementwise(outputs[0].numel, bounds, gradients, "bounded"),)


def _halved_at_both(inputs: Tensors, output: TensorType, setting: Setting) -> Scratch:
    """The gradients of the lower bound, of the upper and of x, one after the other: each of masks, halves, and the
    halves where no other bound held; those before it stand beside it, not yet summed up.
    """
    (every, bounds), needed = (output.numel, prod(broadcast_shape(inputs[1:]))), setting.needs
    lower, upper = (prod(broadcast_shape((inputs[0], inputs[index]))) for index in (1, 2))
    masks = {1: 2 * bounds + 2 * every + lower, 2: 3 * bounds + 3 * every + upper, 0: bounds + 2 * every}
    order = [index for index in (1, 2, 0) if index in needed]
    size = DTYPE_BYTES[output.dtype]
    worst = max(range(len(order)), key=lambda place: place * every * size + masks[order[place]], default=None)
    if worst is None:
        return Scratch()
    numel = (worst + 3) * every - sum(inputs[index].numel for index in order)
    return Scratch(
        backward=(
            *excess("halves before they are summed", numel, output.dtype),
            Own("masks", TensorType((masks[order[worst]],), "bool")),
        )
    )


class Modulo(Promoting):
    """What a division by a second input, or by the number `other`, leaves: division, rounding, product, difference.

    Backward passes the gradient on; the divisor's is −dy·(a/b rounded): division, rounding, negation, product.
    """

    arity: ClassVar[Arity] = Arity(1, 2)
    other: Scalar | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        require_one_more(inputs, self.other)
        for tensor in inputs:
            require_numbers(tensor)
        result = broadcast(inputs)
        dtype = result.dtype if self.other is None else with_number(result.dtype, self.other)
        return (TensorType(result.shape, dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(0), Input(1)) if 1 in setting.needs else ()

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (PASSED_ON if inputs[0] == outputs[0] else inputs[0], *inputs[1:])

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return is_first_seen_smaller(inputs)

    def passes_on(self, index: int) -> bool:
        return index == 0

    def scratch_of_one_dtype(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The negation and the quotient beside their product."""
        if 1 not in setting.needs:
            return Scratch()
        summed = inputs[0].numel if 0 in setting.needs and inputs[0] != outputs[0] else 0
        numel = 3 * outputs[0].numel - inputs[1].numel - summed
        return Scratch(backward=excess("factors of the gradient", numel, outputs[0].dtype))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        sums = stretched(inputs, outputs[0])
        each = {0: sums.get(0, 0), 1: 4 + sums.get(1, 0)}
        gradients: dict[Operand, int] = {index: each[index] for index in range(len(inputs))}
        return (Elementwise(outputs[0].numel, 4, gradients, "divided"),)


class Remainder(Modulo):
    """What a division rounded down leaves, with the divisor's sign (`%`, torch.remainder)."""

    type: Literal["remainder"] = "remainder"
    prefix: ClassVar[str] = "remainder"


class FMod(Modulo):
    """What a division rounded to zero leaves, with the dividend's sign (torch.fmod)."""

    type: Literal["fmod"] = "fmod"
    prefix: ClassVar[str] = "remainder"
