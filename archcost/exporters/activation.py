"""Functions of each value in ONNX, and softmax."""

from __future__ import annotations

from math import log

from archcost.exporters.emit import Part, Rendering, operator


def leaky_relu(part: Part) -> str:
    return part.draw("LeakyRelu", part.inputs[0], alpha=part.layer.negative_slope)


def elu(part: Part) -> str:
    return part.draw("Elu", part.inputs[0], alpha=part.layer.alpha)


def gelu(part: Part) -> str:
    return part.draw("Gelu", part.inputs[0], approximate=part.layer.approximate)


def silu(part: Part) -> str:
    return part.draw("Mul", part.inputs[0], part.draw("Sigmoid", part.inputs[0]))


def clip(part: Part, least: float | None, most: float | None) -> str:
    bounds = ["" if bound is None else part.number(bound) for bound in (least, most)]
    return part.draw("Clip", part.cast(), *bounds)


def softplus(part: Part) -> str:
    """log(1 + exp(βx))/β. ONNX knows no threshold beyond which it is x itself."""
    beta = part.layer.beta
    if beta == 1:
        return part.draw("Softplus", part.inputs[0])
    steep = part.draw("Softplus", part.draw("Mul", part.inputs[0], part.number(beta)))
    return part.draw("Div", steep, part.number(beta))


def logsigmoid(part: Part) -> str:
    return part.draw("Log", part.draw("Sigmoid", part.inputs[0]))


def prelu(part: Part) -> str:
    """The slopes stretch over what follows the channels."""
    slopes = part.weight()
    behind = part.source.rank - 2
    if part.layer.num_parameters > 1 and behind > 0:
        slopes = part.draw("Unsqueeze", slopes, part.integers(*range(1, behind + 1)))
    return part.draw("PRelu", part.inputs[0], slopes)


def glu(part: Part) -> str:
    value, gate = part.draw_many("Split", 2, part.inputs[0], axis=part.layer.dim, num_outputs=2)
    return part.draw("Mul", value, part.draw("Sigmoid", gate))


def dropout(part: Part) -> str:
    """With its ratio, although ONNX drops nothing outside training."""
    return part.draw("Dropout", part.inputs[0], part.number(part.layer.p, "float32"))


def function(kind: str) -> Rendering:
    """Of floating-point values: torch casts integers before."""
    return lambda part: part.draw(kind, part.cast())


def stepped(kind: str) -> Rendering:
    """Integers are what they are."""
    return lambda part: part.draw(kind if part.source.is_floating else "Identity", part.inputs[0])


def truncated(part: Part) -> str:
    if not part.source.is_floating:
        return part.draw("Identity", part.inputs[0])
    whole = part.draw("Floor", part.draw("Abs", part.inputs[0]))
    return part.draw("Mul", part.draw("Sign", part.inputs[0]), whole)


def logarithm(base: float) -> Rendering:
    return lambda part: part.draw("Mul", part.draw("Log", part.cast()), part.number(1 / log(base)))


def log1p(part: Part) -> str:
    return part.draw("Log", part.draw("Add", part.cast(), part.number(1)))


def expm1(part: Part) -> str:
    return part.draw("Sub", part.draw("Exp", part.cast()), part.number(1))


def erfc(part: Part) -> str:
    return part.draw("Sub", part.number(1), part.draw("Erf", part.cast()))


def logit(part: Part) -> str:
    tensor, eps = part.inputs[0], part.layer.eps
    if eps is not None:
        tensor = part.draw("Clip", tensor, part.number(eps), part.number(1 - eps))
    rest = part.draw("Sub", part.number(1), tensor)
    return part.draw("Log", part.draw("Div", tensor, rest))


def shrink(bias: bool) -> Rendering:
    def rendering(part: Part) -> str:
        lambd = part.layer.lambd
        return part.draw("Shrink", part.inputs[0], lambd=lambd, bias=lambd if bias else 0.0)

    return rendering


def tanhshrink(part: Part) -> str:
    return part.draw("Sub", part.inputs[0], part.draw("Tanh", part.inputs[0]))


def threshold(part: Part) -> str:
    above = part.draw("Greater", part.inputs[0], part.number(part.layer.threshold))
    return part.draw("Where", above, part.inputs[0], part.number(part.layer.value))


LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38}
"""Finite values of each dtype; in float64 none that a network meets."""


def nan_to_num(part: Part) -> str:
    layer, most = part.layer, LARGEST.get(part.source.dtype, 1.7976931348623157e308)
    tensor = part.draw("Where", part.draw("IsNaN", part.inputs[0]), part.number(layer.nan), part.inputs[0])
    least = -most if layer.neginf is None else layer.neginf
    return part.draw("Clip", tensor, part.number(least), part.number(most if layer.posinf is None else layer.posinf))


def rsqrt(part: Part) -> str:
    return part.draw("Reciprocal", part.draw("Sqrt", part.cast()))


def power(part: Part) -> str:
    return part.draw("Pow", part.cast(), part.number(part.layer.exponent))


def scale(part: Part) -> str:
    tensor = part.cast()
    if part.layer.multiplies():
        tensor = part.draw("Mul", tensor, part.number(part.layer.factor))
    return part.draw("Add", tensor, part.number(part.layer.shift)) if part.layer.shift else tensor


def rsub(part: Part) -> str:
    return part.draw("Sub", part.number(part.layer.other), part.cast())


FUNCTIONS = {
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "reciprocal": "Reciprocal",
    "erf": "Erf",
    "sin": "Sin",
    "cos": "Cos",
    "tan": "Tan",
    "asin": "Asin",
    "acos": "Acos",
    "atan": "Atan",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "asinh": "Asinh",
    "atanh": "Atanh",
}

RENDERINGS: dict[str, Rendering] = {
    "relu": operator("Relu"),
    "relu6": lambda part: clip(part, 0.0, 6.0),
    "leaky_relu": leaky_relu,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
    "hardswish": operator("HardSwish"),
    "hardsigmoid": operator("HardSigmoid", alpha=1 / 6, beta=0.5),
    "sigmoid": operator("Sigmoid"),
    "tanh": operator("Tanh"),
    "softplus": softplus,
    "softmax": lambda part: part.draw("Softmax", part.inputs[0], axis=part.layer.dim),
    "log_softmax": lambda part: part.draw("LogSoftmax", part.inputs[0], axis=part.layer.dim),
    "mish": operator("Mish"),
    "selu": operator("Selu"),
    "hardtanh": lambda part: clip(part, part.layer.min_val, part.layer.max_val),
    "logsigmoid": logsigmoid,
    "prelu": prelu,
    "glu": glu,
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"), dropout),
    "threshold": threshold,
    "celu": lambda part: part.draw("Celu", part.inputs[0], alpha=part.layer.alpha),
    "softsign": operator("Softsign"),
    "softshrink": shrink(bias=True),
    "hardshrink": shrink(bias=False),
    "tanhshrink": tanhshrink,
    "logit": logit,
    "nan_to_num": nan_to_num,
    **{type_: function(kind) for type_, kind in FUNCTIONS.items()},
    "log2": logarithm(2),
    "log10": logarithm(10),
    "log1p": log1p,
    "expm1": expm1,
    "erfc": erfc,
    **{type_: stepped(kind) for type_, kind in (("floor", "Floor"), ("ceil", "Ceil"), ("round", "Round"))},
    "trunc": truncated,
    "sign": operator("Sign"),
    "rsqrt": rsqrt,
    "abs": operator("Abs"),
    "pow": power,
    "rpow": lambda part: part.draw("Pow", part.number(part.layer.base), part.cast()),
    "clamp": lambda part: clip(part, part.layer.min, part.layer.max),
    "neg": operator("Neg"),
    "scale": scale,
    "rsub": rsub,
}
