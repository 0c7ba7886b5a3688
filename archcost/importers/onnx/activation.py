"""Activations that are no operator with the same fields."""

from __future__ import annotations

from math import isfinite, prod

from archcost.importers.onnx.unary import number_for
from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import UnsupportedError, Value, short


def clip(call: Call) -> Value:
    """Bounds are attributes in old files, and inputs in others."""
    least, most = (_bound(call, name, index) for name, index in (("min", 1), ("max", 2)))
    if least is None and most is None:
        return call[0]
    if (least, most) == (0, 6):
        return call.layer("relu6", call[0])
    if least is not None and most is not None and call[0].tensor.is_floating:
        return call.layer("hardtanh", call[0], min_val=float(least), max_val=float(most))
    bounds = {"min": least, "max": most}
    given = {name: number_for(call[0], bound) for name, bound in bounds.items() if bound is not None}
    return call.layer("clamp", call[0], **given)


def _bound(call: Call, name: str, index: int) -> float | None:
    value = call.get(index)
    if value is None:
        given = call.real(name, 0.0)
        return given if name in call.node.attributes and abs(given) < 3e38 else None
    if value.numbers is None or value.numbers.size != 1:
        raise UnsupportedError("a bound that is computed")
    bound = float(value.numbers.item())
    return short(bound) if isfinite(bound) and abs(bound) < 3e38 else None


def hard_sigmoid(call: Call) -> Value:
    """Torch has the one of slope 1/6 alone: another is a scaled value, clipped."""
    slope, shift = call.real("alpha", 0.2), call.real("beta", 0.5)
    if abs(slope - 1 / 6) < 1e-6 and shift == 0.5:
        return call.layer("hardsigmoid", call[0])
    line = call.layer("scale", call[0], factor=slope, shift=shift)
    return call.layer("hardtanh", line, min_val=0.0, max_val=1.0)


def softmax(type_: str) -> Rule:
    """Before version 13 over all axes from `axis` on, which defaults to 1."""

    def rule(call: Call) -> Value:
        value = call[0]
        axis = call.axis(default=-1 if call.opset >= 13 else 1)
        if call.opset >= 13 or axis == value.rank - 1 or prod(value.shape[axis + 1 :]) == 1:
            return call.layer(type_, value, dim=axis)
        flat = call.layer("flatten", value, start_dim=axis)
        return call.reshape(call.layer(type_, flat, dim=-1), value.shape)

    return rule


def prelu(call: Call) -> Value:
    """A slope for all or for each channel, held by the file."""
    value, slope = call[0], call[1]
    count = slope.tensor.numel
    if slope.held is None or count not in (1, value.shape[1] if value.rank > 1 else 1):
        raise UnsupportedError("slopes that are computed, or no one a channel")
    return call.weighted("prelu", value, {"weight": slope}, num_parameters=count)[0]


def swish(call: Call) -> Value:
    if call.real("alpha", 1.0) != 1:
        raise UnsupportedError("a swish with a slope")
    return call.layer("silu", call[0])


def thresholded(call: Call) -> Value:
    return call.layer("threshold", call[0], threshold=call.real("alpha", 1.0), value=0.0)


def shrink(call: Call) -> Value:
    """By as much as is cut off, or by nothing."""
    lambd, bias = call.real("lambd", 0.5), call.real("bias", 0.0)
    if bias not in (0.0, lambd):
        raise UnsupportedError("values shrunk by another number than is cut off")
    return call.layer("softshrink" if bias else "hardshrink", call[0], lambd=lambd)


RULES: dict[str, Rule] = {
    "Clip": clip,
    "HardSigmoid": hard_sigmoid,
    "LogSoftmax": softmax("log_softmax"),
    "PRelu": prelu,
    "Shrink": shrink,
    "Softmax": softmax("softmax"),
    "Softplus": lambda call: call.layer("softplus", call[0]),
    "Swish": swish,
    "ThresholdedRelu": thresholded,
}
