"""Layers that differ in their number of spatial axes alone, as torch has them: Conv1d, Conv2d, Conv3d."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from archcost.layers.base import Layer
from archcost.layers.card import Card
from archcost.layers.rows import row

Base = TypeVar("Base", bound=Layer)

CardOf = Callable[[str, int], Card]
"""Makes a card of the class's name in torch and the number of axes."""


def twin(module: str, base: type[Base], name: str, ndim: int, card: CardOf) -> type[Base]:
    """The class of layers `name` in `module`, for `ndim` axes; its type is the name as it stands in a spec."""
    return row(module, base, name, type_of(name), None, card(name, ndim), prefix=base.prefix, ndim=ndim)


def twins(module: str, base: type[Base], name: str, card: CardOf) -> tuple[type[Base], type[Base], type[Base]]:
    """Those of 1, 2 and 3 axes: `name` is what stands before the number."""
    first, second, third = (twin(module, base, f"{name}{ndim}d", ndim, card) for ndim in (1, 2, 3))
    return first, second, third


def type_of(name: str) -> str:
    """`ConvTranspose2d` is conv_transpose2d."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
