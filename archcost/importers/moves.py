"""Moves of a tensor to another device, which are none here: what archcost counts stands on one device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_MOVED = "to cpu cuda xpu npu hpu ipu pin_memory share_memory_"
MOVES = frozenset(_MOVED.split())
"""Methods that hand out the tensor itself where it is there already."""


def without_device(name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The same as arguments of `Tensor.to`, without where to: a dtype, and `copy` where a copy is asked for."""
    tensor, *given = args
    dtype: torch.dtype = tensor.dtype
    flags: list[bool] = []
    for value in (*given, *kwargs.values()) if name == "to" else ():
        if isinstance(value, torch.dtype):
            dtype = value
        elif isinstance(value, Tensor):
            dtype = value.dtype
    if name == "to":  # to(…, non_blocking, copy)
        flags = [value for value in given if isinstance(value, bool)]
    copies = kwargs.get("copy", False) or (len(flags) > 1 and flags[1])
    return (tensor, dtype), {"copy": True} if copies else {}


def type_named(tensor: Tensor, wanted: Any = None) -> str | torch.dtype:
    """What `tensor.type(…)` means: the name of its own type on a CPU, or the dtype of "torch.cuda.FloatTensor"."""
    if wanted is None:
        return torch.empty(0, dtype=tensor.dtype, device="cpu").type()
    if isinstance(wanted, torch.dtype):
        return wanted
    word = wanted if isinstance(wanted, str) else f"{wanted.__module__}.{wanted.__name__}"
    return torch.empty(0, device="cpu").type(f"torch.{word.rpartition('.')[2]}").dtype
