"""Running sums, and the largest values of an axis."""

from __future__ import annotations

from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError


def running(type_: str) -> Rule:
    """In the dtype of the input, where torch makes integers int64."""

    def rule(call: Call) -> Result:
        axis = call.integers(1)
        if not axis or call.integer("exclusive", 0):
            raise UnsupportedError("running values without their own")
        if not call.integer("reverse", 0):
            return call.cast(call.layer(type_, call[0], dim=axis[0]), call[0].tensor.dtype)
        turned = call.layer("flip", call[0], dims=axis)
        return call.cast(call.layer("flip", call.layer(type_, turned, dim=axis[0]), dims=axis), call[0].tensor.dtype)

    return rule


def topk(call: Call) -> Result:
    """All values of an axis in order are sorted ones."""
    k = call.setting("k", 1)
    if not k:
        raise UnsupportedError("a number of values that is computed")
    axis, largest = call.axis(default=-1), call.flag("largest", default=True)
    if k[0] == call[0].shape[axis]:
        return call.layers("sort", call[0], dim=axis, descending=largest)
    return call.layers("topk", call[0], k=k[0], dim=axis, largest=largest, sorted=call.flag("sorted", default=True))


RULES: dict[str, Rule] = {"CumSum": running("cumsum"), "TopK": topk}
