"""Products of tensors, and values picked by index or place, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from archcost.exporters.binary import promoted
from archcost.exporters.emit import DTYPES, Attribute, Part, Rendering, operator
from archcost.exporters.shape import cut
from archcost.layers.base import normalize_axis, per_axis
from archcost.layers.indexing.gather import axes_of, side_by_side


def einsum(part: Part) -> str:
    return part.draw("Einsum", *part.inputs, equation=part.layer.equation)


def addmm(part: Part) -> str:
    added, left, right = part.inputs
    return part.draw("Gemm", left, right, added, alpha=float(part.layer.alpha), beta=float(part.layer.beta))


def baddbmm(part: Part) -> str:
    added, left, right = part.inputs
    product = part.draw("MatMul", left, right)
    if part.layer.alpha != 1:
        product = part.draw("Mul", product, part.number(part.layer.alpha))
    if part.layer.beta != 1:
        added = part.draw("Mul", added, part.number(part.layer.beta))
    return part.draw("Add", added, product)


def attention(part: Part) -> str:
    """ONNX reads off the heads which of them serve several, and drops nothing out. It knows no other axes."""
    layer = part.layer
    if part.source.rank != 4:
        return _composed_attention(part)
    settings: dict[str, Attribute] = {} if layer.scale is None else {"scale": layer.scale}
    return part.draw("Attention", *part.inputs, is_causal=int(layer.is_causal), **settings)


LEAST = -3.4e38
"""What a score that is hidden becomes, in place of minus infinity."""


def _composed_attention(part: Part) -> str:
    layer, rank = part.layer, part.source.rank
    query, key, value, *masks = part.inputs
    scale = part.number(part.source.shape[-1] ** -0.5 if layer.scale is None else layer.scale)
    turned = part.draw("Transpose", key, perm=(*range(rank - 2), rank - 1, rank - 2))
    scores = part.draw("Mul", part.draw("MatMul", query, turned), scale)
    if layer.is_causal:
        ones = part.full(1.0, (part.source.shape[-2], part.node.input_types[1].shape[-2]))
        masks = [part.draw("Cast", part.draw("Trilu", ones, upper=0), to=DTYPES["bool"])]
    if layer.is_causal or (masks and part.node.input_types[3].dtype == "bool"):
        scores = part.draw("Where", masks[0], scores, part.number(LEAST))
    elif masks:
        scores = part.draw("Add", scores, masks[0])
    return part.draw("MatMul", part.draw("Softmax", scores, axis=-1), value)


def topk(part: Part) -> Sequence[str]:
    layer = part.layer
    settings = {"largest": int(layer.largest), "sorted": int(layer.sorted)}
    return part.draw_many("TopK", 2, part.inputs[0], part.integers(layer.k), axis=layer.dim, **settings)


def gather(part: Part) -> str:
    return part.draw("GatherElements", *part.inputs, axis=part.layer.dim)


def index_select(part: Part) -> str:
    return part.draw("Gather", *part.inputs, axis=normalize_axis(part.layer.dim, part.source.rank))


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


def scatter(part: Part) -> str:
    """Torch takes as many of the values as there are indices."""
    tensor, indices, *given = part.inputs
    if not given:
        updates = part.draw("Expand", part.number(part.layer.value), part.draw("Shape", indices))
        return part.draw("ScatterElements", tensor, indices, updates, axis=part.layer.dim)
    return scattered(part, tensor, indices, given[0], reduction="none")


def scatter_add(part: Part) -> str:
    return scattered(part, *part.inputs, reduction="add")


def scattered(part: Part, tensor: str, indices: str, values: str, reduction: str) -> str:
    _, listed, given = part.node.input_types
    if given.shape != listed.shape:
        zeros = part.integers(*(0,) * listed.rank)
        values = part.draw("Slice", values, zeros, part.draw("Shape", indices))
    return part.draw("ScatterElements", tensor, indices, values, axis=part.layer.dim, reduction=reduction)


def index_add(part: Part) -> str:
    """The list of positions stretched over the other axes."""
    tensor, positions, values = part.inputs
    axis = normalize_axis(part.layer.dim, part.source.rank)
    others = [place for place in range(part.source.rank) if place != axis]
    apart = part.draw("Unsqueeze", positions, part.integers(*others)) if others else positions
    indices = part.draw("Expand", apart, part.draw("Shape", values))
    return part.draw("ScatterElements", tensor, indices, values, axis=axis, reduction="add")


def one_hot(part: Part) -> str:
    return part.draw("OneHot", part.inputs[0], part.index(part.layer.num_classes), part.integers(0, 1), axis=-1)


def bucketize(part: Part) -> str:
    """How many boundaries lie below, or as far below as `right` says."""
    dtype = promoted(part.node.input_types)
    values = part.draw("Unsqueeze", part.cast(0, dtype), part.integers(-1))
    below = part.draw("LessOrEqual" if part.layer.right else "Less", part.cast(1, dtype), values)
    return part.draw("ReduceSum", part.draw("Cast", below, to=DTYPES["int64"]), part.integers(-1), keepdims=0)


def grid_sample(part: Part) -> str:
    layer = part.layer
    return part.draw(
        "GridSample",
        *part.inputs,
        mode="linear" if layer.mode == "bilinear" else layer.mode,
        padding_mode=layer.padding_mode,
        align_corners=int(layer.align_corners),
    )


def unfold(part: Part) -> str:
    """A slice for each value of the kernel, side by side behind the channels: ONNX has no operator for it."""
    layer = part.layer
    batch, channels, *sizes = part.source.shape
    pads = per_axis(layer.padding, 2, "padding")
    tensor = part.inputs[0]
    if any(pads):
        tensor = part.draw("Pad", tensor, part.integers(0, 0, *pads, 0, 0, *pads), part.number(0))
    positions = layer.positions(tuple(sizes))
    kernels, dilations, strides = (
        per_axis(given, 2, "") for given in (layer.kernel_size, layer.dilation, layer.stride)
    )
    patches: list[str] = []
    for row in range(kernels[0]):
        for column in range(kernels[1]):
            piece = tensor
            for axis, first in enumerate((row, column)):
                start = first * dilations[axis]
                stop = start + (positions[axis] - 1) * strides[axis] + 1
                piece = cut(part, piece, axis + 2, start, stop, strides[axis])
            patches.append(part.draw("Unsqueeze", piece, part.integers(2)))
    together = part.draw("Concat", *patches, axis=2)
    return part.reshape(together, (batch, channels, len(patches), *positions), part.result.shape)


def fold(part: Part) -> str:
    layer = part.layer
    return part.draw(
        "Col2Im",
        part.inputs[0],
        part.integers(*part.result.shape[2:]),
        part.integers(*per_axis(layer.kernel_size, 2, "kernel_size")),
        dilations=per_axis(layer.dilation, 2, "dilation"),
        pads=per_axis(layer.padding, 2, "padding") * 2,
        strides=per_axis(layer.stride, 2, "stride"),
    )


RENDERINGS: dict[str, Rendering] = {
    **dict.fromkeys(("matmul", "bmm"), operator("MatMul")),
    "addmm": addmm,
    "baddbmm": baddbmm,
    "einsum": einsum,
    "scaled_dot_product_attention": attention,
    "topk": topk,
    "gather": gather,
    "index_select": index_select,
    "index": index,
    "scatter": scatter,
    "scatter_add": scatter_add,
    "index_add": index_add,
    "one_hot": one_hot,
    "bucketize": bucketize,
    "grid_sample": grid_sample,
    "unfold": unfold,
    "fold": fold,
}
