"""Compiled parts of libraries that do not load beside a CPU build of torch. Declared, they import; none is run."""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import Any

import torch


@cache
def declare_operators() -> Any:
    """Of torchvision, its operators; of torchaudio, that its extension is not there."""
    extension = ModuleType("torchaudio._extension")
    vars(extension).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=lambda function: function
    )
    sys.modules["torchaudio._extension"] = extension
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
