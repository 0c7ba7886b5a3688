"""Layers that bring several tensors together."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Flag, Scalar
from archcost.layers.broadcasting import broadcast, stretched, unsummed
from archcost.layers.promotion import Promoting
from archcost.tensors import Tensors, can_hold, result_dtype
from archcost.terms.autograd import NO_SCRATCH, PASSED_ON, Gradient, Input, Own, Saved, Scratch, Setting, excess
from archcost.work import Elementwise, Work


class Arithmetic(Promoting):
    """A result of each pair of values. `inplace: true` writes it into the first input (x += y), in that one's dtype."""

    arity: ClassVar[Arity] = Arity(2, 2)
    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        result = broadcast(inputs)
        if not self.inplace:
            return (result,)
        if result.shape != inputs[0].shape or not can_hold(inputs[0].dtype, result.dtype):
            raise ShapeError("inplace needs a result like the first input", expected=str(result), found=str(inputs[0]))
        return (inputs[0],)

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (0,) if self.inplace else (None,)

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace

    def first(self, inputs: Tensors) -> Saved:
        """The first input as backward wants it: in place, a copy that torch makes before it is overwritten."""
        return Own("copy of the first input", inputs[0]) if self.inplace else Input(0)


class Add(Arithmetic):
    """Sum of two or more tensors. Backward passes the gradient on; only a stretched input costs additions.

    `inplace: true` adds to the first (x += y): the sum has no storage of its own. `alpha` is a factor of the second,
    where there are two (x.add(y, alpha=0.1)).
    """

    type: Literal["add"] = "add"
    prefix: ClassVar[str] = "add"
    arity: ClassVar[Arity] = Arity(2, None)
    alpha: Scalar = 1

    def output_types(self, inputs: Tensors) -> Tensors:
        if self.alpha != 1 and len(inputs) > 2:
            raise ShapeError("alpha is a factor of the second input", expected="2 inputs", found=str(len(inputs)))
        return super().output_types(inputs)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        """What arrives goes to every input; for a stretched one it is summed up first, with a factor multiplied."""
        handed = [tensor == outputs[0] and (index == 0 or self.alpha == 1) for index, tensor in enumerate(inputs)]
        return tuple(PASSED_ON if is_handed else tensor for is_handed, tensor in zip(handed, inputs, strict=True))

    def scratch_of_one_dtype(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The sum so far, while the last input is added to it; a stretched input's product before it is summed."""
        if self.alpha != 1:
            is_stretched = 1 in setting.needs and inputs[1].shape != outputs[0].shape
            return Scratch(backward=(Own("products before they are summed", outputs[0]),) if is_stretched else ())
        if self.inplace or len(inputs) == 2:
            return NO_SCRATCH
        return Scratch(forward=(Own("sum so far", broadcast(inputs[:-1])),))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        gradients, products = stretched(inputs, outputs[0]), int(self.alpha != 1)
        if products:
            gradients[1] = 1 + gradients.get(1, 0)
        return (Elementwise(outputs[0].numel, len(inputs) - 1 + products, gradients, "added"),)

    def passes_on(self, index: int) -> bool:
        return index == 0 or self.alpha == 1


class Mul(Arithmetic):
    """Product of two tensors, value by value; each gradient is a product with the other."""

    type: Literal["mul"] = "mul"
    prefix: ClassVar[str] = "mul"

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        others: list[tuple[int, Saved]] = [(1, self.first(inputs)), (0, Input(1))]
        return tuple(other for operand, other in others if operand in setting.needs)

    def worked_out(self, inputs: Tensors, outputs: Tensors) -> tuple[str, ...]:
        """Products with the other."""
        return (result_dtype((outputs[0], inputs[1])), result_dtype((outputs[0], inputs[0])))

    def scratch_of_one_dtype(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The product for a stretched input, before it is summed up; if both are, each beside the other's."""
        numel = unsummed(inputs, outputs[0], setting)
        return Scratch(backward=excess("products before they are summed", numel, outputs[0].dtype))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        gradients = {index: 1 + stretched(inputs, outputs[0]).get(index, 0) for index in (0, 1)}
        return (Elementwise(outputs[0].numel, 1, {**gradients}, "multiplied"),)
