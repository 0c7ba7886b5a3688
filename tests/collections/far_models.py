"""Models of eight libraries beside torchvision, timm and transformers, each named as `library: model`."""

from __future__ import annotations

import warnings
from functools import cache, partial
from importlib import import_module

from torch import nn

from tests.collections import finding
from tests.collections.compare import Subject
from tests.collections.compiled import declare_operators
from tests.collections.far.member import Member

PRECISIONS = finding.PRECISIONS
RUNS = 10**11
"""FLOPs forward up to which a model is also run."""

LIBRARIES = {
    "diffusers": "diffusers_models",
    "segmentation_models_pytorch": "smp_models",
    "torchaudio": "torchaudio_models",
    "ultralytics": "ultralytics_models",
    "open_clip": "open_clip_models",
    "kornia": "kornia_models",
    "torch_geometric": "torch_geometric_models",
    "peft": "peft_models",
}


@cache
def _members() -> dict[str, Member]:
    declare_operators()
    warnings.filterwarnings("ignore")
    return {
        f"{library}: {name}": member
        for library, file in LIBRARIES.items()
        for name, member in import_module(f"tests.collections.far.{file}").MODELS.items()
    }


def names() -> list[str]:
    return list(_members())


def _make(name: str) -> nn.Module:
    return _members()[name].make()


def subject(name: str) -> Subject:
    member = _members()[name]
    return Subject(name, partial(_make, name), member.inputs, member.named, member.unbatched, on_meta=False)
