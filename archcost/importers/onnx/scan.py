"""Running sums, and the largest values of an axis."""

from __future__ import annotations

from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, Value, samples_in
from archcost.layers.checks import normalize_axis


def running(type_: str, neutral: float) -> Rule:
    """In the dtype of the input, where torch makes integers int64."""

    def rule(call: Call) -> Result:
        axis = call.integers(1)
        if not axis:
            raise UnsupportedError("an axis that is left out")
        is_turned = call.flag("reverse")
        value = call.layer("flip", call[0], dims=axis) if is_turned else call[0]
        if call.flag("exclusive"):
            value = _shifted(call, value, normalize_axis(axis[0], value.rank), neutral)
        result = call.layer(type_, value, dim=axis[0])
        return call.cast(call.layer("flip", result, dims=axis) if is_turned else result, call[0].tensor.dtype)

    return rule


def _shifted(call: Call, value: Value, axis: int, neutral: float) -> Value:
    """Each value in the place of the next, with nothing in the first."""
    if value.shape[axis] == 1 or samples_in(value.shape[axis]):
        raise UnsupportedError("running values of samples, or of one value, without their own")
    before = call.layer("slice", value, stop=-1, dim=axis)
    return call.layer("pad", before, pad=[0, 0] * (value.rank - 1 - axis) + [1, 0], value=neutral)


def topk(call: Call) -> Result:
    """All values of an axis in order are sorted ones."""
    k = call.setting("k", 1)
    if not k:
        raise UnsupportedError("a number of values that is computed")
    axis, largest = call.axis(default=-1), call.flag("largest", default=True)
    if k[0] == call[0].shape[axis]:
        return call.layers("sort", call[0], dim=axis, descending=largest)
    return call.layers("topk", call[0], k=k[0], dim=axis, largest=largest, sorted=call.flag("sorted", default=True))


RULES: dict[str, Rule] = {"CumSum": running("cumsum", 0.0), "TopK": topk}
