"""Activations that are no operator with the same fields."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, prod

from archcost.importers.onnx.unary import number_for
from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import UnsupportedError, Value, short


def clip(call: Call) -> Value:
    """Bounds are attributes in old files, and inputs in others."""
    return clipped(call, call[0], *(_bound(call, name, index) for name, index in (("min", 1), ("max", 2))))


def clipped(call: Call, value: Value, least: float | None, most: float | None) -> Value:
    if least is None and most is None:
        return value
    if (least, most) == (0, 6):
        return call.layer("relu6", value)
    if least is not None and most is not None and value.tensor.is_floating:
        return call.layer("hardtanh", value, min_val=float(least), max_val=float(most))
    bounds = {"min": least, "max": most}
    given = {name: number_for(value, bound) for name, bound in bounds.items() if bound is not None}
    return call.layer("clamp", value, **given)


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
    return hard_sigmoid_of(call, call[0], call.real("alpha", 0.2), call.real("beta", 0.5))


def hard_sigmoid_of(call: Call, value: Value, slope: float, shift: float) -> Value:
    if abs(slope - 1 / 6) < 1e-6 and shift == 0.5:
        return call.layer("hardsigmoid", value)
    line = call.layer("scale", value, factor=slope, shift=shift)
    return call.layer("hardtanh", line, min_val=0.0, max_val=1.0)


def softmax(type_: str) -> Rule:
    """Before version 13 over all axes from `axis` on, which defaults to 1."""

    def rule(call: Call) -> Value:
        value = call[0]
        axis = call.axis(default=-1 if call.opset >= 13 else 1)
        if call.opset >= 13 or axis == value.rank - 1 or prod(value.shape[axis + 1 :]) == 1:
            return call.layer(type_, value, dim=axis)
        return flat_softmax(call, type_, value, axis)

    return rule


def flat_softmax(call: Call, type_: str, value: Value, axis: int) -> Value:
    """Over all axes from `axis` on."""
    if axis == value.rank - 1:
        return call.layer(type_, value, dim=axis)
    flat = call.layer("flatten", value, start_dim=axis)
    return call.reshape(call.layer(type_, flat, dim=-1), value.shape)


def prelu(call: Call) -> Value:
    """A slope for all or for each channel, held by the file."""
    value, slope = call[0], call[1]
    count = slope.tensor.numel
    if slope.held is None or count not in (1, value.shape[1] if value.rank > 1 else 1):
        raise UnsupportedError("slopes that are computed, or no one a channel")
    return call.weighted("prelu", value, {"weight": slope}, num_parameters=count)[0]


def swish(call: Call) -> Value:
    return swished(call, call[0], call.real("alpha", 1.0))


def thresholded(call: Call) -> Value:
    return call.layer("threshold", call[0], threshold=call.real("alpha", 1.0), value=0.0)


def shrink(call: Call) -> Value:
    """By as much as is cut off, or by nothing."""
    lambd, bias = call.real("lambd", 0.5), call.real("bias", 0.0)
    if bias not in (0.0, lambd):
        raise UnsupportedError("values shrunk by another number than is cut off")
    return call.layer("softshrink" if bias else "hardshrink", call[0], lambd=lambd)


SIMPLE = {
    "Elu": "elu",
    "HardSwish": "hardswish",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Tanh": "tanh",
}
"""Activations without a number, by their words in fused operators of onnxruntime."""


def activated(call: Call, value: Value, word: str, numbers: Sequence[float]) -> Value:
    """What a fused operator of onnxruntime does last; without a word, nothing. `numbers` are its settings."""
    if not word:
        return value
    if word in SIMPLE and not (word == "Elu" and numbers):
        return call.layer(SIMPLE[word], value)
    if word == "LeakyRelu":
        return call.layer("leaky_relu", value, negative_slope=numbers[0] if numbers else 0.01)
    if word == "Clip" and len(numbers) == 2:
        return clipped(call, value, *numbers)
    if word == "HardSigmoid" and len(numbers) == 2:
        return hard_sigmoid_of(call, value, *numbers)
    raise UnsupportedError(f"activation {word}")


def fused_activation(call: Call, value: Value) -> Value:
    """By the attributes of a fused convolution, `activation` and `activation_params`."""
    return activated(call, value, call.word("activation"), call.reals("activation_params"))


def gelu(approximate: str) -> Rule:
    """With a bias or without."""

    def rule(call: Call) -> Value:
        bias = call.get(1)
        value = call[0] if bias is None else call.layer("add", call[0], bias)
        return call.layer("gelu", value, approximate=approximate)

    return rule


def quick_gelu(call: Call) -> Value:
    return swished(call, call[0], call.real("alpha", 1.702))


def swished(call: Call, value: Value, slope: float) -> Value:
    """x·σ(slope·x)."""
    if slope == 1:
        return call.layer("silu", value)
    gate = call.layer("sigmoid", call.layer("scale", value, factor=slope))
    return call.layer("mul", value, gate)


def bias_split_gelu(call: Call) -> Value:
    """The first half times the GELU of the second."""
    half, gate = call.layers("chunk", call.layer("add", call[0], call[1]), chunks=2, dim=-1)
    return call.layer("mul", half, call.layer("gelu", gate))


def bias_softmax(call: Call) -> Value:
    """Over all axes from `axis` on, of a sum."""
    total = call.layer("add", call[0], call[1])
    return flat_softmax(call, "softmax", total, call.axis(default=1))


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
    **dict.fromkeys(("com.microsoft::Gelu", "com.microsoft::BiasGelu"), gelu("none")),
    "com.microsoft::FastGelu": gelu("tanh"),
    "com.microsoft::QuickGelu": quick_gelu,
    "com.microsoft::BiasSplitGelu": bias_split_gelu,
    "com.microsoft::BiasSoftmax": bias_softmax,
}
