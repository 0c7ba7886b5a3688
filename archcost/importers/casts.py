"""Calls that cast or move a tensor: the dtype that they request, and where the code has it from."""

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
"""Methods that move a tensor to a device. There is one device here, so they return the tensor itself."""

NAMED: Mapping[str, torch.dtype] = {
    "float": torch.float32,
    "double": torch.float64,
    "half": torch.float16,
    "bfloat16": torch.bfloat16,
}
"""Methods named after a dtype."""


@dataclass(frozen=True, slots=True)
class RequestedCast:
    """What a call requests: `dtype` (None: as it is), and with `copy` a copy in any case. `like` is the tensor whose
    dtype it is, `is_named` whether the dtype is in the name of the call.
    """

    dtype: torch.dtype | None = None
    like: Tensor | None = None
    is_named: bool = False
    copy: bool = False

    def of(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.dtype or tensor.dtype, copy=self.copy)


def requested_cast(name: str, args: Any, kwargs: Mapping[str, Any]) -> RequestedCast | None:
    """What the call requests; None where it casts nothing (`x.type()` only returns a name)."""
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
    """The dtype of `torch.cuda.FloatTensor` and the like, given as a name or a class."""
    name = word if isinstance(word, str) else f"{word.__module__}.{word.__name__}"
    return torch.empty(0, device="cpu").type(f"torch.{name.rpartition('.')[2]}").dtype


Variable = tuple[int, str]
"""A local variable: the frame that it is in, by identity, and its name."""


class DtypeSource(NamedTuple):
    """Where the code has a dtype from: a name (`torch.float32`), an attribute (`y.dtype`) or a local variable."""

    by_name: bool = False
    by_question: bool = False
    variable: Variable | None = None


def dtype_source() -> DtypeSource:
    """Where the last argument of the current call comes from, by the bytecode of the user's function."""
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
    """The local variable to which the user's code is about to assign the attribute that it asks for."""
    frame = _frame_of_user()
    if frame is None:
        return None
    match _instructions_around(frame.f_code, frame.f_lasti)[1]:
        case ("STORE_FAST" | "STORE_DEREF", name):
            return (id(frame), str(name))
        case _:
            return None


def _frame_of_user() -> FrameType | None:
    """The innermost frame of neither torch nor the importer."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("archcost.importers", "torch.")):
        frame = frame.f_back
    return frame


Instruction = tuple[str, object]
BETWEEN = frozenset(["PRECALL", "KW_NAMES", "CACHE", "PUSH_NULL"])


@lru_cache(maxsize=10_000)
def _instructions_around(code: CodeType, offset: int) -> tuple[Instruction, Instruction]:
    """The bytecode instructions before and after the one at an offset."""
    before, found = ("", None), False
    for each in dis.get_instructions(code):
        if found:
            return before, (each.opname, each.argval)
        if each.offset == offset:
            found = True
        elif each.opname not in BETWEEN:
            before = (each.opname, each.argval)
    return before, ("", None)
