"""Values of several tensors taken together, in ONNX."""

from __future__ import annotations

from functools import reduce
from math import log, pi

from archcost.exporters.emit import Part, draws
from archcost.layers import (
    Add,
    Atan2,
    ClampTensor,
    CopySign,
    Cross,
    Div,
    FloorDivide,
    FMax,
    FMin,
    FMod,
    Hypot,
    LdExp,
    Lerp,
    LogAddExp,
    LogAddExp2,
    Maximum,
    Minimum,
    Mul,
    PowTensor,
    Remainder,
    Sub,
    XLog1pY,
    XLogY,
)
from archcost.layers.checks import normalize_axis


@draws(Add)
def add(part: Part) -> str:
    operands = [part.cast(index) for index in range(len(part.inputs))]
    if part.layer.alpha != 1:
        operands[1] = part.draw("Mul", operands[1], part.number(part.layer.alpha))
    return reduce(lambda so_far, tensor: part.draw("Add", so_far, tensor), operands)


@draws(Sub)
def sub(part: Part) -> str:
    taken = part.cast(1)
    if part.layer.alpha != 1:
        taken = part.draw("Mul", taken, part.number(part.layer.alpha))
    return part.draw("Sub", part.cast(0), taken)


@draws(Div)
def div(part: Part) -> str:
    quotient = part.draw("Div", part.cast(0), part.cast(1))
    rounding = part.layer.rounding_mode
    return quotient if rounding is None or not part.result.is_floating else _rounded(part, quotient, rounding)


def _rounded(part: Part, quotient: str, rounding: str) -> str:
    if rounding == "floor":
        return part.draw("Floor", quotient)
    return part.draw("Mul", part.draw("Sign", quotient), part.draw("Floor", part.draw("Abs", quotient)))


@draws(FloorDivide)
def floor_divide(part: Part) -> str:
    quotient = part.draw("Div", *divided(part))
    return _rounded(part, quotient, "floor") if part.result.is_floating else quotient


@draws(FMax, FMin)
def number_of_pair(part: Part) -> str:
    return part.draw("Max" if part.layer.type == "fmax" else "Min", part.cast(0), part.cast(1))


@draws(Hypot)
def hypot(part: Part) -> str:
    squares = [part.draw("Mul", part.cast(index), part.cast(index)) for index in (0, 1)]
    return part.draw("Sqrt", part.draw("Add", *squares))


@draws(LdExp)
def ldexp(part: Part) -> str:
    return part.draw("Mul", part.cast(0), part.draw("Pow", part.number(2.0), part.cast(1)))


@draws(Cross)
def cross(part: Part) -> str:
    """The two others' products, in turn."""
    axis = normalize_axis(part.layer.dim, part.result.rank)
    after, behind = part.integers(1, 2, 0), part.integers(2, 0, 1)
    turned = [[part.draw("Gather", tensor, order, axis=axis) for order in (after, behind)] for tensor in part.inputs]
    (first_after, first_behind), (second_after, second_behind) = turned
    one = part.draw("Mul", first_after, second_behind)
    return part.draw("Sub", one, part.draw("Mul", first_behind, second_after))


@draws(Mul, Maximum, Minimum)
def paired(part: Part) -> str:
    """In the dtype of the result, integers as well."""
    return part.draw(part.layer.card.onnx.operator, part.cast(0), part.cast(1))


def divided(part: Part) -> tuple[str, str]:
    """Dividend and divisor, which may be a number."""
    other = part.layer.other
    return part.cast(0), part.cast(1) if other is None else part.number(other)


@draws(Remainder)
def remainder(part: Part) -> str:
    """ONNX takes the divisor's sign for integers alone."""
    dividend, divisor = divided(part)
    if not part.result.is_floating:
        return part.draw("Mod", dividend, divisor)
    whole = part.draw("Floor", part.draw("Div", dividend, divisor))
    return part.draw("Sub", dividend, part.draw("Mul", whole, divisor))


@draws(FMod)
def fmod(part: Part) -> str:
    return part.draw("Mod", *divided(part), fmod=1)


@draws(ClampTensor)
def clamp(part: Part) -> str:
    so_far = part.cast(0)
    for index, name in enumerate(part.layer.names(), 1):
        so_far = part.draw("Max" if name == "min" else "Min", so_far, part.cast(index))
    return so_far


@draws(PowTensor)
def power(part: Part) -> str:
    return part.draw("Pow", part.cast(0), part.cast(1))


@draws(Lerp)
def lerp(part: Part) -> str:
    start, end = part.inputs[:2]
    weight = part.inputs[2] if part.layer.weight is None else part.number(part.layer.weight)
    return part.draw("Add", start, part.draw("Mul", weight, part.draw("Sub", end, start)))


@draws(LogAddExp)
def logaddexp(part: Part) -> str:
    exponentials = [part.draw("Exp", part.cast(index)) for index in (0, 1)]
    return part.draw("Log", part.draw("Add", *exponentials))


@draws(LogAddExp2)
def logaddexp2(part: Part) -> str:
    powers = [part.draw("Pow", part.number(2.0), part.cast(index)) for index in (0, 1)]
    return part.draw("Div", part.draw("Log", part.draw("Add", *powers)), part.number(log(2)))


@draws(CopySign)
def copysign(part: Part) -> str:
    """Of a zero the sign is taken for positive."""
    size = part.draw("Abs", part.cast(0))
    is_negative = part.draw("Less", part.inputs[1], part.number(0, part.node.input_types[1].dtype))
    return part.draw("Where", is_negative, part.draw("Neg", size), size)


@draws(XLogY, XLog1pY)
def xlogy(part: Part) -> str:
    factor, argument = part.cast(0), part.cast(1)
    if part.layer.type == "xlog1py":
        argument = part.draw("Add", argument, part.number(1.0))
    product = part.draw("Mul", factor, part.draw("Log", argument))
    is_zero = part.draw("Equal", factor, part.number(0.0))
    return part.draw("Where", is_zero, part.number(0.0), product)


@draws(Atan2)
def atan2(part: Part) -> str:
    """The arctangent of the quotient, half a turn further where the divisor is negative."""
    rise, run = part.cast(0), part.cast(1)
    angle = part.draw("Atan", part.draw("Div", rise, run))
    half = part.draw("Where", part.draw("Less", rise, part.number(0.0)), part.number(-pi), part.number(pi))
    return part.draw("Where", part.draw("Less", run, part.number(0.0)), part.draw("Add", angle, half), angle)
