"""Operators that fold axes."""

from __future__ import annotations

from typing import Any

from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import Value
from archcost.layers.checks import normalize_axis


def folded(call: Call, type_: str, value: Value | None = None, **fields: Any) -> Value:
    """Over the axes that are named, or all; integers keep their dtype, of which torch makes int64."""
    source = call[0] if value is None else value
    axes = call.setting("axes", 1)
    if not axes:
        if call.integer("noop_with_empty_axes", 0):
            return source
        axes = list(range(source.rank))
    dims = [normalize_axis(axis, source.rank, "axes") for axis in axes]
    if not dims:
        return source  # a single value
    keepdim = call.flag("keepdims", default=True)
    result = call.layer(type_, source, dim=dims[0] if len(dims) == 1 else dims, keepdim=keepdim, **fields)
    return result if source.tensor.is_floating else call.cast(result, source.tensor.dtype)


def reduced(type_: str, **fields: Any) -> Rule:
    return lambda call: folded(call, type_, **fields)


def sum_of_squares(call: Call) -> Value:
    return folded(call, "sum", call.layer("pow", call[0], exponent=2.0))


def log_sum(call: Call) -> Value:
    return call.layer("log", folded(call, "sum"))


def extreme(type_: str, of_truth: str) -> Rule:
    """Of truth values the largest says whether any holds, the smallest whether all do."""
    return lambda call: folded(call, of_truth if call[0].tensor.dtype == "bool" else type_)


def product(call: Call) -> Value:
    """Over one axis after the other, the last first."""
    axes = call.setting("axes", 1)
    if not axes and call.integer("noop_with_empty_axes", 0):
        return call[0]
    value = call[0]
    for axis in sorted({normalize_axis(axis, value.rank, "axes") for axis in axes or range(value.rank)}, reverse=True):
        value = call.layer("prod", value, dim=axis, keepdim=call.flag("keepdims", default=True))
    return value if call[0].tensor.is_floating else call.cast(value, call[0].tensor.dtype)


def position(type_: str) -> Rule:
    return lambda call: call.layer(type_, call[0], dim=call.axis(), keepdim=call.flag("keepdims", default=True))


RULES: dict[str, Rule] = {
    "ReduceMean": reduced("mean"),
    "ReduceSum": reduced("sum"),
    "ReduceMax": extreme("amax", "any"),
    "ReduceMin": extreme("amin", "all"),
    "ReduceProd": product,
    "ReduceL1": reduced("norm", ord=1),
    "ReduceL2": reduced("norm", ord=2),
    "ReduceSumSquare": sum_of_squares,
    "ReduceLogSum": log_sum,
    "ReduceLogSumExp": reduced("logsumexp"),
    "ArgMax": position("argmax"),
    "ArgMin": position("argmin"),
}
