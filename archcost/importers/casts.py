"""Calls that cast a tensor or move it, and what they ask for."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

import torch
from torch import Tensor

MOVES = frozenset(["cpu", "cuda", "xpu", "npu", "hpu", "ipu", "pin_memory", "share_memory_"])
"""Methods that hand out the tensor itself where it is there already."""

NAMED: Mapping[str, torch.dtype] = {
    "float": torch.float32,
    "double": torch.float64,
    "half": torch.float16,
    "bfloat16": torch.bfloat16,
}
"""Methods that are called as the dtype."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call makes of its first argument: in `dtype`, or in its own where that is None; a copy in any case with
    `copy`. `like` is the tensor whose dtype it is; `is_named` says that it is written in the call's name.

    A move to another device is none here: there is one device.
    """

    dtype: torch.dtype | None = None
    like: Tensor | None = None
    is_named: bool = False
    copy: bool = False

    def of(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.dtype or tensor.dtype, copy=self.copy)


def wanted(name: str, args: Any, kwargs: Mapping[str, Any]) -> Wanted | None:
    """What the call asks for; None where it casts nothing (`x.type()` only tells)."""
    given = [*args[1:], *kwargs.values()]
    if name in NAMED:
        return Wanted(NAMED[name], is_named=True)
    if name in MOVES:
        return Wanted()
    dtypes = [value for value in given if isinstance(value, torch.dtype)]
    tensors = [value for value in given if isinstance(value, Tensor)]
    if name == "type":
        return Wanted(dtypes[0] if dtypes else _typed(given[0])) if given else None
    flags = [value for value in args[1:] if isinstance(value, bool)]  # non_blocking, copy
    copy = bool(kwargs.get("copy", flags[1:2] == [True]))
    if dtypes:
        return Wanted(dtypes[0], copy=copy)
    return Wanted(tensors[0].dtype, tensors[0], copy=copy) if tensors else Wanted(copy=copy)


def _typed(word: Any) -> torch.dtype:
    """What "torch.cuda.FloatTensor" is on a CPU, or the class of that name."""
    name = word if isinstance(word, str) else f"{word.__module__}.{word.__name__}"
    return torch.empty(0, device="cpu").type(f"torch.{name.rpartition('.')[2]}").dtype


def is_literal(dtype: torch.dtype | None) -> bool:
    """Whether the call that casts is written with the dtype's name, `torch.float32`, as its last argument."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("archcost.importers", "torch.")):
        frame = frame.f_back
    if frame is None:
        return False
    loaded = _loaded_before(frame.f_code, frame.f_lasti)
    return loaded == str(dtype).removeprefix("torch.")


@lru_cache(maxsize=10_000)
def _loaded_before(code: CodeType, offset: int) -> str:
    """What the instruction before the call at that offset loads, if it is an attribute or a global."""
    loaded = ""
    for each in dis.get_instructions(code):
        if each.offset >= offset:
            return loaded
        if each.opname not in ("PRECALL", "KW_NAMES", "CACHE", "PUSH_NULL", "CALL"):
            loaded = str(each.argval) if each.opname in ("LOAD_ATTR", "LOAD_GLOBAL", "LOAD_NAME") else ""
    return loaded
