"""torchvision's models for classification, segmentation, video and optical flow. Detection looks at values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from tests.collections.compare import Subject

_LIBRARY = torch.library.Library("torchvision", "DEF")
"""Its compiled operators do not load beside a CPU build of torch. Declared, the package imports; nothing runs them."""
_LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

VIDEO = ("r3d", "mc3", "r2plus1d", "s3d", "mvit", "swin3d")


def _make(name: str) -> nn.Module:
    from torchvision.models import get_model

    backbone: dict[str, Any] = {"weights_backbone": None} if name in _segmenting() else {}
    try:
        with torch.device("meta"):
            return get_model(name, weights=None, **backbone)
    except NotImplementedError:  # it looks at values while it is built
        return get_model(name, weights=None, **backbone)


def _segmenting() -> list[str]:
    from torchvision.models import list_models, segmentation

    return list_models(module=segmentation)


def subjects() -> Iterator[Subject]:
    from torchvision import models

    modules: list[Any] = [models, models.segmentation, models.video, models.optical_flow]
    for name in (name for module in modules for name in models.list_models(module=module)):
        sizes: list[tuple[int, ...]] = [(3, 224, 224)]
        if name.startswith("raft"):
            sizes = [(3, 128, 128)] * 2
        elif name.startswith(VIDEO):
            sizes = [(3, 16, 224, 224)]
        elif name == "inception_v3":
            sizes = [(3, 299, 299)]
        yield Subject(name, partial(_make, name), [torch.zeros(1, *size, device="meta") for size in sizes])
