"""Comparisons, logic, and choices by a mask, whose arguments are no fields of a layer as they stand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archcost.importers.torch.proposal import Proposal, composite, finite, overwriting, rule_for
from archcost.layers import LAYERS


def _comparison(type_: str) -> None:
    def rule(result: Tensor, x: Tensor, other: Any) -> Proposal | None:
        if isinstance(other, Tensor):
            return Proposal(type_, (x, other))
        return Proposal(type_, (x,), {"other": finite(other)}) if isinstance(other, (bool, int, float)) else None

    rule_for(*LAYERS[type_].card.calls)(rule)


for _type in ("eq", "ne", "lt", "le", "gt", "ge"):
    _comparison(_type)


def _truth(type_: str, *names: str) -> None:
    """Bits of truth values."""

    def rule(result: Tensor, x: Any, y: Any) -> Proposal | None:
        both = isinstance(x, Tensor) and isinstance(y, Tensor) and x.dtype == y.dtype == torch.bool
        return Proposal(type_, (x, y)) if both else None

    rule_for(*names)(rule)


_truth("logical_and", "and", "bitwise_and", "rand", "iand")
_truth("logical_or", "or", "bitwise_or", "ror", "ior")


@rule_for("bitwise_not", "invert")
def bitwise_not(result: Tensor, x: Tensor) -> Proposal | None:
    return Proposal("logical_not", (x,)) if x.dtype == torch.bool else None


@rule_for("where")
def where(result: Tensor, condition: Tensor, x: Any = None, y: Any = None) -> Proposal | None:
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        return None
    return Proposal("where", (condition, x, y))


@rule_for("masked_fill")
def masked_fill(result: Tensor, x: Tensor, mask: Tensor, value: Any, inplace: bool = False) -> Proposal | None:
    if isinstance(value, Tensor):
        return None
    return Proposal("masked_fill", (x, mask), {"value": finite(value), **overwriting(inplace)})


@composite("isposinf")
def isposinf(x: Tensor) -> Tensor:
    return x == float("inf")


@composite("isneginf")
def isneginf(x: Tensor) -> Tensor:
    return x == -float("inf")


@composite("signbit")
def signbit(x: Tensor) -> Tensor:
    return x < 0
