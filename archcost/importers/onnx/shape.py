"""Operators that see, cut, move, copy and repeat values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from math import prod
from operator import mul

from archcost.importers.onnx.linear import is_matrix_of_weights, kept, turned
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_inference import as_written
from archcost.importers.onnx_model import dtype_of
from archcost.importers.onnx_sizes import SAMPLES
from archcost.importers.onnx_values import Shape, UnsupportedError, Value, from_batch, samples_in
from archcost.layers.checks import normalize_axis
from archcost.tensors import FLOATING, TensorType


def reshape(call: Call) -> Value:
    sizes = call.setting("shape", 1)
    if sizes is None:
        raise UnsupportedError("a shape that is left out")
    return reshaped(call, call[0], sizes)


def reshaped(call: Call, value: Value, sizes: Sequence[int]) -> Value:
    """A file that names its batch as a number has it in the sizes too; `SAMPLES` takes its place."""
    names_batch = call.written_for is not None and from_batch(value.shape) and not from_batch(tuple(sizes))
    source = as_written(value.tensor, call.written_for).shape if names_batch else value.shape
    whole = _whole(source, sizes, call.flag("allowzero"))
    if not names_batch or call.written_for is None:
        return call.reshape(value, whole)
    axis, before = _batch_among(value, whole, call.written_for)
    shape = (*whole[:axis], whole[axis] // call.written_for * SAMPLES, *whole[axis + 1 :])
    return replace(call.reshape(value, shape), before_batch=before)


def _whole(source: Shape, sizes: Sequence[int], allows_zero: bool) -> Shape:
    """The sizes with those copied (0) and the one that is left (-1) filled in."""
    if not allows_zero and any(size == 0 and axis >= len(source) for axis, size in enumerate(sizes)):
        raise UnsupportedError("a reshape that copies an axis that is not there")
    copied = [source[axis] if size == 0 and not allows_zero else size for axis, size in enumerate(sizes)]
    if copied.count(-1) == 1:
        rest = prod(size for size in copied if size != -1)
        copied[copied.index(-1)] = prod(source) // rest if rest else 0
    if prod(copied) != prod(source):
        words = ("×".join(map(str, shape)) or "()" for shape in (source, copied))
        raise UnsupportedError(f"a reshape of {' to '.join(words)}, of other values")
    return tuple(copied)


def _batch_among(value: Value, sizes: Shape, batch: int) -> tuple[int, int]:
    """Which of the sizes for a batch of `batch` holds it, and how many values of that axis lie around each sample's.

    As many values come before the batch in the new shape as in the old one. In a matrix whose columns are all that
    comes behind it, it is among the rows, as torch flattens (T, B, C) or (T, B·H, C) for a product.
    """
    batch_axis = from_batch(value.shape)[0]
    behind, times = prod(value.shape[batch_axis + 1 :]), samples_in(value.shape[batch_axis])
    before = prod(value.shape[:batch_axis]) * value.before_batch
    if len(sizes) == 2 and sizes[1] in (behind, times * behind) and sizes[0] % batch == 0:
        return 0, before
    so_far = [1, *accumulate(sizes, mul)]
    at_batch = [axis for axis in range(len(sizes)) if so_far[axis] == before]
    around = [axis for axis in range(len(sizes)) if so_far[axis] <= before < so_far[axis + 1]]
    for axis in (*at_batch, *around):
        if sizes[axis] % batch == 0:
            return axis, max(before // so_far[axis], 1)
    raise UnsupportedError(f"a reshape in which a batch of {batch} is not found")


def flatten(call: Call) -> Value:
    """Two axes: those before `axis` made one, and those from it on."""
    value = call[0]
    axis = call.integer("axis", 1)
    axis = axis + value.rank if axis < 0 else axis
    if not 0 <= axis <= value.rank:
        raise UnsupportedError(f"axis {axis} of {value.tensor}")
    return call.reshape(value, (prod(value.shape[:axis]), prod(value.shape[axis:])))


def squeeze(call: Call) -> Value:
    value = call[0]
    axes = call.setting("axes", 1)
    if axes is None:
        axes = [axis for axis, size in enumerate(value.shape) if size == 1]
    dims = [normalize_axis(axis, value.rank, "axes") for axis in axes]
    if not dims:
        return value
    if any(value.shape[axis] != 1 for axis in dims):
        raise UnsupportedError("a squeeze of axes with several values, or of a batch of one")
    if value.is_held_weight:
        return call.reshape(value, tuple(size for axis, size in enumerate(value.shape) if axis not in dims))
    return call.layer("squeeze", value, dim=dims[0] if len(dims) == 1 else dims)


def unsqueeze(call: Call) -> Value:
    value = call[0]
    axes = call.setting("axes", 1) or []
    for axis in sorted(normalize_axis(axis, value.rank + len(axes), "axes") for axis in axes):
        if value.is_held_weight:
            value = call.reshape(value, (*value.shape[:axis], 1, *value.shape[axis:]))
        else:
            value = call.layer("unsqueeze", value, dim=axis)
    return value


def expand_dims(call: Call) -> Value:
    axis = call.integers(1, 1) or [0]
    return call.layer("unsqueeze", call[0], dim=normalize_axis(axis[0], call[0].rank + 1, "axis"))


def expand(call: Call) -> Value:
    """Stretched both ways, as values are in a sum."""
    sizes = call.integers(1) or []
    value = call[0]
    rank = max(len(sizes), value.rank)
    before = (1,) * (rank - value.rank) + value.shape
    after = [1] * (rank - len(sizes)) + sizes
    own = (1,) * (rank - value.rank) + as_written(value.tensor, call.written_for).shape
    whole = [
        have if want in (1, written) else want for have, written, want in zip(before, own, after, strict=True)
    ]  # where the file names its own batch, ours stays
    return call.expanded(value, tuple(whole))


def tile(call: Call) -> Value:
    value, times = call[0], call.integers(1, call[0].rank) or []
    if all(each == 1 for each in times):
        return value
    grown = [axis for axis, each in enumerate(times) if samples_in(each)]
    if not grown:
        return call.layer("tile", value, dims=times)
    if grown != [0]:
        raise UnsupportedError("a tile by the batch along another axis than the first")
    return call.sized("tile", value, dims=[samples_in(times[0]), *times[1:]])[0]


def concat(call: Call) -> Value:
    """What the file made for its own batch is repeated for any."""
    values = [value for value in call.given if value.tensor.numel] or list(call.given)
    axis = call.axis(rank=values[0].rank)
    if call.written_for is not None and axis != 0 and any(value.shape[0] == SAMPLES for value in values):
        values = [
            call.expanded(value, (SAMPLES, *value.shape[1:])) if value.shape[0] == call.written_for == 1 else value
            for value in values
        ]
    return values[0] if len(values) == 1 else call.layer("concat", *values, dim=axis)


def split(call: Call) -> Result:
    value, axis = call[0], call.axis()
    count = len(call.node.outputs)
    sizes = call.setting("split", 1)
    whole = value.shape[axis]
    if sizes is None:
        each = -(-whole // max(call.integer("num_outputs", count), 1))
        sizes = [each] * (whole // each) + ([whole % each] if whole % each else [])
    if count == 1:
        return value
    if 0 in sizes:
        ends = list(accumulate(sizes))
        return [cut(call, value, end - size, end, axis, 1) for end, size in zip(ends, sizes, strict=True)]
    if samples_in(whole):
        if call.written_for is not None:
            raise call.for_one_batch("cuts into pieces")
        if len(set(sizes[:-1])) > 1:
            raise UnsupportedError("a batch split into uneven pieces")
        return call.layers("chunk", value, chunks=count, dim=axis)
    return call.layers("split", value, split_size=sizes[0] if len(set(sizes)) == 1 else sizes, dim=axis)


def split_to_sequence(call: Call) -> Value:
    """Pieces of one size, or of those that are listed, kept together under one name."""
    value, axis = call[0], call.axis()
    sizes = call.integers(1)
    if samples_in(value.shape[axis]):
        raise UnsupportedError("a sequence of samples")
    if sizes is None and not call.flag("keepdims", default=True):
        return replace(value, pieces=call.layers("unbind", value, dim=axis))
    each = 1 if sizes is None else sizes[0] if call[1].rank == 0 else sizes
    return replace(value, pieces=call.layers("split", value, split_size=each, dim=axis))


def sequence_insert(call: Call) -> Value:
    place = len(call[0].pieces) if call.get(2) is None else call[2].number
    if not isinstance(place, int) or not -len(call[0].pieces) <= place <= len(call[0].pieces):
        raise UnsupportedError("a place in a sequence that is not known")
    pieces = list(call[0].pieces)
    pieces.insert(place, call[1])
    return replace(call[1], pieces=tuple(pieces))


def sequence_erase(call: Call) -> Value:
    pieces = list(call[0].pieces)
    place = len(pieces) - 1 if call.get(1) is None else call[1].number
    if not isinstance(place, int) or not -len(pieces) <= place < len(pieces) or len(pieces) == 1:
        raise UnsupportedError("a place in a sequence that is not known")
    del pieces[place]
    return replace(pieces[0], pieces=tuple(pieces))


def sequence_length(call: Call) -> Value:
    import numpy as np

    if not call[0].pieces:
        raise UnsupportedError("a sequence that is not known")
    return Value(TensorType((), "int64"), numbers=np.array(len(call[0].pieces), np.int64))


def sequence_empty(call: Call) -> Value:
    return Value(TensorType((0,), dtype_of(call.integer("dtype", 1))))


def sequence_at(call: Call) -> Value:
    pieces, index = call[0].pieces, call[1].number
    if not isinstance(index, int) or not -len(pieces) <= index < len(pieces):
        raise UnsupportedError("a tensor of a sequence that is not known")
    return pieces[index]


def concat_from_sequence(call: Call) -> Value:
    pieces = call[0].pieces
    if not pieces:
        raise UnsupportedError("a sequence that is not known")
    is_new = call.flag("new_axis")
    axis = normalize_axis(call.integer("axis", 0), pieces[0].rank + is_new)
    return call.layer("stack" if is_new else "concat", *pieces, dim=axis)


MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def pad(call: Call) -> Value:
    value, pads = call[0], call.setting("pads", 1) or []
    axes = call.integers(3)
    if axes is None:
        axes = list(range(value.rank))
    around = [(0, 0)] * value.rank
    for index, axis in enumerate(axes):
        around[axis % value.rank] = (pads[index], pads[index + len(axes)])
    if not any(before or after for before, after in around):
        return value
    mode = MODES.get(call.word("mode", "constant"), "constant")
    first = next(axis for axis, pair in enumerate(around) if any(pair))
    if mode == "constant":
        return call.layer("pad", value, pad=_from_behind(around[first:]))
    if any(samples_in(size) for size in value.shape[first:]):
        raise UnsupportedError(f"mode {mode} along the batch")
    missing = max(0, 2 - first)  # axes before those that are padded, of which torch needs two
    for _ in range(missing):
        value = call.layer("unsqueeze", value, dim=first)
    result = call.layer("pad", value, pad=_from_behind(around[2 - missing :]), mode=mode)
    return result if not missing else call.layer("squeeze", result, dim=list(range(first, 2)) if missing > 1 else first)


def _from_behind(around: Sequence[tuple[int, int]]) -> list[int]:
    return [number for pair in reversed(around) for number in pair]


def depth_to_space(call: Call) -> Value:
    """The order of the channels costs nothing."""
    return call.layer("pixel_shuffle", call[0], upscale_factor=call.integer("blocksize"))


def space_to_depth(call: Call) -> Value:
    return call.layer("pixel_unshuffle", call[0], downscale_factor=call.integer("blocksize"))


def triangle(call: Call) -> Value:
    diagonal = call.integers(1, 1) or [0]
    return call.layer("triu" if call.flag("upper", default=True) else "tril", call[0], diagonal=diagonal[0])


def transpose(call: Call) -> Value:
    """Of a matrix of weights, nothing that is done."""
    value = call[0]
    named = call.sizes("perm", value.rank) or range(value.rank)[::-1]
    order = [normalize_axis(axis, value.rank, "perm") for axis in named]
    if order == list(range(value.rank)):
        return value
    if is_matrix_of_weights(value) or (value.rank == 2 and value.is_held_weight):
        return turned(value)
    return call.layer("permute", value, dims=order)


def slice_(call: Call) -> Value:
    """An axis at a time; one that is taken as a whole is left alone."""
    value = call[0]
    starts, ends = call.setting("starts", 1) or [], call.setting("ends", 2) or []
    axes = call.setting("axes", 3) or list(range(len(starts)))
    steps = call.integers(4) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        value = cut(call, value, start, end, normalize_axis(axis, value.rank, "axes"), step)
    return value


def cut(call: Call, value: Value, start: int, end: int, axis: int, step: int) -> Value:
    size = value.shape[axis]
    if samples_in(size) and call.written_for is not None:
        whole = as_written(value.tensor, call.written_for).shape[axis]
        if range(whole)[start:end:step] != range(whole):
            raise call.for_one_batch("cuts")
        return value
    if step < 0:
        taken = range(size)[start if start < size else None : end if end >= -size else None : step]
        if samples_in(size) and len(taken) != size:
            raise UnsupportedError("a slice backwards of some samples")
        turned = call.layer("flip", value, dims=[axis])
        first = size - 1 - taken.start
        return cut(call, turned, first, first + len(taken) * -step, axis, -step)
    taken = range(size)[start:end:step]
    if len(taken) == size:
        return value
    if not taken:
        return Value(value.tensor._replace(shape=(*value.shape[:axis], 0, *value.shape[axis + 1 :])))
    if samples_in(size):  # ends that hold for any batch
        if samples_in(end) and end < size:
            raise UnsupportedError("a slice of some of the batch")
        return call.layer("slice", value, start=start or None, stop=None if end >= size else end, step=step, dim=axis)
    return call.layer("slice", value, start=taken.start or None, stop=_stop(taken, size), step=step, dim=axis)


def _stop(taken: range, size: int) -> int | None:
    return None if taken.stop >= size else taken.stop


def cast(call: Call) -> Value:
    dtype = dtype_of(call.integer("to"))
    return call.cast(kept(call[0]) if call[0].holds_codes and dtype in FLOATING else call[0], dtype)


RULES: dict[str, Rule] = {
    "Transpose": transpose,
    "Cast": cast,
    "CastLike": lambda call: call.cast(call[0], call[1].tensor.dtype),
    "Identity": lambda call: call[0],
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Expand": expand,
    "Tile": tile,
    "Concat": concat,
    "Slice": slice_,
    "Split": split,
    "SplitToSequence": split_to_sequence,
    "SequenceConstruct": lambda call: replace(call[0], pieces=call.given),
    "SequenceAt": sequence_at,
    "SequenceEmpty": sequence_empty,
    "SequenceErase": sequence_erase,
    "SequenceInsert": sequence_insert,
    "SequenceLength": sequence_length,
    "ConcatFromSequence": concat_from_sequence,
    "Optional": lambda call: call[0],
    "OptionalGetElement": lambda call: call[0],
    "Pad": pad,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    **dict.fromkeys(("Trilu", "com.microsoft::Trilu"), triangle),
    "ai.onnx.ml::ZipMap": lambda call: call[0],  # a dictionary of the same numbers for each sample
    "com.microsoft::ExpandDims": expand_dims,
}
