"""Dropout, whose ratio is an attribute in old files and an input in others."""

from __future__ import annotations

from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, short


def dropout(call: Call) -> Result:
    ratio = call.get(1)
    if ratio is None:
        p = call.real("ratio", 0.5)
    elif ratio.number is None:
        raise UnsupportedError("a ratio that is computed")
    else:
        p = ratio.number
    return call.layer("dropout", call[0], p=short(p))


RULES: dict[str, Rule] = {"Dropout": dropout}
