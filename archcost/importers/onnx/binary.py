"""Operators of several tensors, value by value; one of them may be a number."""

from __future__ import annotations

from functools import reduce

from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import UnsupportedError, Value, short
from archcost.tensors import TensorType


def number_beside(call: Call, index: int) -> float | None:
    """The number that the operand `index` is, where the other one is floating and keeps its shape."""
    number, other = call[index], call[1 - index]
    if number.number is None or number.rank > other.rank or not other.tensor.is_floating or other.is_constant:
        return None
    return short(number.number)


def add(call: Call) -> Value:
    for index in (0, 1):
        number = number_beside(call, index)
        if number is not None:
            return call.layer("scale", call[1 - index], shift=number) if number else call[1 - index]
    return call.layer("add", call[0], call[1])


def sub(call: Call) -> Value:
    taken, from_ = number_beside(call, 1), number_beside(call, 0)
    if taken is not None:
        return call.layer("scale", call[0], shift=-taken) if taken else call[0]
    return call.layer("sub", call[0], call[1]) if from_ is None else call.layer("rsub", call[1], other=from_)


def mul(call: Call) -> Value:
    for index in (0, 1):
        number = number_beside(call, index)
        if number is not None:
            return call[1 - index] if number == 1 else call.layer("scale", call[1 - index], factor=number)
    return call.layer("mul", call[0], call[1])


def div(call: Call) -> Value:
    if not call[0].tensor.is_floating:
        raise UnsupportedError("a quotient of integers")
    divisor, dividend = number_beside(call, 1), number_beside(call, 0)
    if divisor:
        return call[0] if divisor == 1 else call.layer("scale", call[0], factor=1 / divisor)
    if dividend is None:
        return call.layer("div", call[0], call[1])
    inverse = call.layer("reciprocal", call[1])
    return inverse if dividend == 1 else call.layer("scale", inverse, factor=dividend)


def modulo(call: Call) -> Value:
    """With the divisor's sign, or with `fmod` the dividend's. Integers are told as such."""
    if not call[0].tensor.is_floating:
        raise UnsupportedError("what a division of integers leaves")
    return call.layer("fmod" if call.flag("fmod") else "remainder", call[0], call[1])


def extreme(type_: str, bound: str) -> Rule:
    """A number is a bound that values are cut off at."""

    def rule(call: Call) -> Value:
        if len(call.given) == 2:
            for index in (0, 1):
                number = number_beside(call, index)
                if number is not None:
                    return call.layer("clamp", call[1 - index], **{bound: number})
        return reduce(lambda so_far, value: call.layer(type_, so_far, value), call.given)

    return rule


def total(call: Call) -> Value:
    return call[0] if len(call.given) == 1 else call.layer("add", *call.given)


def mean(call: Call) -> Value:
    return call.layer("scale", total(call), factor=1 / len(call.given))


def scaled(call: Call) -> Value:
    """(x − offset) · scale, of all features or of each."""
    value = call[0] if call[0].tensor.is_floating else call.cast(call[0], "float32")
    offsets, scales = call.reals("offset"), call.reals("scale")
    if any(len(each) not in (0, 1, value.shape[-1]) for each in (offsets, scales)):
        raise UnsupportedError("numbers for other features")
    if offsets:
        value = call.layer("sub", value, Value(TensorType((len(offsets),), value.tensor.dtype)))
    return call.layer("mul", value, Value(TensorType((len(scales),), value.tensor.dtype))) if scales else value


def bias_added(call: Call) -> Value:
    return call.layer("add", call.layer("add", call[0], call[1]), call[2])


RULES: dict[str, Rule] = {
    "ai.onnx.ml::Scaler": scaled,
    "com.microsoft::BiasAdd": bias_added,
    "Add": add,
    "Sub": sub,
    "Mul": mul,
    "Div": div,
    "Sum": total,
    "Mean": mean,
    "Mod": modulo,
    "Max": extreme("maximum", "min"),
    "Min": extreme("minimum", "max"),
}
