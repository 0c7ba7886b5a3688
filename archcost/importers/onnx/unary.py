"""Functions of each value that are no operator with the same fields."""

from __future__ import annotations

from math import log

from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import UnsupportedError, Value


def number_for(value: Value, number: float) -> float | int:
    """Integers stay integers in ONNX, whatever they are computed with."""
    return float(number) if value.tensor.is_floating else int(number)


def power(call: Call) -> Value:
    base, exponent = call[0], call[1]
    if exponent.number is not None:
        return call.layer("pow", base, exponent=number_for(base, exponent.number))
    if base.number is not None and base.number > 0:
        return call.layer("exp", call.layer("scale", exponent, factor=log(base.number)))
    return call.layer("pow_tensor", base, call.cast(exponent, base.tensor.dtype))


def normalized(call: Call) -> Value:
    """x over its norm along an axis."""
    order, axis = call.integer("p", 2), call.axis(default=-1)
    return call.layer("div", call[0], call.layer("norm", call[0], dim=axis, keepdim=True, ord=order))


NORMS = {"L1": 1, "L2": 2}


def unit_rows(call: Call) -> Value:
    """Each row over its norm, or over its largest value."""
    word = call.word("norm", "MAX")
    if word == "MAX":
        size = call.layer("amax", call[0], dim=-1, keepdim=True)
    elif word in NORMS:
        size = call.layer("norm", call[0], dim=-1, keepdim=True, ord=NORMS[word])
    else:
        raise UnsupportedError(f"norm {word}")
    return call.layer("div", call[0], size)


RULES: dict[str, Rule] = {
    "LpNormalization": normalized,
    "Pow": power,
    "ai.onnx.ml::Normalizer": unit_rows,
}
