"""Convolutions, and patches of images."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from archcost.importers.torch.proposal import Proposal, RuleFunction, one, rule_for, rule_of
from archcost.layers import Fold


def _fields(weight: Tensor, bias: Tensor | None, groups: int, **sizes: Any) -> dict[str, Any]:
    given = {name: one(each) for name, each in {"kernel_size": weight.shape[2:], **sizes}.items()}
    return {**given, "groups": groups, "bias": bias is not None}


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
        fields = _fields(weight, bias, groups, stride=stride, padding=padding, dilation=dilation)
        fields["out_channels"] = weight.shape[0]
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
        sizes = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
        fields = {**_fields(weight, bias, groups, **sizes), "out_channels": weight.shape[1] * groups}
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


@rule_for("col2im")
def col2im(result: Tensor, x: Tensor, output_size: Any, *given: Any, **named: Any) -> Proposal | None:
    return rule_of(Fold).function(result, x, *given, output_size=output_size, **named)


MEANT: dict[Any, str] = {
    functional.unfold: "im2col",
    functional.fold: "col2im",
}
"""Functions whose name means something else elsewhere."""
