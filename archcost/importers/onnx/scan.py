"""Running sums, and the largest values of an axis."""

from __future__ import annotations

from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError


def cumsum(call: Call) -> Result:
    axis = call.integers(1)
    if not axis or call.integer("exclusive", 0):
        raise UnsupportedError("a running sum without its own value")
    if not call.integer("reverse", 0):
        return call.layer("cumsum", call[0], dim=axis[0])
    turned = call.layer("flip", call[0], dims=axis)
    return call.layer("flip", call.layer("cumsum", turned, dim=axis[0]), dims=axis)


def topk(call: Call) -> Result:
    """All values of an axis in order are sorted ones."""
    k = call.setting("k", 1)
    if not k:
        raise UnsupportedError("a number of values that is computed")
    axis, largest = call.axis(default=-1), call.flag("largest", default=True)
    if k[0] == call[0].shape[axis]:
        return call.layers("sort", call[0], dim=axis, descending=largest)
    return call.layers("topk", call[0], k=k[0], dim=axis, largest=largest, sorted=call.flag("sorted", default=True))


RULES: dict[str, Rule] = {"CumSum": cumsum, "TopK": topk}
