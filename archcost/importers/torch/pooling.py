"""Pools, and their reverse."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, RuleFunction, one, rule_for, rule_of
from archcost.layers import LAYERS, Layer


def _max_pool(kind: type[Layer]) -> RuleFunction:
    """Whether indices are asked for, the result says: torch has a call of its own for it."""
    derived = rule_of(kind).function

    def rule(
        result: Any,
        x: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Proposal | None:
        return derived(result, x, kernel_size, stride, padding, ceil_mode, dilation, isinstance(result, tuple))

    return rule


def _adaptive(type_: str) -> RuleFunction:
    def rule(result: Any, x: Tensor, output_size: Any, return_indices: bool = False) -> Proposal:
        values = cast("Tensor", result[0] if isinstance(result, tuple) else result)
        ndim = int(type_[-2])
        fields: dict[str, Any] = {"output_size": one(tuple(values.shape[-ndim:]))}
        if isinstance(result, tuple):
            fields["return_indices"] = True
        return Proposal(type_, (x,), fields)

    return rule


def _unpool(kind: type[Layer], ndim: int) -> RuleFunction:
    derived = rule_of(kind).function

    def rule(
        result: Tensor,
        x: Tensor,
        indices: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
    ) -> Proposal | None:
        return derived(result, x, indices, kernel_size, stride, padding, list(result.shape[-ndim:]))

    return rule


for _ndim in (1, 2, 3):
    rule_for(f"max_pool{_ndim}d", f"max_pool{_ndim}d_with_indices")(_max_pool(LAYERS[f"max_pool{_ndim}d"]))
    rule_for(f"max_unpool{_ndim}d")(_unpool(LAYERS[f"max_unpool{_ndim}d"], _ndim))
    for _kind in ("avg", "max"):
        _type = f"adaptive_{_kind}_pool{_ndim}d"
        rule_for(_type, f"_{_type}", f"{_type}_with_indices")(_adaptive(_type))
