"""Pools, and their reverse."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, RuleFunction, one, rule_for


def _max_pool(ndim: int) -> RuleFunction:
    def rule(
        result: Any,
        x: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Proposal:
        fields: dict[str, Any] = {
            "kernel_size": one(kernel_size),
            "padding": one(padding),
            "dilation": one(dilation),
            "ceil_mode": ceil_mode,
        }
        if stride:
            fields["stride"] = one(stride)
        if isinstance(result, tuple):
            fields["return_indices"] = True
        return Proposal(f"max_pool{ndim}d", (x,), fields)

    return rule


def _avg_pool(ndim: int) -> RuleFunction:
    def rule(
        result: Tensor,
        x: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Proposal:
        fields: dict[str, Any] = {
            "kernel_size": one(kernel_size),
            "padding": one(padding),
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
        }
        if stride:
            fields["stride"] = one(stride)
        if divisor_override is not None:
            fields["divisor_override"] = divisor_override
        return Proposal(f"avg_pool{ndim}d", (x,), fields)

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


def _unpool(ndim: int) -> RuleFunction:
    def rule(
        result: Tensor,
        x: Tensor,
        indices: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
    ) -> Proposal:
        fields: dict[str, Any] = {"kernel_size": one(kernel_size), "padding": one(padding)}
        if stride:
            fields["stride"] = one(stride)
        fields["output_size"] = list(result.shape[-ndim:])
        return Proposal(f"max_unpool{ndim}d", (x, indices), fields)

    return rule


for _ndim in (1, 2, 3):
    rule_for(f"max_pool{_ndim}d", f"max_pool{_ndim}d_with_indices")(_max_pool(_ndim))
    rule_for(f"avg_pool{_ndim}d")(_avg_pool(_ndim))
    rule_for(f"max_unpool{_ndim}d")(_unpool(_ndim))
    for _kind in ("avg", "max"):
        rule_for(
            f"adaptive_{_kind}_pool{_ndim}d",
            f"_adaptive_{_kind}_pool{_ndim}d",
            f"adaptive_{_kind}_pool{_ndim}d_with_indices",
        )(_adaptive(f"adaptive_{_kind}_pool{_ndim}d"))
