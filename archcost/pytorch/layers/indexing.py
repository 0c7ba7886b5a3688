"""Values picked and put by index in torch, but for what cards name."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from archcost.layers import (
    Embedding,
    EmbeddingBag,
    ExpertRoute,
    Gather,
    Index,
    IndexAdd,
    IndexReduce,
    IndexSelect,
    Nms,
    Nonzero,
    PsRoiAlign,
    PsRoiPool,
    RoiAlign,
    RoiPool,
    Scatter,
    ScatterAdd,
    ScatterReduce,
    Write,
)
from archcost.layers.checks import per_axis
from archcost.pytorch import regions
from archcost.pytorch.layers.base import Called, Inputs, function, mirrors, settings


@mirrors(Embedding)
def embedding(layer: Embedding, inputs: Inputs) -> nn.Module:
    return nn.Embedding(**settings(layer, "weight"))


class Bags(nn.EmbeddingBag):
    """Offsets are integers, weights of rows are not."""

    def forward(self, indices: Tensor, *others: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        offsets = next((each for each in others if not each.is_floating_point()), None)
        weights = next((each for each in others if each.is_floating_point()), None)
        return super().forward(indices, offsets, weights)


@mirrors(EmbeddingBag)
def embedding_bag(layer: EmbeddingBag, inputs: Inputs) -> nn.Module:
    return Bags(**settings(layer, "weight"))


def by_index(tensor: Tensor, *others: Tensor, method: str, dim: int, number: tuple[float, ...]) -> Tensor:
    return getattr(tensor, method)(dim, *others, *number)


@mirrors(Gather, IndexSelect, Scatter, ScatterAdd, IndexAdd)
def axis_first(layer: Gather | IndexSelect | Scatter | ScatterAdd | IndexAdd, inputs: Inputs) -> nn.Module:
    """Methods that take the axis first, then indices, and then values or a number."""
    fields = layer.model_dump()
    method = f"{layer.type}_" if fields.get("inplace") else layer.type
    number = () if fields.get("value") is None else (fields["value"],)
    return Called(by_index, {"method": method, "dim": layer.dim, "number": number})


def joined(
    tensor: Tensor, index: Tensor, values: Tensor, method: str, dim: int, reduce: str, include_self: bool
) -> Tensor:
    return getattr(tensor, method)(dim, index, values, reduce, include_self=include_self)


@mirrors(ScatterReduce, IndexReduce)
def joining(layer: ScatterReduce | IndexReduce, inputs: Inputs) -> nn.Module:
    fields = settings(layer, "inplace")
    return Called(joined, {"method": f"{layer.type}_" if layer.inplace else layer.type, **fields})


def listed(dims: Sequence[int], tensor: Tensor, indices: Sequence[Tensor]) -> list[Tensor | None]:
    """An index or none for each axis, as the operators take them."""
    every: list[Tensor | None] = [None] * tensor.dim()
    for axis, positions in zip(dims, indices, strict=True):
        every[axis] = positions
    return every


def indexed(tensor: Tensor, *indices: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The operator itself: Python's brackets read a single position out, as a number."""
    return torch.ops.aten.index.Tensor(tensor, listed(dims, tensor, indices))


mirrors(Index)(function(indexed))


def written(whole: Tensor, *read: Tensor, numel: int | None, dims: tuple[int, ...]) -> Tensor:
    """Values over the first of a tensor, wherever a network writes them; a number is 0."""
    if dims:
        values, *indices = read
        return torch.ops.aten.index_put_(whole, listed(dims, whole, indices), values)
    if numel is None and all(part.shape == whole.shape for part in read):
        return whole.copy_(read[0]) if read else whole.fill_(0)
    part = read[0].shape if read else torch.Size()
    count = part.numel() if numel is None else numel * (whole.shape[0] if whole.dim() else 1)
    times = count // part.numel()
    place = whole.as_strided((count,), (1,)).view(part if times == 1 else (times, *part))
    _ = place.copy_(read[0]) if read else place.fill_(0)
    return whole


def in_equal_shares(choices: Tensor, num_experts: int) -> tuple[Tensor, Tensor]:
    """Whatever was chosen, so that as many rows are read as archcost says."""
    order = choices.flatten().argsort(stable=True)
    return (order // choices.shape[-1]).view(num_experts, -1), order.argsort().view(choices.shape)


mirrors(Write)(function(written))
mirrors(ExpertRoute)(function(in_equal_shares))


def aligned(
    images: Tensor,
    boxes: Tensor,
    output_size: int | tuple[int, ...],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    return regions.roi_align(images, boxes, *per_axis(output_size, 2, ""), spatial_scale, sampling_ratio, aligned)


def pooled(
    images: Tensor,
    boxes: Tensor,
    output_size: int | tuple[int, ...],
    spatial_scale: float,
    kind: str,
    sampling_ratio: int = -1,
) -> tuple[Tensor, Tensor]:
    return regions.pooled_regions(images, boxes, *per_axis(output_size, 2, ""), spatial_scale, sampling_ratio, kind)


mirrors(RoiAlign)(function(aligned))
mirrors(Nms)(function(regions.nms))
mirrors(Nonzero)(function(regions.nonzero))


@mirrors(PsRoiAlign, RoiPool, PsRoiPool)
def pooling(layer: PsRoiAlign | RoiPool | PsRoiPool, inputs: Inputs) -> nn.Module:
    return Called(pooled, {"kind": layer.type, **settings(layer)})
