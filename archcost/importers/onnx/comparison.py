"""Comparisons, and choices by a mask."""

from __future__ import annotations

from math import isfinite

from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import Value

LARGEST = 3.4028234663852886e38
"""What stands for what is no number in a spec: infinity."""

MIRRORED = {"eq": "eq", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def compared(type_: str) -> Rule:
    def rule(call: Call) -> Value:
        if call[1].number is not None and call[1].rank <= call[0].rank:
            return call.layer(type_, call[0], other=float(call[1].number))
        if call[0].number is not None and call[0].rank <= call[1].rank:
            return call.layer(MIRRORED[type_], call[1], other=float(call[0].number))
        return call.layer(type_, call[0], call[1])

    return rule


def filling(value: Value) -> float | None:
    """The one number that a constant has everywhere; infinity as the largest there is."""
    if not value.is_constant or value.numbers is None or value.numbers.size != 1:
        return None
    number = float(value.numbers.item())
    if isfinite(number):
        return number
    return 0.0 if number != number else (LARGEST if number > 0 else -LARGEST)


def where(call: Call) -> Value:
    mask, chosen, other = call[0], call[1], call[2]
    filled = filling(chosen)
    if filled is not None and chosen.rank <= other.rank and not other.is_constant:
        return call.layer("masked_fill", other, mask, value=filled)
    filled = filling(other)
    if filled is not None and other.rank <= chosen.rank and not chosen.is_constant:
        return call.layer("masked_fill", chosen, call.layer("logical_not", mask), value=filled)
    return call.layer("where", mask, chosen, other)


def binarized(call: Call) -> Value:
    return call.cast(call.layer("gt", call[0], other=call.real("threshold", 0.0)), call[0].tensor.dtype)


RULES: dict[str, Rule] = {
    "Equal": compared("eq"),
    "Less": compared("lt"),
    "LessOrEqual": compared("le"),
    "Greater": compared("gt"),
    "GreaterOrEqual": compared("ge"),
    "Where": where,
    "ai.onnx.ml::Binarizer": binarized,
}
