"""Compiled parts of libraries that do not load beside a CPU build of torch. Declared, they import; none is run."""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

BOXES = "Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width"
SCHEMAS = {
    "nms": "Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align": f"{BOXES}, int sampling_ratio, bool aligned) -> Tensor",
    "ps_roi_align": f"{BOXES}, int sampling_ratio) -> (Tensor, Tensor)",
    "roi_pool": f"{BOXES}) -> (Tensor, Tensor)",
    "ps_roi_pool": f"{BOXES}) -> (Tensor, Tensor)",
    "deform_conv2d": "Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, int stride_h, int stride_w,"
    " int pad_h, int pad_w, int dilation_h, int dilation_w, int groups, int offset_groups, bool use_mask) -> Tensor",
}
"""Torchvision's operators, as its compiled part declares them."""


@cache
def declare_operators() -> Any:
    """Of torchvision, its operators; of torchaudio, that its extension is not there."""
    extension = ModuleType("torchaudio._extension")
    vars(extension).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=lambda function: function
    )
    sys.modules["torchaudio._extension"] = extension
    library = torch.library.Library("torchvision", "DEF")
    for name, schema in SCHEMAS.items():
        library.define(f"{name}({schema}")
    for name, shaped in SHAPES.items():
        library.impl(name, shaped, "Meta")
    return library


def aligned(images: Tensor, rois: Tensor, scale: float, height: int, width: int, *rest: Any) -> Tensor:
    return images.new_empty(rois.shape[0], images.shape[1], height, width)


def pooled(images: Tensor, rois: Tensor, scale: float, height: int, width: int, *rest: Any) -> tuple[Tensor, Tensor]:
    made = aligned(images, rois, scale, height, width)
    return made, torch.empty_like(made, dtype=torch.int32)


def in_channels(
    images: Tensor, rois: Tensor, scale: float, height: int, width: int, *rest: Any
) -> tuple[Tensor, Tensor]:
    return pooled(images[:, : images.shape[1] // (height * width)], rois, scale, height, width)


def deformed(images: Tensor, weight: Tensor, offset: Tensor, *rest: Any) -> Tensor:
    return images.new_empty(images.shape[0], weight.shape[0], *offset.shape[2:])


SHAPES = {
    "roi_align": aligned,
    "roi_pool": pooled,
    "ps_roi_align": in_channels,
    "ps_roi_pool": in_channels,
    "deform_conv2d": deformed,
}
"""Of which shape their results are."""


def let_operators_be_called() -> None:
    """Torchvision's functions ask whether the compiled part is there before they call an operator."""
    import torchvision  # noqa: F401

    for name, module in list(sys.modules.items()):
        if name.startswith("torchvision.") and hasattr(module, "_assert_has_ops"):
            vars(module)["_assert_has_ops"] = lambda: None
        if name.startswith("torchvision.ops") and hasattr(module, "_has_ops"):
            vars(module)["_has_ops"] = lambda: True
