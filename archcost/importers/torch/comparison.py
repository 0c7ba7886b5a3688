"""Comparisons, logic, and choices by a mask."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archcost.importers.torch.proposal import (
    Proposal,
    RuleFunction,
    finite,
    overwriting,
    rule_for,
)


def _one(type_: str) -> RuleFunction:
    def rule(result: Tensor, x: Tensor) -> Proposal:
        return Proposal(type_, (x,))

    return rule


for _type in ("logical_not", "isnan", "isinf", "isfinite"):
    rule_for(_type)(_one(_type))


def _pairs(type_: str) -> None:
    def rule(result: Tensor, x: Any, y: Any) -> Proposal | None:
        return Proposal(type_, (x, y)) if isinstance(x, Tensor) and isinstance(y, Tensor) else None

    rule_for(type_)(rule)


@rule_for("bitwise_not", "invert")
def bitwise_not(result: Tensor, x: Tensor) -> Proposal | None:
    return Proposal("logical_not", (x,)) if x.dtype == torch.bool else None


for _type in ("logical_and", "logical_or", "logical_xor"):
    _pairs(_type)


def _truth(type_: str, *names: str) -> None:
    def rule(result: Tensor, x: Any, y: Any) -> Proposal | None:
        both = isinstance(x, Tensor) and isinstance(y, Tensor) and x.dtype == y.dtype == torch.bool
        return Proposal(type_, (x, y)) if both else None

    rule_for(*names)(rule)


_truth("logical_and", "and", "bitwise_and", "rand", "iand")


_truth("logical_or", "or", "bitwise_or", "ror", "ior")


def _comparison(type_: str, *names: str) -> None:
    def rule(result: Tensor, x: Tensor, other: Any) -> Proposal | None:
        if isinstance(other, Tensor):
            return Proposal(type_, (x, other))
        return Proposal(type_, (x,), {"other": finite(other)}) if isinstance(other, (bool, int, float)) else None

    rule_for(type_, *names)(rule)


_comparison("eq")


_comparison("ne", "not_equal")


_comparison("lt", "less")


_comparison("le", "less_equal")


_comparison("gt", "greater")


_comparison("ge", "greater_equal")


@rule_for("where")
def where(result: Tensor, condition: Tensor, x: Any = None, y: Any = None) -> Proposal | None:
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        return None
    return Proposal("where", (condition, x, y))


@rule_for("masked_fill")
def masked_fill(result: Tensor, x: Tensor, mask: Tensor, value: Any, inplace: bool = False) -> Proposal | None:
    if isinstance(value, Tensor):
        return None
    if value in (float("inf"), float("-inf")):
        value = 3e38 if value > 0 else -3e38  # a spec holds no infinity, and no cost depends on the value
    return Proposal("masked_fill", (x, mask), {"value": float(value), **overwriting(inplace)})
