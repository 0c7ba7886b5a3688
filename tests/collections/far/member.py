"""What a far model is: how it is made, and what it is run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Member(NamedTuple):
    """As in `Subject`, without the name; those of `named` in `unbatched` have no batch axis."""

    make: Callable[[], nn.Module]
    inputs: tuple[Any, ...] = ()
    named: Mapping[str, Any] = {}
    unbatched: tuple[str, ...] = ()


def made_of(library: str, name: str, **fields: Any) -> Callable[[], nn.Module]:
    """The class (or function) of that name in the library, which is imported when the model is made."""

    def make() -> nn.Module:
        return getattr(import_module(library), name)(**fields)

    return make


def floats(*sizes: int) -> Tensor:
    """An example for a sample of these sizes."""
    return torch.zeros(1, *sizes)


def ids(*sizes: int) -> Tensor:
    return torch.zeros(1, *sizes, dtype=torch.int64)
