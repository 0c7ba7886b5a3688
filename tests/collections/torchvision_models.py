"""torchvision's models for classification, segmentation, video and optical flow. Detection looks at values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

import archcost
from tests.collections.compare import Subject, made
from tests.collections.compiled import declare_operators

RUNS = 2 * 10**10
"""FLOPs forward up to which a model is also run."""

VIDEO = ("r3d", "mc3", "r2plus1d", "s3d", "mvit", "swin3d")


def names() -> list[str]:
    declare_operators()
    from torchvision import models

    modules: list[Any] = [models, models.segmentation, models.video, models.optical_flow]
    return [name for module in modules for name in models.list_models(module=module)]


def _make(name: str) -> nn.Module:
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


def published(name: str) -> dict[str, tuple[float, float]]:
    """What torchvision says of each of the trained weights of a model, behind what we count.

    Its operations are those of a batch of 1 in eval mode, of images made ready as for these weights and, in video, of
    16 frames (`get_ops` of its test/common_extended_utils.py).
    """
    declare_operators()
    from torchvision.models import get_model, get_model_weights

    found: dict[str, tuple[float, float]] = {}
    for weights in get_model_weights(name):
        with _nothing_loaded():
            module = made(partial(get_model, name, weights=weights)).eval()
        cost = archcost.cost(archcost.build(archcost.from_torch(module, *_prepared(name, weights)), batch=1))
        found[f"{weights.name} parameters"] = (cost.parameters, weights.meta["num_params"])
        found[f"{weights.name} 10⁹ MACs"] = (round(cost.macs / 1e9, 3), weights.meta["_ops"])
    return found


def _prepared(name: str, weights: Any) -> list[Tensor]:
    """Images that went through the transforms of these weights."""
    images = torch.zeros(1, 16, 3, 512, 512) if name.startswith(VIDEO) else torch.zeros(1, 3, 512, 512)
    prepared = weights.transforms()(*[images] * (2 if name.startswith("raft") else 1))
    return [each.to("meta") for each in (prepared if isinstance(prepared, tuple) else (prepared,))]


@contextmanager
def _nothing_loaded() -> Iterator[None]:
    """A model as it is made for trained weights, without them."""
    from torchvision.models import WeightsEnum

    nothing = mock.patch.object(WeightsEnum, "get_state_dict", return_value={})
    unloaded = mock.patch.object(nn.Module, "load_state_dict", return_value=None)
    with nothing, unloaded:
        yield
