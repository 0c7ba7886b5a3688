"""Values of several tensors taken together, value by value: what one formula says is all that they are."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import broadcast, stretched, summed_back
from archcost.layers.card import Card, onnx
from archcost.layers.complex_operations import complex_operations
from archcost.layers.derivative import LETTERS, PairFormula, operations, read, tensors_made
from archcost.layers.dtypes import AS_GIVEN, Autocast
from archcost.layers.fields import Flag
from archcost.layers.memory_order import value_by_value
from archcost.layers.rules import Autograd, Call, Placement
from archcost.tensors import Tensors, TensorType, can_hold
from archcost.terms.autograd import OUTPUT, Input, Own, Saved, Setting
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Operand, Work


def card(
    torch: str | None,
    calls: tuple[str, ...] = (),
    operator: str | None = None,
    time: TimeClass = "elementwise",
    autocast: Autocast = AS_GIVEN,
) -> Card:
    return Card(
        torch=torch,
        calls=calls,
        onnx=onnx(operator) if operator else None,
        autocast=autocast,
        promotion="promoted",
        fvcore="nothing",
        time=time,
        blas=False,
    )


class Joining(Layer):
    """A result of several values, in the dtype to which theirs are promoted (TensorIterator)."""

    def output_types(self, inputs: Tensors) -> Tensors:
        return (broadcast(inputs),)

    def placement(self, call: Call) -> Placement:
        return value_by_value(call, 0 if self.overwrites(call.setting) else None)


class Overwriting(Joining):
    """`inplace: true` writes the result into the first input (x += y), in that one's dtype."""

    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        (result,) = super().output_types(inputs)
        if not self.inplace:
            return (result,)
        if result.shape != inputs[0].shape or not can_hold(inputs[0].dtype, result.dtype):
            raise ShapeError("inplace needs a result like the first input", expected=str(result), found=str(inputs[0]))
        return (inputs[0],)

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace


class PairFunction(Joining):
    """A result of each pair of values, a of the first input and b of the second, whose formula says what it costs."""

    arity: ClassVar[Arity] = Arity(2, 2)
    formula: ClassVar[PairFormula]
    what: ClassVar[str]
    """What is done, in reports."""
    complex_formula: ClassVar[PairFormula | None] = None
    """That of complex numbers, where conjugates are taken; without one they are refused."""
    worked_first: ClassVar[tuple[int, ...]] = (2, 1, 0)
    """The order in which torch works out the gradients: by the names of its arguments, `other` before `self`."""

    def chosen(self) -> PairFormula:
        """The formula, where the fields choose between several."""
        return self.formula

    def rule(self, result: TensorType) -> PairFormula:
        """The formula of values of that kind."""
        return self.complex_formula or self.chosen() if result.is_complex else self.chosen()

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        if outputs[0].is_complex:
            return (self._complex_work(inputs, outputs[0]),)
        sums, formula = stretched(inputs, outputs[0]), self.chosen()
        gradients: dict[Operand, int] = {
            index: operations(gradient) + (sums.get(index, 0) if gradient != "0" or formula.made else 0)
            for index, gradient in enumerate(formula.backward[: len(inputs)])
        }
        return (Elementwise(outputs[0].numel, operations(formula.forward), gradients, self.what),)

    def _complex_work(self, inputs: Tensors, result: TensorType) -> Elementwise:
        """On real numbers. The gradient of a real input is a real part, and summed up as such."""
        numbers = frozenset(["y", "dy", *[name for name, each in zip("ab", inputs, strict=True) if each.is_complex]])
        sums, formula = stretched(inputs, result), self.rule(result)
        gradients: dict[Operand, int] = {
            index: complex_operations(formula.backward[index], numbers) + sums.get(index, 0) * (1 + tensor.is_complex)
            for index, tensor in enumerate(inputs)
        }
        return Elementwise(result.numel, complex_operations(formula.forward, numbers), gradients, self.what)

    def autograd(self, call: Call) -> Autograd:
        formula = self.rule(call.result)
        backward = dict(enumerate(formula.backward[: len(call.inputs)]))
        types = {"dy": call.result, "y": call.result, **dict(zip(LETTERS, call.inputs, strict=False))}
        made = {
            index: (call.inputs[index],) if expression == "0" else tensors_made(expression, types)
            for index, expression in enumerate((formula.made or formula.backward)[: len(call.inputs)])
        }
        worked = {index: tensors[-1] for index, tensors in made.items() if tensors}
        needed = [index for index in self.worked_first if index in worked and call.needs(index)]
        during = [(*[worked[before] for before in needed[:place]], *made[index]) for place, index in enumerate(needed)]
        read_ = {*formula.saved, *[name for index in backward if call.needs(index) for name in self.reads(index)]}
        saved = tuple([self.reference(name, call) for name in sorted(read_)])
        return summed_back(call, saved, worked, backward.keys() - worked.keys(), during)

    def reads(self, index: int) -> Collection[str]:
        """The letters of what the gradient of that input is made of."""
        return read(self.chosen().backward[index])

    def reference(self, name: str, call: Call) -> Saved:
        """The first input as backward wants it: in place, a copy that torch makes before it is overwritten."""
        if name != "a":
            return OUTPUT if name == "y" else Input(LETTERS.index(name))
        return Own("copy of the first input", call.source) if self.overwrites(call.setting) else Input(0)


class Arithmetic(PairFunction, Overwriting):
    """One with a method in torch that overwrites the first input."""
