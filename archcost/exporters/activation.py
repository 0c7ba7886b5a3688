"""Functions of each value in ONNX, and softmax."""

from __future__ import annotations

from archcost.exporters.sheet import Part, Rendering, operator


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
    return part.draw("Clip", part.inputs[0], *bounds)


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


def rsqrt(part: Part) -> str:
    return part.draw("Reciprocal", part.draw("Sqrt", part.inputs[0]))


def power(part: Part) -> str:
    return part.draw("Pow", part.inputs[0], part.number(part.layer.exponent))


def scale(part: Part) -> str:
    tensor = part.inputs[0]
    if part.layer.multiplies():
        tensor = part.draw("Mul", tensor, part.number(part.layer.factor))
    return part.draw("Add", tensor, part.number(part.layer.shift)) if part.layer.shift else tensor


def rsub(part: Part) -> str:
    return part.draw("Sub", part.number(part.layer.other), part.inputs[0])


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
    "dropout": dropout,
    "exp": operator("Exp"),
    "log": operator("Log"),
    "sqrt": operator("Sqrt"),
    "rsqrt": rsqrt,
    "reciprocal": operator("Reciprocal"),
    "erf": operator("Erf"),
    "abs": operator("Abs"),
    "sin": operator("Sin"),
    "cos": operator("Cos"),
    "pow": power,
    "clamp": lambda part: clip(part, part.layer.min, part.layer.max),
    "neg": operator("Neg"),
    "scale": scale,
    "rsub": rsub,
}
