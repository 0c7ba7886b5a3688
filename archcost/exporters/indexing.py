"""Values picked and put by index, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from archcost.exporters.comparison import promoted
from archcost.exporters.emit import DTYPES, Part, draws
from archcost.exporters.shape import cut
from archcost.layers import (
    Bucketize,
    Embedding,
    EmbeddingBag,
    ExpertRoute,
    Gather,
    GridSample,
    Index,
    IndexAdd,
    IndexReduce,
    IndexSelect,
    MaskedScatter,
    Nms,
    Nonzero,
    OneHot,
    PsRoiAlign,
    PsRoiPool,
    RoiAlign,
    RoiPool,
    Scatter,
    ScatterAdd,
    ScatterReduce,
    SearchSorted,
    Write,
)
from archcost.layers.checks import normalize_axis
from archcost.layers.indexing.gather import axes_of, side_by_side


@draws(Gather)
def gather(part: Part) -> str:
    return part.draw("GatherElements", *part.inputs, axis=part.layer.dim)


@draws(IndexSelect)
def index_select(part: Part) -> str:
    return part.draw("Gather", *part.inputs, axis=normalize_axis(part.layer.dim, part.source.rank))


@draws(Index)
def index(part: Part) -> str:
    """The axes that are listed in front, positions side by side, and the result where torch puts it."""
    axes = axes_of(part.layer.dims, part.source.rank)
    if len(axes) == 1:
        return part.draw("Gather", *part.inputs, axis=axes[0])
    rest = [axis for axis in range(part.source.rank) if axis not in axes]
    source = part.draw("Transpose", part.inputs[0], perm=(*axes, *rest))
    shape = part.draw("Shape", reduce(lambda so_far, listed: part.draw("Add", so_far, listed), part.inputs[1:]))
    stretched = [part.draw("Expand", listed, shape) for listed in part.inputs[1:]]
    positions = [part.draw("Unsqueeze", listed, part.integers(-1)) for listed in stretched]
    found = part.draw("GatherND", source, part.draw("Concat", *positions, axis=-1))
    listed_axes = part.result.rank - len(rest)
    before = sum(axis < min(axes) for axis in rest) if side_by_side(axes) else 0
    order = list(range(listed_axes, part.result.rank))
    return part.draw("Transpose", found, perm=[*order[:before], *range(listed_axes), *order[before:]])


@draws(Scatter)
def scatter(part: Part) -> str:
    """Torch takes as many of the values as there are indices."""
    tensor, indices, *given = part.inputs
    if not given:
        updates = part.draw("Expand", part.number(part.layer.value), part.draw("Shape", indices))
        return part.draw("ScatterElements", tensor, indices, updates, axis=part.layer.dim)
    return scattered(part, tensor, indices, given[0], reduction="none")


@draws(ScatterAdd)
def scatter_add(part: Part) -> str:
    return scattered(part, *part.inputs, reduction="add")


def scattered(part: Part, tensor: str, indices: str, values: str, reduction: str) -> str:
    _, listed, given = part.node.input_types
    if given.shape != listed.shape:
        zeros = part.integers(*(0,) * listed.rank)
        values = part.draw("Slice", values, zeros, part.draw("Shape", indices))
    return part.draw("ScatterElements", tensor, indices, values, axis=part.layer.dim, reduction=reduction)


REDUCTIONS = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min"}


@draws(ScatterReduce)
def scatter_reduce(part: Part) -> Sequence[str]:
    """No operator averages what meets, or leaves out what was there."""
    layer = part.layer
    if layer.reduce == "mean" or not layer.include_self:
        return part.draw_unknown(layer.type, 1, *part.inputs)
    return (scattered(part, *part.inputs, reduction=REDUCTIONS[layer.reduce]),)


@draws(IndexAdd)
def index_add(part: Part) -> str:
    return scattered_slices(part, "add")


@draws(IndexReduce)
def index_reduce(part: Part) -> Sequence[str]:
    layer = part.layer
    if layer.reduce == "mean" or not layer.include_self:
        return part.draw_unknown(layer.type, 1, *part.inputs)
    return (scattered_slices(part, REDUCTIONS[layer.reduce]),)


def scattered_slices(part: Part, reduction: str) -> str:
    """The list of positions stretched over the other axes."""
    tensor, positions, values = part.inputs
    axis = normalize_axis(part.layer.dim, part.source.rank)
    others = [place for place in range(part.source.rank) if place != axis]
    apart = part.draw("Unsqueeze", positions, part.integers(*others)) if others else positions
    indices = part.draw("Expand", apart, part.draw("Shape", values))
    return part.draw("ScatterElements", tensor, indices, values, axis=axis, reduction=reduction)


@draws(OneHot)
def one_hot(part: Part) -> str:
    return part.draw("OneHot", part.inputs[0], part.index(part.layer.num_classes), part.integers(0, 1), axis=-1)


@draws(Bucketize)
def bucketize(part: Part) -> str:
    """How many boundaries lie below, or as far below as `right` says."""
    dtype = promoted(part.node.input_types)
    values = part.draw("Unsqueeze", part.cast(0, dtype), part.integers(-1))
    below = part.draw("LessOrEqual" if part.layer.right else "Less", part.cast(1, dtype), values)
    return part.draw("ReduceSum", part.draw("Cast", below, to=DTYPES["int64"]), part.integers(-1), keepdims=0)


@draws(SearchSorted)
def searchsorted(part: Part) -> str:
    """How many of the rising values lie below, or as far below as `right` says."""
    apart = part.inputs[0]
    if part.source.rank > 1:
        apart = part.draw("Unsqueeze", apart, part.integers(-2))
    single = part.draw("Unsqueeze", part.inputs[1], part.integers(-1))
    below = part.draw("LessOrEqual" if part.layer.right else "Less", apart, single)
    return part.draw("ReduceSum", part.draw("Cast", below, to=DTYPES["int64"]), part.integers(-1), keepdims=0)


MODES = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}


@draws(GridSample)
def grid_sample(part: Part) -> str:
    layer = part.layer
    return part.draw(
        "GridSample",
        *part.inputs,
        mode=MODES[layer.mode],
        padding_mode=layer.padding_mode,
        align_corners=int(layer.align_corners),
    )


@draws(Embedding)
def embedding(part: Part) -> str:
    return part.draw("Gather", part.weight(), part.inputs[0], axis=0)


@draws(EmbeddingBag)
def embedding_bag(part: Part) -> str:
    rows = part.draw("Gather", part.weight(), part.inputs[0], axis=0)
    if part.layer.row_weights(part.node.input_types) is not None:
        rows = part.draw("Mul", rows, part.draw("Unsqueeze", part.inputs[-1], part.integers(-1)))
    if part.source.rank == 2:
        operator = {"sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax"}[part.layer.mode]
        return part.draw(operator, rows, part.integers(1), keepdims=0)
    return _up_to_offsets(part, rows)


def _up_to_offsets(part: Part, rows: str) -> str:
    """Each row is added to its bag: as many as there are offsets up to it, counted from 0."""
    bags, features = part.result.shape
    count = part.draw("Squeeze", part.draw("Shape", part.inputs[0]), part.integers(0))
    places = part.draw("Unsqueeze", part.draw("Range", part.index(0), count, part.index(1)), part.integers(1))
    offsets = part.draw("Cast", cut(part, part.inputs[1], 0, 0, bags), to=DTYPES["int64"])
    passed = part.draw("Cast", part.draw("LessOrEqual", offsets, places), to=DTYPES["int64"])
    bag = part.draw("Sub", part.draw("ReduceSum", passed, part.integers(1), keepdims=1), part.index(1))
    listed = part.draw("Expand", bag, part.draw("Shape", rows))
    empty = part.draw("Expand", part.number(0), part.integers(bags, features))
    if part.layer.mode == "max":
        return part.draw("ScatterElements", empty, listed, rows, axis=0, reduction="max")
    summed = part.draw("ScatterElements", empty, listed, rows, axis=0, reduction="add")
    if part.layer.mode == "sum":
        return summed
    ones = part.draw("Expand", part.number(1), part.draw("Shape", rows))
    counts = part.draw("ScatterElements", empty, listed, ones, axis=0, reduction="add")
    return part.draw("Div", summed, part.draw("Max", counts, part.number(1)))


@draws(Write)
def written(part: Part) -> Sequence[str]:
    """Over all of a tensor, the values themselves; where a part of it lies no spec says."""
    layer = part.layer
    if not layer.is_all(part.node.input_types):
        return part.draw_unknown(layer.type, 1, *part.inputs)
    whole, *given = part.inputs
    value = part.cast(1) if given else part.number(0)
    return (part.draw("Expand", value, part.draw("Shape", whole)),)


@draws(MaskedScatter, ExpertRoute, Nms, Nonzero, PsRoiAlign, PsRoiPool, RoiPool)
def unknown(part: Part) -> Sequence[str]:
    """What values or strides decide, in a way that no operator has."""
    return part.draw_unknown(part.layer.type, len(part.node.output_types), *part.inputs)


@draws(RoiAlign)
def roi_align(part: Part) -> str:
    """Numbers of images and corners are two inputs."""
    layer, regions = part.layer, part.cast(1, part.source.dtype)
    height, width = layer.bins()
    numbers = cut(part, regions, 1, 0, 1)
    listed = part.draw("Cast", part.draw("Squeeze", numbers, part.integers(1)), to=DTYPES["int64"])
    return part.draw(
        "RoiAlign",
        part.inputs[0],
        cut(part, regions, 1, 1, 5),
        listed,
        output_height=height,
        output_width=width,
        spatial_scale=layer.spatial_scale,
        sampling_ratio=max(layer.sampling_ratio, 0),
        coordinate_transformation_mode="half_pixel" if layer.aligned else "output_half_pixel",
    )
