"""Pools and their reverse in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archcost.errors import ArchcostError
from archcost.exporters.emit import Attribute, Part, draws
from archcost.layers import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    MaxUnpool1d,
    MaxUnpool2d,
    MaxUnpool3d,
)


def window(part: Part) -> dict[str, Attribute]:
    layer = part.layer
    return {"kernel_shape": layer.kernels(), "strides": layer.strides(), "pads": layer.paddings() * 2}


@draws(MaxPool1d, MaxPool2d, MaxPool3d)
def max_pool(part: Part) -> Sequence[str]:
    layer = part.layer
    settings = {**window(part), "dilations": layer.dilations(), "ceil_mode": int(layer.ceil_mode)}
    return part.draw_many("MaxPool", 1 + layer.return_indices, part.inputs[0], **settings)


@draws(AvgPool1d, AvgPool2d, AvgPool3d)
def avg_pool(part: Part) -> str:
    layer = part.layer
    settings = {**window(part), "ceil_mode": int(layer.ceil_mode), "count_include_pad": int(layer.count_include_pad)}
    mean = part.draw("AveragePool", part.inputs[0], **settings)
    divisor = getattr(layer, "divisor_override", None)
    if divisor is None:
        return mean
    return part.draw("Mul", mean, part.number(prod(layer.kernels()) / divisor))


def evenly(part: Part) -> dict[str, Attribute] | None:
    """The window that an adaptive pool slides where every size is a multiple of the one wanted."""
    sizes = list(zip(part.source.shape[2:], part.result.shape[2:], strict=True))
    if any(before % after for before, after in sizes):
        return None
    kernel = tuple(before // after for before, after in sizes)
    return {"kernel_shape": kernel, "strides": kernel}


def folded_by_pieces(part: Part, kind: str) -> str:
    """Each axis cut into windows that overlap where they must, of which each is folded: the mean of means of one size,
    or the largest of the largest.
    """
    tensor = part.inputs[0]
    for axis in range(2, part.source.rank):
        before, after = part.source.shape[axis], part.result.shape[axis]
        if before == after:
            continue
        along = part.integers(axis)
        pieces: list[str] = []
        for index in range(after):
            start, stop = index * before // after, -(-(index + 1) * before // after)
            piece = part.draw("Slice", tensor, part.integers(start), part.integers(stop), along)
            pieces.append(part.draw(kind, piece, along, keepdims=1))
        tensor = part.draw("Concat", *pieces, axis=axis)
    return tensor


@draws(AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d)
def adaptive_avg_pool(part: Part) -> str:
    if all(size == 1 for size in part.result.shape[2:]):
        return part.draw("GlobalAveragePool", part.inputs[0])
    settings = evenly(part)
    return (
        folded_by_pieces(part, "ReduceMean")
        if settings is None
        else part.draw("AveragePool", part.inputs[0], **settings)
    )


@draws(AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d)
def adaptive_max_pool(part: Part) -> Sequence[str]:
    settings = evenly(part)
    if settings is not None:
        return part.draw_many("MaxPool", 1 + part.layer.return_indices, part.inputs[0], **settings)
    if part.layer.return_indices:
        raise ArchcostError(
            "ONNX has no pool that returns the indices of uneven windows",
            expected=f"a multiple of {'×'.join(map(str, part.result.shape[2:]))}",
            found="×".join(map(str, part.source.shape[2:])),
        )
    return (folded_by_pieces(part, "ReduceMax"),)


@draws(MaxUnpool1d, MaxUnpool2d, MaxUnpool3d)
def max_unpool(part: Part) -> str:
    if part.layer.output_size is None:
        return part.draw("MaxUnpool", *part.inputs, **window(part))
    channels = part.draw("Shape", part.inputs[0], start=0, end=2)
    sizes = part.draw("Concat", channels, part.integers(*part.result.shape[2:]), axis=0)
    return part.draw("MaxUnpool", *part.inputs, sizes, **window(part))
