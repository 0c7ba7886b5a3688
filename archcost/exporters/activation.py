"""Activations in ONNX, but for those whose cards name an operator."""

from __future__ import annotations

from archcost.exporters.emit import Part, draws
from archcost.layers import (
    GLU,
    Hardshrink,
    Hardsigmoid,
    Hardtanh,
    LogSigmoid,
    LogSoftmax,
    PReLU,
    ReLU6,
    RReLU,
    SiLU,
    Softmax,
    Softplus,
    Softshrink,
    Tanhshrink,
    Threshold,
)


@draws(ReLU6)
def relu6(part: Part) -> str:
    return clip(part, 0.0, 6.0)


@draws(Hardtanh)
def hardtanh(part: Part) -> str:
    return clip(part, part.layer.min_val, part.layer.max_val)


def clip(part: Part, least: float | None, most: float | None) -> str:
    bounds = ["" if bound is None else part.number(bound) for bound in (least, most)]
    return part.draw("Clip", part.cast(), *bounds)


@draws(SiLU)
def silu(part: Part) -> str:
    return part.draw("Mul", part.inputs[0], part.draw("Sigmoid", part.inputs[0]))


@draws(Hardsigmoid)
def hardsigmoid(part: Part) -> str:
    return part.draw("HardSigmoid", part.inputs[0], alpha=1 / 6, beta=0.5)


@draws(Softplus)
def softplus(part: Part) -> str:
    """log(1 + exp(βx))/β. ONNX knows no threshold beyond which it is x itself."""
    beta = part.layer.beta
    if beta == 1:
        return part.draw("Softplus", part.inputs[0])
    steep = part.draw("Softplus", part.draw("Mul", part.inputs[0], part.number(beta)))
    return part.draw("Div", steep, part.number(beta))


@draws(LogSigmoid)
def logsigmoid(part: Part) -> str:
    return part.draw("Log", part.draw("Sigmoid", part.inputs[0]))


@draws(PReLU)
def prelu(part: Part) -> str:
    """The slopes stretch over what follows the channels."""
    slopes = part.weight()
    behind = part.source.rank - 2
    if part.layer.num_parameters > 1 and behind > 0:
        slopes = part.draw("Unsqueeze", slopes, part.integers(*range(1, behind + 1)))
    return part.draw("PRelu", part.inputs[0], slopes)


@draws(RReLU)
def rrelu(part: Part) -> str:
    """As in evaluation, where nothing is drawn."""
    return part.draw("LeakyRelu", part.inputs[0], alpha=(part.layer.lower + part.layer.upper) / 2)


@draws(GLU)
def glu(part: Part) -> str:
    value, gate = part.draw_many("Split", 2, part.inputs[0], axis=part.layer.dim, num_outputs=2)
    return part.draw("Mul", value, part.draw("Sigmoid", gate))


@draws(Threshold)
def threshold(part: Part) -> str:
    above = part.draw("Greater", part.inputs[0], part.number(part.layer.threshold))
    return part.draw("Where", above, part.inputs[0], part.number(part.layer.value))


@draws(Hardshrink)
def hardshrink(part: Part) -> str:
    return part.draw("Shrink", part.inputs[0], lambd=part.layer.lambd, bias=0.0)


@draws(Softshrink)
def softshrink(part: Part) -> str:
    return part.draw("Shrink", part.inputs[0], lambd=part.layer.lambd, bias=part.layer.lambd)


@draws(Tanhshrink)
def tanhshrink(part: Part) -> str:
    return part.draw("Sub", part.inputs[0], part.draw("Tanh", part.inputs[0]))


@draws(Softmax)
def softmax(part: Part) -> str:
    return part.draw("Softmax", part.inputs[0], axis=part.layer.dim)


@draws(LogSoftmax)
def log_softmax(part: Part) -> str:
    return part.draw("LogSoftmax", part.inputs[0], axis=part.layer.dim)
