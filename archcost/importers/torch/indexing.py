"""Values picked and put by index, where a card does not say all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from archcost.importers import detection
from archcost.importers.torch.proposal import (
    Proposal,
    RuleFunction,
    composite,
    finite,
    is_number,
    one,
    overwriting,
    rule_for,
)


@composite("getitem")
def getitem(x: Tensor, index: Any) -> Any:
    seen, tensors = seen_at(x, index)
    if tensors:
        return torch.ops.aten.index.Tensor(seen, tensors)
    return torch.ops.aten.alias.default(x) if seen is x else seen


def seen_at(x: Tensor, index: Any) -> tuple[Tensor, list[Tensor | None]]:
    """As python_variable_indexing.cpp does: integers and slices one after the other, and the tensors, by axis."""
    entries = list(cast("tuple[Any, ...]", index)) if isinstance(index, tuple) else [index]
    if any(isinstance(entry, (list, tuple)) for entry in entries):
        entries = [torch.tensor(entry) if isinstance(entry, (list, tuple)) else entry for entry in entries]
    taken = sum(entry is not None and entry is not Ellipsis for entry in entries)
    taken += sum(entry.dim() - 1 for entry in entries if isinstance(entry, Tensor) and entry.dtype == torch.bool)
    result, axis = x, 0
    tensors: list[Tensor | None] = []
    for entry in entries:
        if entry is None:
            result = result.unsqueeze(axis)
            axis += 1
        elif entry is Ellipsis:
            axis += x.dim() - taken
        elif isinstance(entry, slice):
            if entry != slice(None):
                steps = range(result.shape[axis])[entry]
                result = torch.ops.aten.slice.Tensor(result, axis, steps.start, steps.stop, steps.step)
            axis += 1
        elif isinstance(entry, Tensor) and not (entry.dim() == 0 and not entry.is_meta and entry.dtype != torch.bool):
            tensors += [None] * (axis - len(tensors)) + [entry]
            axis += 1
        else:
            result = result.select(axis, int(entry))
    return result, tensors


@rule_for("index")
def index(result: Tensor, x: Tensor, indices: Sequence[Tensor | None]) -> Proposal | None:
    given = {axis: entry for axis, entry in enumerate(indices) if entry is not None}
    if any(entry.dtype == torch.bool for entry in given.values()):
        return None
    return Proposal("index", (x, *given.values()), {"dims": list(given)})


@rule_for("index_select")
def index_select(result: Tensor, x: Tensor, dim: int, index: Tensor) -> Proposal:
    return Proposal("index_select", (x, index), {"dim": dim})


@rule_for("gather")
def gather(result: Tensor, x: Tensor, *given: Any, dim: Any = None, index: Any = None, **named: Any) -> Proposal | None:
    for value in given:
        dim, index = (value, index) if isinstance(value, int) else (dim, value)
    return Proposal("gather", (x, index), {"dim": dim}) if isinstance(dim, int) else None


@rule_for("grid_sample")
def grid_sample(
    result: Tensor,
    x: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Proposal:
    fields = {"mode": mode, "padding_mode": padding_mode, "align_corners": bool(align_corners)}
    return Proposal("grid_sample", (x, grid), fields)


@composite("affine_grid")
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Points with a 1 behind them, the last axis first, times a matrix for each sample (AffineGridGenerator.cpp)."""
    batch, _, *sizes = size
    lines = [torch.linspace(-1, 1, n) * (1 if align_corners else (n - 1) / n) for n in sizes]
    points = [*reversed(torch.meshgrid(lines, indexing="ij")), torch.ones(list(sizes))]
    return (torch.stack(points, -1).view(-1, len(points)) @ theta.transpose(1, 2)).view(batch, *sizes, len(sizes))


@rule_for("one_hot")
def one_hot(result: Tensor, x: Tensor, num_classes: int = -1) -> Proposal:
    return Proposal("one_hot", (x,), {"num_classes": result.shape[-1]})


@rule_for("scatter")
def scatter(
    result: Tensor, x: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, inplace: bool = False
) -> Proposal | None:
    fields: dict[str, Any] = {"dim": dim, **overwriting(inplace)}
    given = value if src is None else src
    if isinstance(given, Tensor):
        return Proposal("scatter", (x, index, given), fields)
    if not is_number(given):
        return None
    return Proposal("scatter", (x, index), {**fields, "value": finite(given)})


def _added(type_: str) -> RuleFunction:
    def rule(result: Tensor, x: Tensor, dim: int, index: Tensor, source: Tensor, inplace: bool = False) -> Proposal:
        return Proposal(type_, (x, index, source), {"dim": dim, **overwriting(inplace)})

    return rule


def _joined(type_: str) -> RuleFunction:
    def rule(
        result: Tensor,
        x: Tensor,
        dim: int,
        index: Tensor,
        source: Tensor,
        reduce: str,
        include_self: bool = True,
        inplace: bool = False,
    ) -> Proposal:
        fields = {"dim": dim, "reduce": reduce, "include_self": include_self, **overwriting(inplace)}
        return Proposal(type_, (x, index, source), fields)

    return rule


rule_for("scatter_reduce")(_joined("scatter_reduce"))
rule_for("index_reduce")(_joined("index_reduce"))
rule_for("scatter_add")(_added("scatter_add"))
rule_for("index_add")(_added("index_add"))


@rule_for("embedding")
def embedding(
    result: Tensor,
    indices: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Proposal | None:
    if max_norm is not None:
        return None
    fields = _table(weight, padding_idx, scale_grad_by_freq, sparse)
    return Proposal("embedding", (indices,), fields, {"weight": weight})


def _table(weight: Tensor, padding_idx: int | None, scale_grad_by_freq: bool, sparse: bool) -> dict[str, Any]:
    fields = {"num_embeddings": weight.shape[0], "embedding_dim": weight.shape[1], "padding_idx": padding_idx}
    return {**fields, "scale_grad_by_freq": scale_grad_by_freq, "sparse": sparse}


@rule_for("embedding_bag")
def embedding_bag(
    result: Tensor,
    indices: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Proposal | None:
    if max_norm is not None or indices.is_floating_point():
        return None
    fields = {**_table(weight, padding_idx, scale_grad_by_freq, sparse), "mode": mode}
    fields["include_last_offset"] = include_last_offset
    given = [each for each in (offsets, per_sample_weights) if each is not None]
    return Proposal("embedding_bag", (indices, *given), fields, {"weight": weight})


@rule_for("torch.embedding", "aten::embedding")
def embedding_of_torch(
    result: Tensor, weight: Tensor, indices: Tensor, padding_idx: int = -1, *rest: bool
) -> Proposal | None:
    return embedding(result, indices, weight, None if padding_idx < 0 else padding_idx)


@rule_for("searchsorted")
def searchsorted(
    result: Tensor,
    rising: Tensor,
    values: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Proposal | None:
    if out_int32 or sorter is not None or not isinstance(values, Tensor):
        return None
    return Proposal("searchsorted", (rising, values), {"right": right or side == "right"})


@rule_for("roi_align", "torchvision::roi_align")
def roi_align(
    result: Tensor,
    images: Tensor,
    regions: Tensor,
    spatial_scale: float,
    height: int,
    width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Proposal:
    fields = {"output_size": one((height, width)), "spatial_scale": float(spatial_scale), "aligned": aligned}
    return Proposal("roi_align", (images, regions), {**fields, "sampling_ratio": max(sampling_ratio, 0) or -1})


@rule_for("ps_roi_align", "torchvision::ps_roi_align")
def ps_roi_align(
    result: Any, images: Tensor, regions: Tensor, spatial_scale: float, height: int, width: int, sampling_ratio: int
) -> Proposal:
    fields = {"output_size": one((height, width)), "spatial_scale": float(spatial_scale)}
    return Proposal("ps_roi_align", (images, regions), {**fields, "sampling_ratio": max(sampling_ratio, 0) or -1})


def _pooled(type_: str) -> RuleFunction:
    def rule(result: Any, images: Tensor, regions: Tensor, spatial_scale: float, height: int, width: int) -> Proposal:
        fields = {"output_size": one((height, width)), "spatial_scale": float(spatial_scale)}
        return Proposal(type_, (images, regions), fields)

    return rule


for _type in ("roi_pool", "ps_roi_pool"):
    rule_for(_type, f"torchvision::{_type}")(_pooled(_type))


@rule_for("some_places")
def some_places(result: Tensor, mask: Tensor, count: int) -> Proposal:
    return Proposal("nonzero", (mask,), {} if count == mask.numel() else {"count": count})


@rule_for("kept_boxes")
def kept_boxes(result: Tensor, boxes: Tensor, scores: Tensor) -> Proposal:
    return Proposal("nms", (boxes, scores))


@composite("nms", "torchvision::nms")
def nms(dets: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """All are kept, whatever the values: so the compiled operator is not asked."""
    return detection.kept(dets, scores)


@composite("where_mask_holds", "where_level_holds")
def where_mask_holds(mask: Tensor) -> tuple[Tensor, ...]:
    return detection.places(mask).unbind(1)


@composite("places_of_mask", "places_of_level")
def places_of_mask(mask: Tensor) -> Tensor:
    return detection.places(mask)


@composite("picked_by_mask", "picked_by_level")
def picked_by_mask(x: Tensor, mask: Tensor) -> Tensor:
    return x[detection.places(mask).unbind(1)]


composite("paste")(detection.paste)
composite("find_keypoints")(detection.find_keypoints)
