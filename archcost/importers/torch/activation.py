"""Activations whose arguments are no fields of a layer as they stand."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import (
    Proposal,
    overwriting,
    rule_for,
)


@rule_for("hardtanh")
def hardtanh(result: Tensor, x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Proposal:
    if (min_val, max_val) == (0, 6):  # all that torch.nn.ReLU6 is
        return Proposal("relu6", (x,), overwriting(inplace))
    return Proposal("hardtanh", (x,), {"min_val": float(min_val), "max_val": float(max_val), **overwriting(inplace)})


@rule_for("rrelu")
def rrelu(
    result: Tensor,
    x: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
    **named: Any,
) -> Proposal:
    """Whether slopes are drawn, no cost depends on."""
    return Proposal("rrelu", (x,), {"lower": float(lower), "upper": float(upper), **overwriting(inplace)})


@rule_for("prelu")
def prelu(result: Tensor, x: Tensor, weight: Tensor) -> Proposal | None:
    if weight.dim() != 1:
        return None
    return Proposal("prelu", (x,), {"num_parameters": weight.numel()}, {"weight": weight})


def _softmax(type_: str) -> None:
    def rule(result: Tensor, x: Tensor, dim: int | None = None, *rest: Any, **named: Any) -> Proposal | None:
        return None if dim is None or result.dtype != x.dtype else Proposal(type_, (x,), {"dim": dim})

    rule_for(type_, f"aten::_{type_}", f"aten::{type_}", f"aten::_safe_{type_}")(rule)


_softmax("softmax")


_softmax("log_softmax")
