"""Torchvision's operators of regions, composed of torch's: they run where its compiled ones do not load.

An operator of its own each, so that a counter or a tracker sees one, as of a compiled one. What autograd keeps is what
the compiled ones keep (torchvision/csrc/ops/autograd).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def operator(name: str, run: Any, shaped: Any) -> Any:
    """An operator of archcost's, from what it computes and what it makes where there are only shapes."""
    made: Any = torch.library.custom_op(f"archcost::{name}", run, mutates_args=())
    made.register_fake(shaped)
    return made


def points(starts: Tensor, sizes: Tensor, bins: int, along: int) -> Tensor:
    """Of each region, the coordinates along one axis at which its bins are read."""
    steps = (torch.arange(bins * along, dtype=torch.float64) + 0.5) / along
    return starts[:, None] + steps.to(starts) * sizes[:, None] / bins


def between(images: Tensor, regions: Tensor, settings: tuple[int, int, float, int, bool]) -> Tensor:
    """(K, C, h·s, w·s): values between those of the images, 0 beyond their borders."""
    height, width, scale, ratio, aligned = settings
    along = ratio if ratio > 0 else 2
    corners = regions[:, 1:].float() * scale - (0.5 if aligned else 0.0)
    sizes = corners[:, 2:] - corners[:, :2]
    sizes = sizes if aligned else sizes.clamp(min=1.0)
    x = points(corners[:, 0], sizes[:, 0], width, along)
    y = points(corners[:, 1], sizes[:, 1], height, along)
    rows, columns = images.shape[2:]
    inside = ((y >= -1) & (y <= rows))[:, :, None] & ((x >= -1) & (x <= columns))[:, None, :]
    x = x.clamp(0, columns - 1) * 2 / max(columns - 1, 1) - 1
    y = y.clamp(0, rows - 1) * 2 / max(rows - 1, 1) - 1
    shape = (x.shape[0], y.shape[1], x.shape[1])
    grid = torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], -1)
    picked = images[regions[:, 0].long()].float()
    found = functional.grid_sample(picked, grid, align_corners=True, padding_mode="border")
    return (found * inside[:, None]).to(images.dtype)


def _roi_align(
    images: Tensor, regions: Tensor, height: int, width: int, scale: float, ratio: int, aligned: bool
) -> Tensor:
    found = between(images, regions, (height, width, scale, ratio, aligned))
    return functional.adaptive_avg_pool2d(found, (height, width))


def _pooled_regions(
    images: Tensor, regions: Tensor, height: int, width: int, scale: float, ratio: int, kind: str
) -> tuple[Tensor, Tensor]:
    """Of `ps_roi_align`, `roi_pool` and `ps_roi_pool` the result, and a second one of int32.

    The pools are those of as many points as there are values in an image, which costs and keeps the same.
    """
    along = max(1, max(images.shape[2:]) // min(height, width)) if kind != "ps_roi_align" else ratio
    found = between(images, regions, (height, width, scale, along, kind == "ps_roi_align"))
    if kind == "roi_pool":
        pooled, sources = functional.adaptive_max_pool2d(found, (height, width), return_indices=True)
        return pooled, sources.int()
    means = functional.adaptive_avg_pool2d(found, (height, width))
    regions_, channels = means.shape[0], means.shape[1] // (height * width)
    apart = means.view(regions_, channels, height, width, height, width)
    own = apart.diagonal(dim1=2, dim2=4).diagonal(dim1=2, dim2=3).contiguous()
    sources = torch.arange(means.shape[1], dtype=torch.int32, device=own.device).view(1, channels, height, width)
    return own, sources.expand(own.shape).contiguous()


def _roi_align_shape(
    images: Tensor, regions: Tensor, height: int, width: int, scale: float, ratio: int, aligned: bool
) -> Tensor:
    return images.new_empty(regions.shape[0], images.shape[1], height, width)


def _pooled_shapes(
    images: Tensor, regions: Tensor, height: int, width: int, scale: float, ratio: int, kind: str
) -> tuple[Tensor, Tensor]:
    channels = images.shape[1] // (1 if kind == "roi_pool" else height * width)
    pooled = images.new_empty(regions.shape[0], channels, height, width)
    return pooled, torch.empty_like(pooled, dtype=torch.int32)


def keep_regions(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.shape = inputs[0].shape
    ctx.save_for_backward(inputs[1], *(output[1:] if isinstance(output, tuple) else ()))


def images_gradient(ctx: Any, gradient: Tensor, *rest: Any) -> Any:
    """Of the images alone: its size is that of theirs, its values are spread evenly."""
    regions, *_ = ctx.saved_tensors
    made = regions_gradient(gradient, regions, list(ctx.shape))
    return (made, *[None] * 6)


def _gradient(gradient: Tensor, regions: Tensor, shape: list[int]) -> Tensor:
    made = gradient.new_zeros(shape)
    return made + gradient.sum() / made.numel()


def _gradient_shape(gradient: Tensor, regions: Tensor, shape: list[int]) -> Tensor:
    return gradient.new_empty(shape)


def _nms(boxes: Tensor, scores: Tensor) -> Tensor:
    """Where no box is suppressed: the best first."""
    return scores.argsort(descending=True)


def _nms_shape(boxes: Tensor, scores: Tensor) -> Tensor:
    return torch.empty_like(scores, dtype=torch.int64)


def nonzero(mask: Tensor, count: int | None) -> Tensor:
    """As if as many values of it held as are asked for, the first ones."""
    return some_places(mask, mask.numel() if count is None else count)


def _some_places(mask: Tensor, count: int) -> Tensor:
    return torch.ones_like(mask, dtype=torch.bool).nonzero()[:count].clone()


def _places_shape(mask: Tensor, count: int) -> Tensor:
    return torch.empty((count, mask.dim()), dtype=torch.int64, device=mask.device)


roi_align = operator("roi_align", _roi_align, _roi_align_shape)
pooled_regions = operator("pooled_regions", _pooled_regions, _pooled_shapes)
regions_gradient = operator("regions_gradient", _gradient, _gradient_shape)
nms = operator("nms", _nms, _nms_shape)
some_places = operator("some_places", _some_places, _places_shape)
for each in (roi_align, pooled_regions):
    each.register_autograd(images_gradient, setup_context=keep_regions)
