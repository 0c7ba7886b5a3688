"""Operators whose settings are values of the network, while the shapes of their results are told.

Where a shape, an axis or a number of values is computed or put in, the file often says what comes out all the same.
What such an operator costs follows from its shapes: which values it moves does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from archcost.importers.onnx import RULES
from archcost.importers.onnx.shape import cut
from archcost.importers.onnx_call import Call, Result
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.layers.checks import normalize_axis
from archcost.tensors import Tensors, TensorType


def by_shapes(call: Call, results: Tensors) -> Result:
    """Raises UnsupportedError or ShapeError where it is no such operator, or the shapes do not tell."""
    rule = RULES_BY_SHAPE.get(call.node.kind)
    if rule is None or not call.given:
        raise UnsupportedError("an operator whose cost its shapes do not tell")
    return rule(call, results)


def _reshaped(call: Call, results: Tensors) -> Value:
    return call.reshape(call[0], results[0].shape)


def _expanded(call: Call, results: Tensors) -> Value:
    return call.expanded(call[0], results[0].shape)


def _with(call: Call, places: Mapping[int, Sequence[int]], **attributes: object) -> Result:
    """By the operator's own rule, with numbers in the place of some inputs, and without the others."""
    last = max(places, default=0)
    inputs = [call[0], *(None for _ in range(last))]
    for index, listed in places.items():
        array = np.array(listed, np.int64)
        inputs[index] = Value(TensorType(array.shape, "int64"), numbers=array)
    return RULES[call.node.kind](call.reading(*inputs, **attributes))


def _reduced(call: Call, results: Tensors) -> Result:
    """Over axes that are gone, or have one value; where axes of one size leave a choice, each costs the same."""
    source, left = call[0].shape, list(results[0].shape)
    if call.flag("keepdims", default=True):
        axes = [axis for axis, (size, after) in enumerate(zip(source, left, strict=True)) if size != after]
    else:
        axes = [axis for axis, size in enumerate(source) if not (left and left[0] == size and left.pop(0))]
        if left:
            raise UnsupportedError("a result that is no part of the shape")
    return call[0] if not axes else _with(call, {}, axes=axes)


def _resized(call: Call, results: Tensors) -> Result:
    return _with(call, {3: results[0].shape}, keep_aspect_ratio_policy="stretch", axes=None)


def _tiled(call: Call, results: Tensors) -> Result:
    times = [after // max(size, 1) for size, after in zip(call[0].shape, results[0].shape, strict=True)]
    return _with(call, {1: times})


def _split(call: Call, results: Tensors) -> Result:
    axis = call.axis()
    return _with(call, {1: [each.shape[axis] for each in results]})


def _largest(call: Call, results: Tensors) -> Result:
    return _with(call, {1: [results[0].shape[call.axis(default=-1)]]})


def _running(call: Call, results: Tensors) -> Result:
    return _with(call, {1: [call[0].rank - 1]})


def _of_classes(call: Call, results: Tensors) -> Result:
    axis = normalize_axis(call.integer("axis", -1), results[0].rank, "axis")
    classes = np.array(results[0].shape[axis], np.int64)
    depth = Value(TensorType((), "int64"), numbers=classes)
    return RULES[call.node.kind](call.reading(call[0], depth, call[2]))


def _dropped(call: Call, results: Tensors) -> Result:
    return RULES[call.node.kind](call.reading(call[0]))


def _cut_or_filled(call: Call, results: Tensors) -> Value:
    """Axes that shrink are cut, and those that grow are filled up behind."""
    value = call[0]
    for axis, after in enumerate(results[0].shape):
        if after < value.shape[axis]:
            value = cut(call, value, 0, after, axis, 1)
    pads = [after - size for size, after in zip(value.shape, results[0].shape, strict=True)]
    if not any(pads):
        return value
    padded = RULES["Pad"](call.reading(value, pads=[*(0 for _ in pads), *pads]))
    assert isinstance(padded, Value)
    return padded


def _unpooled(call: Call, results: Tensors) -> Result:
    shape = np.array(results[0].shape, np.int64)
    sizes = Value(TensorType(shape.shape, "int64"), numbers=shape)
    return RULES[call.node.kind](call.reading(call[0], call[1], sizes))


RULES_BY_SHAPE: dict[str, Callable[[Call, Tensors], Result]] = {
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze"), _reshaped),
    "Expand": _expanded,
    **dict.fromkeys(
        (
            *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"),
            *("ReduceProd", "ReduceSum", "ReduceSumSquare"),
        ),
        _reduced,
    ),
    **dict.fromkeys(("Resize", "Upsample"), _resized),
    **dict.fromkeys(("Slice", "Pad", "CenterCropPad"), _cut_or_filled),
    "Tile": _tiled,
    "Split": _split,
    "TopK": _largest,
    **dict.fromkeys(("CumSum", "CumProd"), _running),
    "OneHot": _of_classes,
    "Dropout": _dropped,
    "MaxUnpool": _unpooled,
}
