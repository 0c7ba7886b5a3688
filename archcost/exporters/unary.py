"""Functions of each value in ONNX, but for those whose cards name an operator."""

from __future__ import annotations

from math import log, pi

from archcost.exporters.activation import clip
from archcost.exporters.emit import Part, draws
from archcost.layers import (
    I0,
    Acosh,
    Ceil,
    Clamp,
    Digamma,
    Entr,
    Erfc,
    Erfcx,
    Erfinv,
    Exp2,
    Expm1,
    Floor,
    Frac,
    I0e,
    Lgamma,
    Log1p,
    Log2,
    Log10,
    Logit,
    LogNdtr,
    NanToNum,
    Ndtri,
    Polygamma,
    Pow,
    Round,
    RPow,
    Rsqrt,
    Rsub,
    Scale,
    Sinc,
    Trunc,
)


@draws(Round)
def rounded(part: Part) -> str:
    """ONNX rounds to whole numbers."""
    decimals = part.layer.decimals
    if not decimals or not part.source.is_floating:
        return step(part)
    scale = part.number(10.0**decimals)
    return part.draw("Div", part.draw("Round", part.draw("Mul", part.inputs[0], scale)), scale)


@draws(Frac)
def fraction(part: Part) -> str:
    return part.draw("Sub", part.inputs[0], truncated(part))


@draws(Exp2)
def exp2(part: Part) -> str:
    return part.draw("Pow", part.number(2.0), part.cast())


@draws(Acosh)
def acosh(part: Part) -> str:
    return part.draw("Acosh", part.cast())


@draws(Sinc)
def sinc(part: Part) -> str:
    turned = part.draw("Mul", part.cast(), part.number(pi))
    ratio = part.draw("Div", part.draw("Sin", turned), turned)
    return part.draw("Where", part.draw("Equal", turned, part.number(0.0)), part.number(1.0), ratio)


@draws(Entr)
def entropy(part: Part) -> str:
    product = part.draw("Neg", part.draw("Mul", part.cast(), part.draw("Log", part.cast())))
    return part.draw("Where", part.draw("Equal", part.cast(), part.number(0.0)), part.number(0.0), product)


@draws(Erfinv, Lgamma, Digamma, Polygamma, I0, I0e, Ndtri, LogNdtr, Erfcx)
def foreign(part: Part) -> str:
    """None of which ONNX has an operator for."""
    return part.draw_unknown(type(part.layer).__name__, 1, part.inputs[0])[0]


@draws(Floor, Ceil)
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
