"""Functions of each value whose arguments are no fields of a layer as they stand."""

from __future__ import annotations

from math import pi
from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import (
    Proposal,
    is_number,
    overwriting,
    rule_for,
)


@rule_for("deg2rad")
def deg2rad(result: Tensor, x: Tensor, inplace: bool = False) -> Proposal | None:
    return _turned(result, x, pi / 180, inplace)


@rule_for("rad2deg")
def rad2deg(result: Tensor, x: Tensor, inplace: bool = False) -> Proposal | None:
    return _turned(result, x, 180 / pi, inplace)


def _turned(result: Tensor, x: Tensor, factor: float, inplace: bool) -> Proposal:
    return Proposal("scale", (x,), {"factor": factor, **overwriting(inplace)})


@rule_for("polygamma", "special_polygamma")
def polygamma(result: Tensor, n: Any, x: Any, inplace: bool = False) -> Proposal:
    """The order comes first, but for the method."""
    tensor, order = (n, x) if isinstance(n, Tensor) else (x, n)
    return Proposal("polygamma", (tensor,), {"n": order, **overwriting(inplace)})


@rule_for("round")
def round_(result: Tensor, x: Tensor, *, decimals: int = 0, inplace: bool = False) -> Proposal:
    return Proposal("round", (x,), {**({"decimals": decimals} if decimals else {}), **overwriting(inplace)})


@rule_for("nan_to_num")
def nan_to_num(result: Tensor, x: Tensor, *replacements: float | None, **named: float | None) -> Proposal:
    """By which numbers, no cost depends on."""
    return Proposal("nan_to_num", (x,))


@rule_for("clamp", "clip")
def clamp(result: Tensor, x: Tensor, min: Any = None, max: Any = None, inplace: bool = False) -> Proposal | None:
    given: list[tuple[str, Any]] = [(key, bound) for key, bound in (("min", min), ("max", max)) if bound is not None]
    if inplace:
        given = [(key, 0.0 if _is_constant_number(bound) else bound) for key, bound in given]
    if given and all(isinstance(bound, Tensor) for _, bound in given) and not inplace:
        bounds = "both" if len(given) == 2 else given[0][0]
        return Proposal("clamp_tensor", (x, *(bound for _, bound in given)), {"bounds": bounds})
    if not all(is_number(bound) for _, bound in given):
        return None
    bounds = {key: bound for key, bound in given if abs(bound) != float("inf")}
    if not bounds:
        return Proposal("clone", (x,))
    return Proposal("clamp", (x,), {**bounds, **overwriting(inplace)})


def _is_constant_number(bound: Any) -> bool:
    """Whether it is a tensor of one number that gets no gradient: which number, no cost depends on."""
    return isinstance(bound, Tensor) and not bound.dim() and not bound.requires_grad


@rule_for("clamp_min", "clip_min")
def clamp_min(result: Tensor, x: Tensor, min: Any, inplace: bool = False) -> Proposal | None:
    return clamp(result, x, min=min, inplace=inplace)


@rule_for("clamp_max")
def clamp_max(result: Tensor, x: Tensor, max: Any, inplace: bool = False) -> Proposal | None:
    return clamp(result, x, max=max, inplace=inplace)


@rule_for("square")
def square(result: Tensor, x: Tensor, inplace: bool = False) -> Proposal:
    return Proposal("pow", (x,), {"exponent": 2.0, **overwriting(inplace)})
