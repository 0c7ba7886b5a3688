"""Functions of each value alone, softmax, and dropout."""

from __future__ import annotations

from math import isfinite, log, prod

from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_model import Held, dtype_of
from archcost.importers.onnx_values import UnsupportedError, Value, short
from archcost.tensors import TensorType


def plain(type_: str) -> Rule:
    """A layer without fields."""
    return lambda call: call.layer(type_, call[0])


def sloped(type_: str, field: str, default: float) -> Rule:
    return lambda call: call.layer(type_, call[0], **{field: call.real("alpha", default)})


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


def number_for(value: Value, number: float) -> float | int:
    """Integers stay integers in ONNX, whatever they are computed with."""
    return float(number) if value.tensor.is_floating else int(number)


def power(call: Call) -> Value:
    base, exponent = call[0], call[1]
    if exponent.number is not None:
        return call.layer("pow", base, exponent=number_for(base, exponent.number))
    if base.number is not None and base.number > 0:
        return call.layer("exp", call.layer("scale", exponent, factor=log(base.number)))
    raise UnsupportedError("a power of which both are computed")


def dropout(call: Call) -> Result:
    ratio = call.get(1)
    if ratio is None:
        p = call.real("ratio", 0.5)
    elif ratio.number is None:
        raise UnsupportedError("a ratio that is computed")
    else:
        p = ratio.number
    return call.layer("dropout", call[0], p=short(p))


def cast(call: Call) -> Value:
    return call.cast(call[0], dtype_of(call.integer("to")))


def constant(call: Call) -> Value:
    import numpy as np

    given = {key: value for key, value in call.node.attributes.items() if key.startswith("value")}
    (key, value), *_ = given.items()
    if isinstance(value, Held):
        # A matrix in the graph itself may still be a weight, by the name of what it makes.
        return Value(value.tensor, held=call.node.outputs[0], numbers=value.numbers)
    kinds = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    if key not in kinds:
        raise UnsupportedError(f"a constant by its {key}")
    numbers = np.array(value, kinds[key])
    return Value(TensorType(numbers.shape, numbers.dtype.name), numbers=numbers)


def swish(call: Call) -> Value:
    if call.real("alpha", 1.0) != 1:
        raise UnsupportedError("a swish with a slope")
    return call.layer("silu", call[0])


def normalized(call: Call) -> Value:
    """x over its norm along an axis."""
    order, axis = call.integer("p", 2), call.axis(default=-1)
    return call.layer("div", call[0], call.layer("norm", call[0], dim=axis, keepdim=True, ord=order))


def thresholded(call: Call) -> Value:
    return call.layer("threshold", call[0], threshold=call.real("alpha", 1.0), value=0.0)


def shrink(call: Call) -> Value:
    """By as much as is cut off, or by nothing."""
    lambd, bias = call.real("lambd", 0.5), call.real("bias", 0.0)
    if bias not in (0.0, lambd):
        raise UnsupportedError("values shrunk by another number than is cut off")
    return call.layer("softshrink" if bias else "hardshrink", call[0], lambd=lambd)


RULES: dict[str, Rule] = {
    **{
        kind: plain(type_)
        for kind, type_ in {
            "Relu": "relu",
            "Sigmoid": "sigmoid",
            "Tanh": "tanh",
            "HardSwish": "hardswish",
            "Selu": "selu",
            "Softplus": "softplus",
            "Mish": "mish",
            "Exp": "exp",
            "Log": "log",
            "Sqrt": "sqrt",
            "Reciprocal": "reciprocal",
            "Erf": "erf",
            "Abs": "abs",
            "Sin": "sin",
            "Cos": "cos",
            "Neg": "neg",
            "Tan": "tan",
            "Asin": "asin",
            "Acos": "acos",
            "Atan": "atan",
            "Sinh": "sinh",
            "Cosh": "cosh",
            "Asinh": "asinh",
            "Atanh": "atanh",
            "Floor": "floor",
            "Ceil": "ceil",
            "Round": "round",
            "Sign": "sign",
            "Softsign": "softsign",
            "IsNaN": "isnan",
            "IsInf": "isinf",
            "Not": "logical_not",
            "BitwiseNot": "bitwise_not",
        }.items()
    },
    "LeakyRelu": sloped("leaky_relu", "negative_slope", 0.01),
    "Elu": sloped("elu", "alpha", 1.0),
    "Celu": sloped("celu", "alpha", 1.0),
    "ThresholdedRelu": thresholded,
    "Shrink": shrink,
    "Gelu": lambda call: call.layer("gelu", call[0], approximate=call.word("approximate", "none")),
    "HardSigmoid": hard_sigmoid,
    "Swish": swish,
    "Clip": clip,
    "Softmax": softmax("softmax"),
    "LogSoftmax": softmax("log_softmax"),
    "PRelu": prelu,
    "Pow": power,
    "Dropout": dropout,
    "Cast": cast,
    "CastLike": lambda call: call.cast(call[0], call[1].tensor.dtype),
    "Constant": constant,
    "Identity": lambda call: call[0],
    "LpNormalization": normalized,
}
