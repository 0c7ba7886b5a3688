"""Dropout, whose ratio is an attribute in old files and an input in others."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import UnsupportedError, Value, short
from archcost.tensors import TensorType


def dropout(call: Call) -> Sequence[Value]:
    """Beside the mask of an inference, where everything is kept."""
    ratio = call.get(1)
    if ratio is None:
        p = call.real("ratio", 0.5)
    elif ratio.number is None:
        raise UnsupportedError("a ratio that is computed")
    else:
        p = ratio.number
    return call.layer("dropout", call[0], p=short(p)), Value(TensorType(call[0].shape, "bool"))


def bias_dropout(call: Call) -> Sequence[Value]:
    """Of a sum, to which another tensor may be added."""
    total, beside = call.layer("add", call[0], call[1]), call.get(2)
    result, mask = dropout(call.reading(total, call.get(3)))
    return (result if beside is None else call.layer("add", result, beside)), mask


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Dropout", "com.microsoft::BitmaskDropout"), dropout),
    "com.microsoft::BiasDropout": bias_dropout,
}
