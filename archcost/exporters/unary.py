"""Functions of each value in ONNX, but for those whose cards name an operator."""

from __future__ import annotations

from math import log

from archcost.exporters.activation import clip
from archcost.exporters.emit import Part, draws
from archcost.layers import (
    Ceil,
    Clamp,
    Erfc,
    Expm1,
    Floor,
    Log1p,
    Log2,
    Log10,
    Logit,
    NanToNum,
    Pow,
    Round,
    RPow,
    Rsqrt,
    Rsub,
    Scale,
    Trunc,
)


@draws(Floor, Ceil, Round)
def step(part: Part) -> str:
    """Integers are what they are."""
    return part.draw(part.layer.card.onnx.operator if part.source.is_floating else "Identity", part.inputs[0])


@draws(Trunc)
def truncated(part: Part) -> str:
    if not part.source.is_floating:
        return part.draw("Identity", part.inputs[0])
    whole = part.draw("Floor", part.draw("Abs", part.inputs[0]))
    return part.draw("Mul", part.draw("Sign", part.inputs[0]), whole)


@draws(Log2)
def log2(part: Part) -> str:
    return logarithm(part, 2)


@draws(Log10)
def log10(part: Part) -> str:
    return logarithm(part, 10)


def logarithm(part: Part, base: float) -> str:
    return part.draw("Mul", part.draw("Log", part.cast()), part.number(1 / log(base)))


@draws(Log1p)
def log1p(part: Part) -> str:
    return part.draw("Log", part.draw("Add", part.cast(), part.number(1)))


@draws(Expm1)
def expm1(part: Part) -> str:
    return part.draw("Sub", part.draw("Exp", part.cast()), part.number(1))


@draws(Erfc)
def erfc(part: Part) -> str:
    return part.draw("Sub", part.number(1), part.draw("Erf", part.cast()))


@draws(Logit)
def logit(part: Part) -> str:
    tensor, eps = part.inputs[0], part.layer.eps
    if eps is not None:
        tensor = part.draw("Clip", tensor, part.number(eps), part.number(1 - eps))
    rest = part.draw("Sub", part.number(1), tensor)
    return part.draw("Log", part.draw("Div", tensor, rest))


LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38}
"""Finite values of each dtype; in float64 none that a network meets."""


@draws(NanToNum)
def nan_to_num(part: Part) -> str:
    layer, most = part.layer, LARGEST.get(part.source.dtype, 1.7976931348623157e308)
    tensor = part.draw("Where", part.draw("IsNaN", part.inputs[0]), part.number(layer.nan), part.inputs[0])
    least = -most if layer.neginf is None else layer.neginf
    return part.draw("Clip", tensor, part.number(least), part.number(most if layer.posinf is None else layer.posinf))


@draws(Rsqrt)
def rsqrt(part: Part) -> str:
    return part.draw("Reciprocal", part.draw("Sqrt", part.cast()))


@draws(Pow)
def power(part: Part) -> str:
    return part.draw("Pow", part.cast(), part.number(part.layer.exponent))


@draws(RPow)
def rpow(part: Part) -> str:
    return part.draw("Pow", part.number(part.layer.base), part.cast())


@draws(Clamp)
def clamp(part: Part) -> str:
    return clip(part, part.layer.min, part.layer.max)


@draws(Scale)
def scale(part: Part) -> str:
    tensor = part.cast()
    if part.layer.multiplies():
        tensor = part.draw("Mul", tensor, part.number(part.layer.factor))
    return part.draw("Add", tensor, part.number(part.layer.shift)) if part.layer.shift else tensor


@draws(Rsub)
def rsub(part: Part) -> str:
    return part.draw("Sub", part.number(part.layer.other), part.cast())
