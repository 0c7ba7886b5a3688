"""All of timm's models, at the input size of their configuration."""

from __future__ import annotations

import warnings
from functools import partial

import torch
from torch import nn

from tests.collections.compare import Subject
from tests.collections.compiled import declare_operators

RUNS = 4 * 10**9
"""FLOPs forward up to which a model is also run."""


def names() -> list[str]:
    declare_operators()  # timm imports torchvision
    import timm

    return timm.list_models()


def _make(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, pretrained=False)


def subject(name: str) -> Subject:
    declare_operators()
    warnings.filterwarnings("ignore")
    import timm

    config = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
    size = config.input_size if config is not None else (3, 224, 224)
    return Subject(name, partial(_make, name), [torch.zeros(1, *size, device="meta")])
