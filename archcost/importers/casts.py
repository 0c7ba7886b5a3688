"""Calls that cast a tensor or move it, and what they ask for."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor

DEVICE_MOVES = frozenset(["cpu", "cuda", "xpu", "npu", "hpu", "ipu", "pin_memory", "share_memory_"])
"""Methods that hand out the tensor itself where it is there already."""

NAMED: Mapping[str, torch.dtype] = {
    "float": torch.float32,
    "double": torch.float64,
    "half": torch.float16,
    "bfloat16": torch.bfloat16,
}
"""Methods that are called as the dtype."""


@dataclass(frozen=True, slots=True)
class RequestedCast:
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


def requested_cast(name: str, args: Any, kwargs: Mapping[str, Any]) -> RequestedCast | None:
    """What the call asks for; None where it casts nothing (`x.type()` only tells)."""
    given = [*args[1:], *kwargs.values()]
    if name in NAMED:
        return RequestedCast(NAMED[name], is_named=True)
    if name in DEVICE_MOVES:
        return RequestedCast()
    dtypes = [value for value in given if isinstance(value, torch.dtype)]
    tensors = [value for value in given if isinstance(value, Tensor)]
    if name == "type":
        return RequestedCast(dtypes[0] if dtypes else _typed(given[0])) if given else None
    flags = [value for value in args[1:] if isinstance(value, bool)]  # non_blocking, copy
    copy = bool(kwargs.get("copy", flags[1:2] == [True]))
    if dtypes:
        return RequestedCast(dtypes[0], copy=copy)
    return RequestedCast(tensors[0].dtype, tensors[0], copy=copy) if tensors else RequestedCast(copy=copy)


def _typed(word: Any) -> torch.dtype:
    """What "torch.cuda.FloatTensor" is on a CPU, or the class of that name."""
    name = word if isinstance(word, str) else f"{word.__module__}.{word.__name__}"
    return torch.empty(0, device="cpu").type(f"torch.{name.rpartition('.')[2]}").dtype


Variable = tuple[int, str]
"""A local variable: the frame that it is in, by identity, and its name."""


class DtypeSource(NamedTuple):
    """How a call spells the dtype it wants: by a name (`torch.float32`), by a question (`y.dtype`) or by a variable."""

    by_name: bool = False
    by_question: bool = False
    variable: Variable | None = None


def dtype_source() -> DtypeSource:
    """What the user's code hands to the call that is under way as its last argument, as far as that can be read."""
    frame = _frame_of_user()
    if frame is None:
        return DtypeSource()
    loaded = _instructions_around(frame.f_code, frame.f_lasti)[0]
    match loaded:
        case ("LOAD_ATTR", "dtype"):
            return DtypeSource(by_question=True)
        case ("LOAD_ATTR" | "LOAD_GLOBAL", name) if isinstance(getattr(torch, str(name), None), torch.dtype):
            return DtypeSource(by_name=True)
        case ("LOAD_FAST" | "LOAD_DEREF" | "LOAD_CLOSURE", name):
            return DtypeSource(variable=(id(frame), str(name)))
        case _:
            return DtypeSource()


def variable_assigned() -> Variable | None:
    """The variable that the user's code is about to put the attribute into that it is asking for."""
    frame = _frame_of_user()
    if frame is None:
        return None
    match _instructions_around(frame.f_code, frame.f_lasti)[1]:
        case ("STORE_FAST" | "STORE_DEREF", name):
            return (id(frame), str(name))
        case _:
            return None


def _frame_of_user() -> FrameType | None:
    """The innermost that is none of torch's own or of the importer's."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("archcost.importers", "torch.")):
        frame = frame.f_back
    return frame


Instruction = tuple[str, object]
BETWEEN = frozenset(["PRECALL", "KW_NAMES", "CACHE", "PUSH_NULL"])


@lru_cache(maxsize=10_000)
def _instructions_around(code: CodeType, offset: int) -> tuple[Instruction, Instruction]:
    """The instructions before and after the one at that offset."""
    before, found = ("", None), False
    for each in dis.get_instructions(code):
        if found:
            return before, (each.opname, each.argval)
        if each.offset == offset:
            found = True
        elif each.opname not in BETWEEN:
            before = (each.opname, each.argval)
    return before, ("", None)
