"""Convolutions, and patches of images."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from archcost.importers.torch.proposal import Proposal, RuleFunction, one, rule_for


def _convolution(ndim: int) -> RuleFunction:
    def rule(
        result: Tensor,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Proposal:
        fields = {
            "out_channels": weight.shape[0],
            "kernel_size": one(weight.shape[2:]),
            "stride": one(stride),
            "padding": one(padding),
            "dilation": one(dilation),
            "groups": groups,
            "bias": bias is not None,
        }
        return Proposal(f"conv{ndim}d", (x,), fields, {"weight": weight, "bias": bias})

    return rule


def _transposed(ndim: int) -> RuleFunction:
    def rule(
        result: Tensor,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Proposal:
        fields = {
            "out_channels": weight.shape[1] * groups,
            "kernel_size": one(weight.shape[2:]),
            "stride": one(stride),
            "padding": one(padding),
            "output_padding": one(output_padding),
            "dilation": one(dilation),
            "groups": groups,
            "bias": bias is not None,
        }
        return Proposal(f"conv_transpose{ndim}d", (x,), fields, {"weight": weight, "bias": bias})

    return rule


for _ndim in (1, 2, 3):
    rule_for(f"conv{_ndim}d")(_convolution(_ndim))
    rule_for(f"conv_transpose{_ndim}d")(_transposed(_ndim))


@rule_for("aten::convolution")
def convolution(
    result: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Proposal | None:
    ndim = weight.dim() - 2
    if transposed:
        return _transposed(ndim)(result, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolution(ndim)(result, x, weight, bias, stride, padding, dilation, groups)


@rule_for("im2col")
def im2col(
    result: Tensor, x: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Proposal | None:
    fields = {
        "kernel_size": one(kernel_size),
        "dilation": one(dilation),
        "padding": one(padding),
        "stride": one(stride),
    }
    return Proposal("unfold", (x,), fields)


@rule_for("col2im")
def col2im(
    result: Tensor,
    x: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Proposal | None:
    fields = {
        "kernel_size": one(kernel_size),
        "dilation": one(dilation),
        "padding": one(padding),
        "stride": one(stride),
    }
    return Proposal("fold", (x,), {**fields, "output_size": one(output_size)})


MEANT: dict[Any, str] = {
    functional.unfold: "im2col",
    functional.fold: "col2im",
}
"""Functions whose name means something else elsewhere."""
