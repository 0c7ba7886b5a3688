"""Arithmetic on sizes, axes and indices: operators whose every input is known, worked out.

Never on many values: what would have more than `MOST_NUMBERS` stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, cast

import numpy as np
from numpy import ndarray

from archcost.importers.onnx_model import MOST_NUMBERS, Held

Array = ndarray[Any, Any]


class TooManyError(Exception):
    """The result has more values than are looked at."""


def fold(kind: str, arrays: Sequence[Array | None], attributes: Mapping[str, Any], outputs: int) -> list[Array] | None:
    """The results; None where the operator is none of these, or its result is not worked out."""
    rule = FOLDS.get(kind)
    if rule is None:
        return None
    try:
        with np.errstate(all="ignore"):
            result = rule(_Operands(arrays, attributes, outputs))
    except (TooManyError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError):
        return None  # of values that do not go together; whoever needs them says so
    several = cast("list[Any]", result) if isinstance(result, list) else [result]
    results: list[Array] = [np.asarray(each) for each in several]
    return results if all(each.size <= MOST_NUMBERS for each in results) else None


class _Operands:
    """Inputs and attributes of an operator; a setting may be either, as the versions of ONNX have it."""

    def __init__(self, arrays: Sequence[Array | None], attributes: Mapping[str, Any], outputs: int) -> None:
        self.arrays = arrays
        self.attributes = attributes
        self.outputs = outputs

    def __getitem__(self, index: int) -> Array:
        array = self.arrays[index]
        if array is None:
            raise ValueError("left out")
        return array

    def has(self, index: int) -> bool:
        return index < len(self.arrays) and self.arrays[index] is not None

    def setting(self, name: str, index: int) -> list[int] | None:
        if name in self.attributes:
            given = self.attributes[name]
            return list(given) if isinstance(given, list) else [given]  # pyright: ignore[reportUnknownArgumentType]
        return [int(each) for each in self[index].flatten()] if self.has(index) else None

    def needed(self, name: str, index: int) -> list[int]:
        given = self.setting(name, index)
        if given is None:
            raise ValueError("left out")
        return given

    def axis(self, default: int = 0) -> int:
        return int(self.attributes.get("axis", default))


def _bounded(shape: Sequence[int]) -> tuple[int, ...]:
    """Refused before anything is allocated."""
    sizes = tuple(int(size) for size in shape)
    if min(sizes, default=0) < 0 or prod(sizes) > MOST_NUMBERS:
        raise TooManyError
    return sizes


def _by_value(function: Callable[..., Any]) -> Callable[[_Operands], Any]:
    def rule(given: _Operands) -> Any:
        arrays = [given[index] for index in range(len(given.arrays))]
        _bounded(np.broadcast_shapes(*(array.shape for array in arrays)))
        kind = arrays[-1].dtype
        result = np.asarray(function(*arrays))
        return result if result.dtype == bool else result.astype(kind)

    return rule


def _divide(a: Array, b: Array) -> Any:
    """Integers towards zero."""
    if np.issubdtype(a.dtype, np.integer):
        return np.sign(a) * np.sign(b) * (abs(a) // abs(b))
    return a / b


INTEGERS = {2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 9: "bool"}
DTYPES = {**INTEGERS, 1: "float32", 10: "float16", 11: "float64"}
"""By the numbers of `TensorProto.DataType`, as numpy has them."""


def _cast(given: _Operands) -> Any:
    """Never a size that wraps around."""
    result = given[0].astype(DTYPES[given.attributes["to"]])
    if result.dtype.kind in "iu" and given[0].dtype.kind in "iu" and not np.array_equal(result, given[0]):
        raise TooManyError
    return result


def _slice(given: _Operands) -> Any:
    starts, ends = given.needed("starts", 1), given.needed("ends", 2)
    axes = given.setting("axes", 3) or list(range(len(starts)))
    steps = given.setting("steps", 4) or [1] * len(starts)
    index: list[slice] = [slice(None)] * given[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        stop = None if step < 0 and end < -given[0].shape[axis] else end
        index[axis] = slice(start, stop, step)
    return given[0][tuple(index)]


def _gather(given: _Operands) -> Any:
    data, indices = given[0], given[1]
    axis = given.axis() % max(data.ndim, 1)
    _bounded((*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]))
    return np.take(data, indices.astype(np.int64), axis=axis)


def _squeeze(given: _Operands) -> Any:
    axes = given.setting("axes", 1)
    return np.squeeze(given[0], axis=None if axes is None else tuple(axes))


def _unsqueeze(given: _Operands) -> Any:
    return np.expand_dims(given[0], tuple(given.needed("axes", 1)))


def _reshape(given: _Operands) -> Any:
    sizes = given.needed("shape", 1)
    copied = [
        given[0].shape[axis] if size == 0 and not given.attributes.get("allowzero") else size
        for axis, size in enumerate(sizes)
    ]
    return given[0].reshape(copied)


def _expand(given: _Operands) -> Any:
    shape = _bounded(np.broadcast_shapes(given[0].shape, tuple(int(size) for size in given[1])))
    return np.broadcast_to(given[0], shape)


def _constant_of_shape(given: _Operands) -> Any:
    shape = _bounded([int(size) for size in given[0]])
    held = given.attributes.get("value")
    if not isinstance(held, Held) or held.numbers is None:
        return np.zeros(shape, np.float32)
    return np.full(shape, held.numbers.item(), held.numbers.dtype)


def _range(given: _Operands) -> Any:
    start, limit, step = (float(given[index].item()) for index in range(3))
    _bounded((max(0, int((limit - start) / step)),))
    return np.arange(start, limit, step).astype(given[0].dtype)


def _tile(given: _Operands) -> Any:
    times = [int(each) for each in given[1]]
    _bounded([size * each for size, each in zip(given[0].shape, times, strict=True)])
    return np.tile(given[0], times)


def _split(given: _Operands) -> Any:
    axis = given.axis()
    sizes = given.setting("split", 1)
    if sizes is None:
        each = -(-given[0].shape[axis] // given.outputs)
        return np.split(given[0], range(each, given[0].shape[axis], each), axis)
    return np.split(given[0], np.cumsum(sizes)[:-1], axis)


def _reduce(function: Callable[..., Any]) -> Callable[[_Operands], Any]:
    def rule(given: _Operands) -> Any:
        axes = given.setting("axes", 1)
        if not axes and given.attributes.get("noop_with_empty_axes"):
            return given[0]
        over = None if not axes else tuple(axes)
        return np.asarray(function(given[0], axis=over, keepdims=bool(given.attributes.get("keepdims", 1)))).astype(
            given[0].dtype
        )

    return rule


def _concat(given: _Operands) -> Any:
    arrays = [given[index] for index in range(len(given.arrays))]
    _bounded((sum(array.size for array in arrays),))
    return np.concatenate(arrays, given.axis())


def _where(given: _Operands) -> Any:
    _bounded(np.broadcast_shapes(*(given[index].shape for index in range(3))))
    return np.where(given[0], given[1], given[2])


def _nonzero(given: _Operands) -> Any:
    return np.array(np.nonzero(given[0]), np.int64)


def _cumsum(given: _Operands) -> Any:
    if given.attributes.get("exclusive") or given.attributes.get("reverse"):
        raise ValueError("another order")
    return np.cumsum(given[0], int(given[1].item()), dtype=given[0].dtype)


FOLDS: dict[str, Callable[[_Operands], Any]] = {
    "Identity": lambda given: given[0],
    "Cast": _cast,
    "CastLike": lambda given: given[0].astype(given[1].dtype),
    "Add": _by_value(np.add),
    "Sub": _by_value(np.subtract),
    "Mul": _by_value(np.multiply),
    "Div": _by_value(_divide),
    "Mod": _by_value(np.mod),
    "Pow": lambda given: _by_value(np.power)(given).astype(given[0].dtype),
    "Min": lambda given: _by_value(lambda *arrays: np.min(np.broadcast_arrays(*arrays), axis=0))(given),
    "Max": lambda given: _by_value(lambda *arrays: np.max(np.broadcast_arrays(*arrays), axis=0))(given),
    "Neg": _by_value(np.negative),
    "Abs": _by_value(np.abs),
    "Sign": _by_value(np.sign),
    "Floor": _by_value(np.floor),
    "Ceil": _by_value(np.ceil),
    "Round": _by_value(np.round),
    "Sqrt": _by_value(np.sqrt),
    "Reciprocal": _by_value(np.reciprocal),
    "Exp": _by_value(np.exp),
    "Log": _by_value(np.log),
    "Equal": _by_value(np.equal),
    "Less": _by_value(np.less),
    "LessOrEqual": _by_value(np.less_equal),
    "Greater": _by_value(np.greater),
    "GreaterOrEqual": _by_value(np.greater_equal),
    "And": _by_value(np.logical_and),
    "Or": _by_value(np.logical_or),
    "Xor": _by_value(np.logical_xor),
    "Not": _by_value(np.logical_not),
    "Where": _where,
    "Concat": _concat,
    "Gather": _gather,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Flatten": lambda given: given[0].reshape(prod(given[0].shape[: given.axis(1)]), -1),
    "Transpose": lambda given: given[0].transpose(given.attributes.get("perm")),
    "Expand": _expand,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Tile": _tile,
    "Split": _split,
    "NonZero": _nonzero,
    "CumSum": _cumsum,
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "ReduceMean": _reduce(np.mean),
}
"""By the operator's name."""
