"""All of timm's models, at the input size of their configuration, on the meta device."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial

import torch
from torch import nn

from tests.collections.compare import Subject
from tests.collections.torchvision_models import VIDEO

assert VIDEO  # torchvision's operators are declared there, and timm imports torchvision


def _make(name: str) -> nn.Module:
    import timm

    try:
        with torch.device("meta"):
            return timm.create_model(name, pretrained=False)
    except (NotImplementedError, RuntimeError):  # it looks at values while it is built
        return timm.create_model(name, pretrained=False)


def subjects() -> Iterator[Subject]:
    warnings.filterwarnings("ignore")
    import timm

    for name in timm.list_models():
        config = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
        size = config.input_size if config is not None else (3, 224, 224)
        yield Subject(name, partial(_make, name), [torch.zeros(1, *size, device="meta")])
