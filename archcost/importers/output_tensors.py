"""The tensors in what a module returns: those in containers, in order, then those that other objects refer to."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Mapping, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, cast

import torch
from torch import Tensor, nn

NOT_SEARCHED = (
    str,
    bytes,
    int,
    float,
    complex,
    type,
    ModuleType,
    BuiltinFunctionType,
    nn.Module,
    torch.dtype,
    torch.device,
)
MOST_OBJECTS = 100_000


def tensors_of(result: Any) -> list[Tensor]:
    """Each tensor once: those in tuples, lists, dicts and dataclasses in order, then those that other objects refer to
    (a cache of keys and values, say), as Python's garbage collector sees it.
    """
    found = {id(tensor): tensor for tensor in flat_tensors(result)}
    if not isinstance(result, Tensor):
        found |= {id(tensor): tensor for tensor in _tensors_held_by(result) if id(tensor) not in found}
    return list(found.values())


def flat_tensors(value: Any) -> list[Tensor]:
    """The tensors in nested containers, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        entries: Any = cast("Mapping[Any, Any]", value).values()
    elif isinstance(value, (list, tuple)):
        entries = cast("Sequence[Any]", value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        entries = [getattr(value, each.name) for each in dataclasses.fields(value)]
    else:
        return []
    return [tensor for entry in entries for tensor in flat_tensors(entry)]


def _tensors_held_by(result: Any) -> list[Tensor]:
    """Breadth first over references. Modules and classes are not searched, as what they hold is not returned."""
    found: list[Tensor] = []
    seen: set[int] = set()
    waiting: list[Any] = [result]
    for each in waiting:
        if id(each) in seen or isinstance(each, NOT_SEARCHED) or len(seen) > MOST_OBJECTS:
            continue
        seen.add(id(each))
        if isinstance(each, Tensor):
            found.append(each)
        elif isinstance(each, FunctionType):
            waiting += [*(each.__closure__ or ()), *(each.__defaults__ or ())]
        elif isinstance(each, MethodType):
            waiting.append(each.__self__)
        else:
            waiting += gc.get_referents(each)
    return found
