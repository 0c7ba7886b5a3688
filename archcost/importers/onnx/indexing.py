"""Operators that pick and put values by index."""

from __future__ import annotations

from math import prod

from archcost.importers.onnx.linear import kept
from archcost.importers.onnx.shape import cut, reshaped
from archcost.importers.onnx_call import Call, Rule, one
from archcost.importers.onnx_inference import as_written
from archcost.importers.onnx_values import Shape, UnsupportedError, Value, from_batch, samples_in
from archcost.tensors import TensorType


def gather(call: Call) -> Value:
    """Rows of a learned table, one position, a run of them, or any that indices name."""
    data, indices = call[0], call[1]
    if data.holds_codes and not indices.is_constant:
        data = kept(data)
    axis = call.axis()
    if indices.is_constant and indices.numbers is not None and not data.is_constant:
        numbers = [int(number) for number in indices.numbers.flatten()]
        size = as_written(data.tensor, call.written_for).shape[axis]
        if data.rank == 1 and numbers == list(range(size)):  # all of them, in another shape
            return reshaped(call, data, indices.shape)
        if samples_in(data.shape[axis]) and call.written_for is not None:
            raise call.for_one_batch("picks of")
        if indices.rank == 0 and not samples_in(data.shape[axis]):
            return call.layer("select", data, index=numbers[0], dim=axis)
        run = _run(numbers, data.shape[axis])
        if indices.rank == 1 and run is not None:
            return cut(call, data, run.start, run.stop, axis, run.step)
    indices = call.cast(indices, "int64") if indices.tensor.dtype != "int32" or axis else indices
    is_table = data.is_weight and data.rank == 2 and axis == 0 and data.held is not None and not data.turned
    if is_table and data.tensor.is_floating and not indices.is_constant:
        rows, features = data.shape
        (found,) = call.weighted("embedding", indices, {"weight": data}, num_embeddings=rows, embedding_dim=features)
        return call.cast(found, data.tensor.dtype)
    return picked(call, data, call.cast(indices, "int64"), axis)


def _run(numbers: list[int], size: int) -> range | None:
    """Positions that follow one another, from the front."""
    first = [number % size for number in numbers]
    run = range(first[0], first[-1] + 1) if first else range(0)
    return run if len(run) > 0 and list(run) == first else None


def picked(call: Call, data: Value, indices: Value, axis: int) -> Value:
    """By a list of positions, or by a tensor of them, in whose shape the axis then is."""
    if indices.rank == 1:
        return call.layer("index_select", data, indices, dim=axis)
    return call.layer("index", data, indices, dims=[axis])


def gather_elements(call: Call) -> Value:
    return call.layer("gather", call[0], call.cast(call[1], "int64"), dim=call.axis())


def gather_nd(call: Call) -> Value:
    """By positions along the first axes, which stand side by side in the last axis of the indices."""
    data, indices = call[0], call.cast(call[1], "int64")
    outer = call.integer("batch_dims", 0)
    if not 0 <= outer < indices.rank:
        raise UnsupportedError(f"batch_dims {outer} of indices {indices.tensor}")
    listed = [_listed(call, indices, number) for number in range(indices.shape[-1])]
    if len(listed) == 1 and not outer:
        return picked(call, data, listed[0], 0)
    own = [_positions(indices.shape[:-1], axis) for axis in range(outer)]
    return call.layer("index", data, *own, *listed, dims=list(range(outer + len(listed))))


def _positions(shape: Shape, axis: int) -> Value:
    """All positions of an axis that data and indices have in common."""
    return Value(TensorType(tuple(size if each == axis else 1 for each, size in enumerate(shape)), "int64"))


def _listed(call: Call, indices: Value, number: int) -> Value:
    """The positions along one axis."""
    if indices.is_constant:
        return Value(indices.tensor._replace(shape=indices.shape[:-1]))
    return call.layer("select", indices, index=number, dim=-1)


def scattered(call: Call) -> Value:
    """Each value at its index along an axis, in place of what was there, or added to it."""
    indices, reduction = call.cast(call[1], "int64"), call.word("reduction", "none")
    if reduction in JOINED:
        return call.layer("scatter_reduce", call[0], indices, call[2], dim=call.axis(), reduce=JOINED[reduction])
    if reduction not in ("none", "add"):
        raise UnsupportedError(f"reduction {reduction}")
    return call.layer("scatter" if reduction == "none" else "scatter_add", call[0], indices, call[2], dim=call.axis())


JOINED = {"mul": "prod", "max": "amax", "min": "amin"}


def scattered_slices(call: Call) -> Value:
    """Values written over those at positions along the first axes: into a copy, as torch does out of place."""
    data, indices, updates = call[0], call.cast(call[1], "int64"), call[2]
    reduction = call.word("reduction", "none")
    if not indices.rank or reduction not in ("none", "add", *JOINED):
        raise UnsupportedError(f"reduction {reduction} at indices {indices.tensor}")
    if reduction != "none":
        return _joined_slices(call, indices, reduction)
    count = indices.shape[-1]
    positions = [_listed(call, indices, number) for number in range(count)]
    if all(value.is_constant for value in (data, indices, updates)):
        return Value(data.tensor)
    return call.layer("write", call.layer("clone", data), updates, *positions, dims=list(range(count)))


def _joined_slices(call: Call, indices: Value, reduction: str) -> Value:
    """Values joined with those at positions of the first axes, as along one axis that stands for them all."""
    data, updates, count = call[0], call[2], indices.shape[-1]
    if from_batch(data.shape[1:]) or from_batch(updates.shape):
        raise UnsupportedError("values of each sample joined at positions of several axes")
    rest = data.shape[count:]
    flat = call.reshape(data, (prod(data.shape[:count]), *rest))
    places = call.layer("sum", indices, dim=-1) if count > 1 else _listed(call, indices, 0)
    places = call.reshape(places, (places.tensor.numel,))
    values = call.reshape(updates, (places.tensor.numel, *rest))
    if reduction == "add":
        joined = call.layer("index_add", flat, places, values, dim=0)
    else:
        joined = call.layer("index_reduce", flat, places, values, dim=0, reduce=JOINED[reduction])
    return call.reshape(joined, data.shape)


def one_hot(call: Call) -> Value:
    """Of 0 and 1, or of two other numbers, in the dtype of these."""
    classes, values = call[1].number, call[2]
    if classes is None:
        raise UnsupportedError("a number of classes that is computed")
    axis = call.axis(default=-1, rank=call[0].rank + 1)
    return call.cast(one_of(call, call.cast(call[0], "int64"), int(classes), axis), values.tensor.dtype)


def one_of(call: Call, indices: Value, classes: int, axis: int) -> Value:
    """1 where the index is, along a new axis, which torch puts last."""
    found = call.layer("one_hot", indices, num_classes=classes)
    if axis == indices.rank:
        return found
    order = [*range(axis), indices.rank, *range(axis, indices.rank)]
    return call.layer("permute", found, dims=order)


def hardmax(call: Call) -> Value:
    """1 for the largest value of an axis; before version 13, of all axes from `axis` on."""
    value, axis = call[0], call.axis(default=-1 if call.opset >= 13 else 1)
    if call.opset < 13 and axis < value.rank - 1:
        flat = call.layer("flatten", value, start_dim=axis)
        return call.reshape(_hardmax(call, flat, axis), value.shape)
    return _hardmax(call, value, axis)


def _hardmax(call: Call, value: Value, axis: int) -> Value:
    largest = call.layer("argmax", value, dim=axis)
    return call.cast(one_of(call, largest, value.shape[axis], axis), value.tensor.dtype)


def compress(call: Call) -> Value:
    """The positions where a condition holds that the file knows."""
    condition = call[1]
    if not condition.is_constant or condition.numbers is None:
        raise UnsupportedError("how many values are left is decided by values")
    count = int(condition.numbers.sum())
    axis = call.node.attributes.get("axis")
    source = call[0] if axis is not None else call.reshape(call[0], (call[0].tensor.numel,))
    if samples_in(source.shape[call.axis(rank=source.rank) if axis is not None else 0]):
        raise UnsupportedError("some samples of a batch")
    positions = Value(TensorType((count,), "int64"))
    return call.layer("index_select", source, positions, dim=0 if axis is None else call.axis())


def tensor_scatter(call: Call) -> Value:
    """New values over those at the positions of an axis, into a copy: a buffer of keys that is filled."""
    past, update, axis = call[0], call[1], call.axis(default=-2)
    places = Value(TensorType(update.shape, "int64"))
    return call.layer("scatter", past, call.standing(places), update, dim=axis)


def reversed_sequences(call: Call) -> Value:
    """As many steps of each sample as it is long, backwards: every value is moved once, whatever the lengths are."""
    return call.layer("flip", call[0], dims=[call.axis("time_axis", 0)])


def mixture_of_experts(call: Call) -> Value:
    """Each token through those of the experts that its router holds for the best, weighed by what it says of them."""
    source, router = call[0], call[1]
    experts, chosen = call[2].shape[0], call.integer("k", 1)
    weights, which = call.layers("topk", call.layer("softmax", router, dim=-1), k=chosen, dim=-1)
    if call.flag("normalize_routing_weights"):
        weights = call.layer("div", weights, call.layer("sum", weights, dim=-1, keepdim=True))
    route, places = call.layers("expert_route", which, num_experts=experts)
    tokens = call.layer("flatten", source, end_dim=1, start_dim=0) if source.rank == 3 else source
    read = call.layer("index", tokens, route, dims=[0])
    first = _through(call, read, 2, 3)
    hidden = _activated(call, first, None if call.get(6) is None else _through(call, read, 6, 7))
    answers = call.layer("flatten", _through(call, hidden, 4, 5), start_dim=0, end_dim=1)
    of_each = call.layer("index", answers, places, dims=[0])
    weighed = call.layer("mul", of_each, call.layer("unsqueeze", weights, dim=-1))
    return call.reshape(call.layer("sum", weighed, dim=1), source.shape)


def _through(call: Call, tokens: Value, weight: int, bias: int) -> Value:
    """(experts, tokens of each, features) by the experts' own matrices (experts, out, in), and a bias each."""
    turned = call.layer("transpose", call.standing(call[weight]), dim0=1, dim1=2)
    result = call.layer("bmm", tokens, turned)
    added = call.get(bias)
    if added is None:
        return result
    return call.layer("add", result, call.layer("unsqueeze", call.standing(added), dim=1))


def _activated(call: Call, first: Value, beside: Value | None) -> Value:
    """Gated by a second projection, or by the second half of the first."""
    word = call.word("activation_type", "relu")
    if word == "swiglu":
        if beside is None:
            first, beside = call.layers("chunk", first, chunks=2, dim=-1)
        word = "silu"
    result = first if word == "identity" else call.layer(word, first)
    return result if beside is None else call.layer("mul", result, beside)


def features(call: Call) -> Value:
    """Positions along the last axis: the names of classes, of which texts are told as numbers."""
    data, positions = call[0], call.cast(call[1], "int64")
    if data.tensor.dtype == "string":
        data = Value(data.tensor._replace(dtype="int64"))
    listed = call.reshape(positions, (positions.tensor.numel,))
    picked_ones = call.layer("index_select", data, listed, dim=-1)
    return call.layer("unsqueeze", picked_ones, dim=0) if data.rank == 1 else picked_ones


GRID_MODES = {**dict.fromkeys(("linear", "bilinear"), "bilinear"), **dict.fromkeys(("cubic", "bicubic"), "bicubic")}
GRID_MODES["nearest"] = "nearest"


def grid_sample(call: Call) -> Value:
    mode = GRID_MODES.get(call.word("mode", "linear"))
    if mode is None:
        raise UnsupportedError(f"mode {call.word('mode')}")
    return call.layer(
        "grid_sample",
        call[0],
        call[1],
        mode=mode,
        padding_mode=call.word("padding_mode", "zeros"),
        align_corners=call.flag("align_corners"),
    )


def roi_align(call: Call) -> Value:
    """Numbers of images and corners are two inputs; side by side they are regions."""
    corners, numbers = call[1], call[2]
    if call.word("mode", "avg") != "avg":
        raise UnsupportedError("the largest of the points in a bin")
    listed = call.layer("unsqueeze", call.cast(numbers, corners.tensor.dtype), dim=1)
    regions = call.layer("concat", listed, corners, dim=1)
    default = "half_pixel" if call.opset >= 16 else "output_half_pixel"
    return call.layer(
        "roi_align",
        call[0],
        regions,
        output_size=one([call.integer("output_height", 1), call.integer("output_width", 1)]),
        spatial_scale=call.real("spatial_scale", 1.0),
        sampling_ratio=call.integer("sampling_ratio", 0) or -1,
        aligned=call.word("coordinate_transformation_mode", default) == "half_pixel",
    )


def col2im(call: Call) -> Value:
    size, block = call.integers(1) or [], call.integers(2) or []
    pads = call.sizes("pads", 4) or [0] * 4
    if len(block) != 2 or pads[:2] != pads[2:]:
        raise UnsupportedError("patches of other than two axes, or padded unevenly")
    return call.layer(
        "fold",
        call[0],
        output_size=one(size),
        kernel_size=one(block),
        dilation=one(call.sizes("dilations", 2) or [1, 1]),
        padding=one(pads[:2]),
        stride=one(call.sizes("strides", 2) or [1, 1]),
    )


RULES: dict[str, Rule] = {
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    **dict.fromkeys(("ScatterElements", "Scatter"), scattered),
    "ScatterND": scattered_slices,
    "OneHot": one_hot,
    "Hardmax": hardmax,
    "Compress": compress,
    "TensorScatter": tensor_scatter,
    "ReverseSequence": reversed_sequences,
    **dict.fromkeys(("GridSample", "com.microsoft::GridSample"), grid_sample),
    "ai.onnx.ml::ArrayFeatureExtractor": features,
    "com.microsoft::GatherND": gather_nd,
    "com.microsoft::MoE": mixture_of_experts,
    "RoiAlign": roi_align,
    "Col2Im": col2im,
}
