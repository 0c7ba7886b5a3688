"""Values of several tensors taken together, value by value; where shapes differ, a 1 stretches."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity
from archcost.layers.binary.pair_function import (
    Arithmetic,
    Joining,
    Overwriting,
    PairFunction,
    card,
)
from archcost.layers.broadcasting import broadcast, broadcast_shape, require_one_more, stretched, summed_back
from archcost.layers.card import Card
from archcost.layers.derivative import PairFormula
from archcost.layers.fields import Scalar
from archcost.layers.rows import row
from archcost.layers.rules import Autograd, Call
from archcost.layers.value_function import require_numbers
from archcost.tensors import Tensors, TensorType, with_number
from archcost.terms.autograd import Input, Moment, Own
from archcost.work import Elementwise, Operand, Work


class Add(Overwriting):
    """Sum of two or more tensors. Backward passes the gradient on; only a stretched input costs additions.

    `inplace: true` adds to the first (x += y): the sum has no storage of its own. `alpha` is a factor of the second,
    where there are two (x.add(y, alpha=0.1)).
    """

    type: Literal["add"] = "add"
    prefix: ClassVar[str] = "add"
    arity: ClassVar[Arity] = Arity(2, None)
    card: ClassVar[Card] = card(None)
    takes_complex: ClassVar[bool] = True
    alpha: Scalar = 1

    def output_types(self, inputs: Tensors) -> Tensors:
        if self.alpha != 1 and len(inputs) > 2:
            raise ShapeError("alpha is a factor of the second input", expected="2 inputs", found=str(len(inputs)))
        return super().output_types(inputs)

    def autograd(self, call: Call) -> Autograd:
        """What arrives goes to every input, but for the product with a factor. Of several, the sum so far stands while
        the last is added to it.
        """
        handed = (0,) if self.alpha != 1 else range(len(call.inputs))
        several = len(call.inputs) > 2 and not self.inplace
        so_far = (Own("sum so far", broadcast(call.inputs[:-1])),) if several else ()
        return summed_back(call, handed=handed, forward=so_far)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        gradients, products = stretched(inputs, outputs[0]), int(self.alpha != 1)
        if outputs[0].is_complex:
            return (self._complex_work(inputs, outputs[0]),)
        if products:
            gradients[1] = 1 + gradients.get(1, 0)
        return (Elementwise(outputs[0].numel, len(inputs) - 1 + products, gradients, "added"),)

    def _complex_work(self, inputs: Tensors, result: TensorType) -> Elementwise:
        """Both parts are added, and of a real input the real one alone; a factor multiplies both."""
        parts = [1 + tensor.is_complex for tensor in inputs]
        so_far = [max(parts[:index]) for index in range(1, len(parts))]
        added = sum([min(before, part) for before, part in zip(so_far, parts[1:], strict=True)])
        factor = parts[1] if self.alpha != 1 else 0
        gradients: dict[Operand, int] = {index: parts[int(index)] for index in stretched(inputs, result)}
        if factor:
            gradients[1] = factor + gradients.get(1, 0)
        return Elementwise(result.numel, added + factor, gradients, "added")


class Sub(Arithmetic):
    """Difference of two tensors. Backward passes the gradient on, and its negation.

    `alpha` is a factor of the second (x.sub(y, alpha=0.1)).
    """

    type: Literal["sub"] = "sub"
    prefix: ClassVar[str] = "sub"
    card: ClassVar[Card] = card("Tensor.sub", operator="Sub")
    takes_complex: ClassVar[bool] = True
    formula: ClassVar[PairFormula] = PairFormula("a - b", ("dy", "-dy"))
    what: ClassVar[str] = "subtracted"
    alpha: Scalar = 1

    def chosen(self) -> PairFormula:
        return self.formula if self.alpha == 1 else PairFormula("a - alpha*b", ("dy", "-dy*alpha"))

    def output_types(self, inputs: Tensors) -> Tensors:
        if {tensor.dtype for tensor in inputs} == {"bool"}:
            raise ShapeError("torch subtracts no masks", expected="numbers", found="bool", hint="logical_xor")
        return super().output_types(inputs)


class Mul(Arithmetic):
    """Product of two tensors, value by value; each gradient is a product with the other."""

    type: Literal["mul"] = "mul"
    prefix: ClassVar[str] = "mul"
    card: ClassVar[Card] = card("Tensor.mul", operator="Mul")
    formula: ClassVar[PairFormula] = PairFormula("a*b", ("dy*b", "dy*a"))
    complex_formula: ClassVar[PairFormula | None] = PairFormula("a*b", ("dy*conj(b)", "dy*conj(a)"))
    takes_complex: ClassVar[bool] = True
    what: ClassVar[str] = "multiplied"


class Div(Arithmetic):
    """Quotient a/b of two tensors, of integers in float32; dy/b, and −dy·(a/b)/b: two divisions, negation, product.

    With `rounding_mode` it is rounded, down or to zero, which is one more operation; integers stay what they are, and
    the gradients are zeros.
    """

    type: Literal["div"] = "div"
    prefix: ClassVar[str] = "div"
    card: ClassVar[Card] = card("Tensor.div", operator="Div")
    formula: ClassVar[PairFormula] = PairFormula("a/b", ("dy/b", "-dy*((a/b)/b)"))
    complex_formula: ClassVar[PairFormula | None] = PairFormula("a/b", ("dy/conj(b)", "-dy*conj((a/b)/b)"))
    takes_complex: ClassVar[bool] = True
    what: ClassVar[str] = "divided"
    rounding_mode: Literal["floor", "trunc"] | None = None

    def chosen(self) -> PairFormula:
        if self.rounding_mode is None:
            return self.formula
        return PairFormula(f"{self.rounding_mode}_divide(a, b)", ("0", "0"), ("dy*1", "dy*1"), saved="b")

    def reads(self, index: int) -> Collection[str]:
        """Of what is rounded, torch keeps the dividend for the divisor's gradient and reads none of it."""
        return "a" if self.rounding_mode and index == 1 else super().reads(index)

    def output_types(self, inputs: Tensors) -> Tensors:
        (result,) = super().output_types(inputs)
        if self.rounding_mode:
            return (result,)
        return (result if result.is_floating else TensorType(result.shape, "float32"),)


class Divided(PairFunction):
    """By a second input, or by the number `other`, without leaving the dtype that both have."""

    arity: ClassVar[Arity] = Arity(1, 2)
    what: ClassVar[str] = "divided"
    other: Scalar | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        require_one_more(inputs, self.other)
        for tensor in inputs:
            require_numbers(tensor)
        result = broadcast(inputs)
        dtype = result.dtype if self.other is None else with_number(result.dtype, self.other)
        return (TensorType(result.shape, dtype),)


class Modulo(Divided):
    """What a division by a second input, or by the number `other`, leaves: division, rounding, product, difference.

    Backward passes the gradient on; the divisor's is −dy·(a/b rounded): division, rounding, negation, product.
    """


class FloorDivide(Divided):
    """The quotient rounded down, of integers too (`//`, torch.floor_divide): division and rounding.

    The divisor is a second input, or the number `other`. There is no gradient.
    """

    type: Literal["floor_divide"] = "floor_divide"
    prefix: ClassVar[str] = "div"
    card: ClassVar[Card] = card("Tensor.floor_divide")
    formula: ClassVar[PairFormula] = PairFormula("floor_divide(a, b)", ())

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (None,) * len(call.inputs))


def modulo(name: str, rounded: str, doc: str, *calls: str) -> type[Modulo]:
    formula = PairFormula(f"a - {rounded}(a, b)*b", ("dy", f"-dy*{rounded}(a, b)"))
    cards = card(f"Tensor.{calls[0]}", calls)
    return row(__name__, Modulo, name, calls[0], doc, cards, formula=formula, prefix="remainder")


Remainder = modulo(
    "Remainder",
    "floor_divide",
    "What a division rounded down leaves, with the divisor's sign (`%`, torch.remainder).",
    *("remainder", "mod"),
)
FMod = modulo(
    "FMod", "trunc_divide", "What a division rounded to zero leaves, with the dividend's sign (torch.fmod).", "fmod"
)


def halved(call: Call) -> Iterator[Moment]:
    """Each gradient comes of two masks, halves and itself; the other's stands beside it, not yet summed up.

    Torch 2.13 overwrites the halved gradient where the other value was taken; 2.14 makes another of it.
    """
    masks = (TensorType(call.result.shape, "bool"),) * 2
    for before in range(sum(call.needs(index) for index in range(len(call.inputs)))):
        yield (*[call.result] * (before + 2 + call.setting.since("2.14")), *masks)


class Extremum(PairFunction):
    """One of each pair; the gradient goes where the value came from, halved where both are equal."""

    what: ClassVar[str] = "compared"

    def autograd(self, call: Call) -> Autograd:
        return summed_back(call, (Input(0), Input(1)), during=halved(call))


def extremum(name: str, operator: str, sign: str, doc: str) -> type[Extremum]:
    type_ = name.lower()
    formula = PairFormula(f"{operator.lower()}(a, b)", (f"where(a {sign} b, dy, 0)", f"where(b {sign} a, dy, 0)"))
    return row(__name__, Extremum, name, type_, doc, card(f"torch.{type_}", (type_,), operator), formula=formula)


Maximum = extremum(
    "Maximum", "Max", ">", "The larger of each pair (torch.maximum): a comparison, and one for each gradient."
)
Minimum = extremum(
    "Minimum", "Min", "<", "The smaller of each pair (torch.minimum): a comparison, and one for each gradient."
)


class ClampTensor(Joining):
    """min(max(x, low), high), bounds that are tensors: inputs after x, of the kind that `bounds` says (torch.clamp).

    dy goes to x where no bound held, else to the bound that did.
    """

    type: Literal["clamp_tensor"] = "clamp_tensor"
    prefix: ClassVar[str] = "clamp"
    arity: ClassVar[Arity] = Arity(2, 3)
    card: ClassVar[Card] = card(None)
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
        return super().output_types(inputs)

    def autograd(self, call: Call) -> Autograd:
        """Torch 2.14 halves a gradient where x is a bound."""
        if not call.setting.since("2.14"):
            moments = self._masked(call)
        else:
            moments = halved(call) if self.bounds != "both" else self._halved_at_both(call)
        return summed_back(call, tuple([Input(index) for index in range(len(call.inputs))]), during=moments)

    def _masked(self, call: Call) -> Iterator[Moment]:
        """All gradients, with the masks of x's, which comes last, and zero. Of the bounds' alone, which of them is the
        smaller one has their shape.
        """
        every, needed = call.result.numel, [index for index in range(len(call.inputs)) if call.needs(index)]
        if self.bounds != "both":
            masks = every
        else:
            masks = 3 * every if 0 in needed else 2 * every + prod(broadcast_shape(call.inputs[1:]))
        yield (*[call.result] * len(needed), TensorType((masks,), "bool"), TensorType((), call.result.dtype))

    def _halved_at_both(self, call: Call) -> Iterator[Moment]:
        """The gradients of the lower bound, of the upper and of x, one after the other: each of masks, halves, and the
        halves where no other bound held; those before it stand beside it, not yet summed up.
        """
        every, between = call.result.numel, prod(broadcast_shape(call.inputs[1:]))
        lower, upper = (prod(broadcast_shape((call.source, call.inputs[index]))) for index in (1, 2))
        masks = {1: 2 * between + 2 * every + lower, 2: 3 * between + 3 * every + upper, 0: between + 2 * every}
        for before, index in enumerate([index for index in (1, 2, 0) if call.needs(index)]):
            yield (*[call.result] * (before + 3), TensorType((masks[index],), "bool"))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A comparison for each bound, both ways; for a bound's own gradient also between the two, where both are."""
        bounds, sums = len(inputs) - 1, stretched(inputs, outputs[0])
        gradients: dict[Operand, int] = {index: bounds + sums.get(index, 0) for index in range(len(inputs))}
        return (Elementwise(outputs[0].numel, bounds, gradients, "bounded"),)
