"""Layers that see, move, copy and repeat values in ONNX, but for those whose cards name an operator."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.errors import ArchcostError
from archcost.exporters.emit import DTYPES, MAX_INT64, Part, draws
from archcost.layers import (
    AsStrided,
    Cast,
    CastLike,
    ChannelShuffle,
    Chunk,
    Clone,
    Concat,
    Contiguous,
    Detach,
    Diagonal,
    Expand,
    Flatten,
    Flip,
    Pad,
    Permute,
    PixelShuffle,
    PixelUnshuffle,
    RepeatInterleave,
    Reshape,
    Roll,
    Select,
    Slice,
    Split,
    Squeeze,
    Stack,
    TensorUnfold,
    Tile,
    Transpose,
    Tril,
    Triu,
    Unbind,
    Unflatten,
    Unsqueeze,
    View,
)
from archcost.layers.checks import normalize_axis

PAD_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""Torch's words for padding, and ONNX's."""


def axis_of(part: Part, dim: int) -> int:
    return normalize_axis(dim, part.source.rank)


@draws(Clone, Contiguous, Detach)
def same(part: Part) -> str:
    return part.draw("Identity", part.inputs[0])


@draws(Unflatten, Reshape, View)
def reshaped(part: Part) -> str:
    return part.reshape(part.inputs[0], part.source.shape, part.result.shape)


@draws(Flatten)
def flatten(part: Part) -> str:
    whole = part.layer.start_dim == 1 and axis_of(part, part.layer.end_dim) == part.source.rank - 1
    return part.draw("Flatten", part.inputs[0], axis=1) if whole else reshaped(part)


@draws(Permute)
def permute(part: Part) -> str:
    return part.draw("Transpose", part.inputs[0], perm=tuple(axis_of(part, axis) for axis in part.layer.dims))


@draws(Transpose)
def transpose(part: Part) -> str:
    order = list(range(part.source.rank))
    first, second = axis_of(part, part.layer.dim0), axis_of(part, part.layer.dim1)
    order[first], order[second] = second, first
    return part.draw("Transpose", part.inputs[0], perm=order)


@draws(Squeeze)
def squeeze(part: Part) -> str:
    dims = (part.layer.dim,) if isinstance(part.layer.dim, int) else part.layer.dim
    single = [axis for axis in (axis_of(part, dim) for dim in dims) if part.source.shape[axis] == 1]
    if not single:
        return part.draw("Identity", part.inputs[0])
    return part.draw("Squeeze", part.inputs[0], part.integers(*single))


@draws(Unsqueeze)
def unsqueeze(part: Part) -> str:
    return part.draw("Unsqueeze", part.inputs[0], part.integers(part.layer.dim))


@draws(Slice)
def sliced(part: Part) -> str:
    layer = part.layer
    start = 0 if layer.start is None else layer.start
    stop = MAX_INT64 if layer.stop is None else layer.stop
    return cut(part, part.inputs[0], layer.dim, start, stop, layer.step)


def cut(part: Part, tensor: str, axis: int, start: int, stop: int, step: int = 1) -> str:
    return part.draw("Slice", tensor, *(part.integers(value) for value in (start, stop, axis, step)))


@draws(Select)
def select(part: Part) -> str:
    return part.draw("Gather", part.inputs[0], part.index(part.layer.index), axis=axis_of(part, part.layer.dim))


@draws(Pad)
def pad(part: Part) -> str:
    """ONNX names all that is put before the axes, the outermost first, and then all that is put after."""
    layer = part.layer
    pairs = list(zip(layer.pad[::2], layer.pad[1::2], strict=True))[::-1]
    around = [(0, 0)] * (part.source.rank - len(pairs)) + pairs
    pads = part.integers(*(before for before, _ in around), *(after for _, after in around))
    if layer.mode != "constant":
        return part.draw("Pad", part.inputs[0], pads, mode=PAD_MODES[layer.mode])
    return part.draw("Pad", part.inputs[0], pads, part.number(layer.value or 0), mode="constant")


@draws(Split)
def split(part: Part) -> Sequence[str]:
    axis, pieces = axis_of(part, part.layer.dim), part.node.output_types
    if part.carries_batch(part.source.shape[axis]):
        raise ArchcostError(
            "ONNX names the size of every piece, and the batch decides how many there are",
            expected="a batch that is known",
            found="any batch",
            hint="--batch N",
        )
    return part.draw_many(
        "Split", len(pieces), part.inputs[0], part.integers(*(piece.shape[axis] for piece in pieces)), axis=axis
    )


@draws(Chunk)
def chunk(part: Part) -> Sequence[str]:
    count = len(part.node.output_types)
    return part.draw_many("Split", count, part.inputs[0], axis=axis_of(part, part.layer.dim), num_outputs=count)


@draws(Unbind)
def unbind(part: Part) -> Sequence[str]:
    axis = axis_of(part, part.layer.dim)
    count = len(part.node.output_types)
    pieces = part.draw_many("Split", count, part.inputs[0], axis=axis, num_outputs=count)
    return [part.draw("Squeeze", piece, part.integers(axis)) for piece in pieces]


@draws(Expand)
def expand(part: Part) -> str:
    """A size of 1 leaves an axis as it is."""
    return part.draw("Expand", part.inputs[0], part.integers(*(max(size, 1) for size in part.layer.size)))


@draws(Stack)
def stack(part: Part) -> str:
    axis = normalize_axis(part.layer.dim, part.result.rank)
    apart = [part.draw("Unsqueeze", tensor, part.integers(axis)) for tensor in part.inputs]
    return part.draw("Concat", *apart, axis=axis)


@draws(Concat)
def concat(part: Part) -> str:
    return part.draw("Concat", *part.inputs, axis=axis_of(part, part.layer.dim))


@draws(Roll)
def roll(part: Part) -> str:
    """What falls off an end, put before the rest."""
    tensor = part.inputs[0]
    for shift, dim in zip(part.layer.shifts, part.layer.dims, strict=True):
        axis = axis_of(part, dim)
        cut_at = -shift % part.source.shape[axis]
        if cut_at:
            end, front = cut(part, tensor, axis, cut_at, MAX_INT64), cut(part, tensor, axis, 0, cut_at)
            tensor = part.draw("Concat", end, front, axis=axis)
    return part.draw("Identity", tensor)


@draws(Flip)
def flip(part: Part) -> str:
    tensor = part.inputs[0]
    for axis in part.layer.dims:
        tensor = cut(part, tensor, axis, -1, -MAX_INT64, -1)
    return tensor


@draws(RepeatInterleave)
def repeat_interleave(part: Part) -> str:
    """A new axis behind the one that is meant, stretched, and made one with it."""
    axis, repeats = axis_of(part, part.layer.dim), part.layer.repeats
    apart = part.draw("Unsqueeze", part.inputs[0], part.integers(axis + 1))
    sizes = [1] * (part.source.rank + 1)
    sizes[axis + 1] = repeats
    shape = part.source.shape
    stretched = part.draw("Expand", apart, part.integers(*sizes))
    return part.reshape(stretched, (*shape[: axis + 1], repeats, *shape[axis + 1 :]), part.result.shape)


@draws(Tile)
def tile(part: Part) -> str:
    """ONNX makes no axes by repeating."""
    dims, tensor = part.layer.dims, part.inputs[0]
    new = len(dims) - part.source.rank
    if new:
        tensor = part.draw("Unsqueeze", tensor, part.integers(*range(new)))
    if len(part.inputs) == 1:
        return part.draw("Tile", tensor, part.integers(*dims))
    return part.draw(
        "Tile", tensor, part.times_samples(dims, normalize_axis(part.layer.dim, len(dims)), part.inputs[1])
    )


@draws(ChannelShuffle)
def channel_shuffle(part: Part) -> str:
    """Groups and channels of a group as two axes, which are exchanged."""
    batch, channels, *pixels = part.source.shape
    groups = part.layer.groups
    apart = (batch, groups, channels // groups, *pixels)
    turned = part.draw(
        "Transpose", part.reshape(part.inputs[0], part.source.shape, apart), perm=(0, 2, 1, *range(3, len(apart)))
    )
    return part.reshape(turned, (batch, channels // groups, groups, *pixels), part.source.shape)


@draws(PixelShuffle)
def pixel_shuffle(part: Part) -> str:
    return part.draw("DepthToSpace", part.inputs[0], blocksize=part.layer.upscale_factor, mode="CRD")


@draws(PixelUnshuffle)
def pixel_unshuffle(part: Part) -> str:
    """Step by step: ONNX's SpaceToDepth puts the channels in another order."""
    batch, channels, height, width = part.source.shape
    factor = part.layer.downscale_factor
    apart = (batch, channels, height // factor, factor, width // factor, factor)
    cells = part.reshape(part.inputs[0], part.source.shape, apart)
    turned = part.draw("Transpose", cells, perm=(0, 1, 3, 5, 2, 4))
    return part.reshape(turned, tuple(apart[axis] for axis in (0, 1, 3, 5, 2, 4)), part.result.shape)


@draws(Cast, CastLike)
def cast(part: Part) -> str:
    return part.draw("Cast", part.inputs[0], to=DTYPES[part.node.output_types[0].dtype])


@draws(Tril, Triu)
def triangle(part: Part) -> str:
    upper = int(isinstance(part.layer, Triu))
    return part.draw("Trilu", part.inputs[0], part.index(part.layer.diagonal), upper=upper)


def of_any_batch(part: Part, *axes: int) -> None:
    """Positions along an axis are written out, so the batch cannot decide how long it is."""
    if any(part.carries_batch(part.source.shape[axis]) for axis in axes):
        raise ArchcostError(
            "ONNX has the positions written out, and the batch decides how many there are",
            expected="a batch that is known",
            found="any batch",
            hint="--batch N",
        )


@draws(Diagonal)
def diagonal(part: Part) -> str:
    """Both axes last and made one, of which every so many-th value is picked."""
    rows, columns = axis_of(part, part.layer.dim1), axis_of(part, part.layer.dim2)
    of_any_batch(part, rows, columns)
    rest = [axis for axis in range(part.source.rank) if axis not in (rows, columns)]
    shape = part.source.shape
    turned = part.draw("Transpose", part.inputs[0], perm=(*rest, rows, columns))
    around, width = tuple(shape[axis] for axis in rest), shape[columns]
    flat = part.reshape(turned, (*around, shape[rows], width), (*around, shape[rows] * width))
    offset = part.layer.offset
    first = offset if offset >= 0 else -offset * width
    picked = part.integers(*(first + index * (width + 1) for index in range(part.result.shape[-1])))
    return part.draw("Gather", flat, picked, axis=len(rest))


@draws(TensorUnfold)
def slices(part: Part) -> str:
    """A row of positions for each slice, and their axis put last."""
    layer = part.layer
    axis = axis_of(part, layer.dimension)
    of_any_batch(part, axis)
    starts = range(0, part.source.shape[axis] - layer.size + 1, layer.step)
    listed = part.integers(*(start + index for start in starts for index in range(layer.size)))
    rows = part.draw("Reshape", listed, part.integers(len(starts), layer.size))
    found = part.draw("Gather", part.inputs[0], rows, axis=axis)
    order = [place for place in range(part.result.rank) if place != axis + 1]
    return part.draw("Transpose", found, perm=(*order, axis + 1))


@draws(AsStrided)
def unknown(part: Part) -> Sequence[str]:
    """What strides decide, in a way that no operator has."""
    return part.draw_unknown(part.layer.type, len(part.node.output_types), *part.inputs)
