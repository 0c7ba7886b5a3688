"""torchvision's models for classification, segmentation, video and optical flow. Detection looks at values."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import torch
from torch import nn

from tests.collections.compare import Subject

RUNS = 4 * 10**9
"""FLOPs forward up to which a model is also run."""

VIDEO = ("r3d", "mc3", "r2plus1d", "s3d", "mvit", "swin3d")


@cache
def declare_operators() -> Any:
    """torchvision's compiled operators do not load beside a CPU build of torch. Declared, it imports; none is run."""
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def names() -> list[str]:
    declare_operators()
    from torchvision import models

    modules: list[Any] = [models, models.segmentation, models.video, models.optical_flow]
    return [name for module in modules for name in models.list_models(module=module)]


def _make(name: str, device: str) -> nn.Module:
    from torchvision.models import get_model, list_models, segmentation

    backbone: dict[str, Any] = {"weights_backbone": None} if name in list_models(module=segmentation) else {}
    return get_model(name, weights=None, **backbone)


def subject(name: str) -> Subject:
    declare_operators()
    sizes: list[tuple[int, ...]] = [(3, 224, 224)]
    if name.startswith("raft"):
        sizes = [(3, 128, 128)] * 2
    elif name.startswith(VIDEO):
        sizes = [(3, 16, 224, 224)]
    elif name == "inception_v3":
        sizes = [(3, 299, 299)]
    return Subject(name, partial(_make, name), [torch.zeros(1, *size, device="meta") for size in sizes])
