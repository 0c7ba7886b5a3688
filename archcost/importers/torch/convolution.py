"""Convolutions, what backward of an autograd.Function asks for of them, and patches of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from archcost.errors import ArchcostError
from archcost.importers.torch.proposal import Proposal, RuleFunction, composite, one, rule_for, rule_of, samples_in
from archcost.layers import Fold


def _fields(weight: Tensor, bias: Tensor | None, groups: int, **sizes: Any) -> dict[str, Any]:
    given = {name: one(each) for name, each in {"kernel_size": weight.shape[2:], **sizes}.items()}
    return {**given, "groups": groups, "bias": bias is not None}


def _given(*tensors: Tensor | None) -> tuple[Tensor, ...]:
    """Without a bias that there is not. Kernels of each sample are no weights, but tensors that arrive."""
    return tuple([tensor for tensor in tensors if tensor is not None])


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
        if samples_in(groups):
            sizes = {"stride": one(stride), "padding": one(padding), "dilation": one(dilation)}
            return Proposal(f"dynamic_conv{ndim}d", _given(x, weight, bias), sizes)
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
        if samples_in(groups):
            fields = {name: one(each) for name, each in sizes.items()} | {"group_channels": weight.shape[0] // groups}
            return Proposal(f"dynamic_conv_transpose{ndim}d", _given(x, weight, bias), fields)
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


@rule_for("deform_conv2d", "torchvision::deform_conv2d")
def deform_conv2d(
    result: Tensor,
    x: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor,
    bias: Tensor,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
    offset_groups: int,
    use_mask: bool,
) -> Proposal:
    """Where there is no bias, zeros of as many are added."""
    sizes = {"stride": (stride_h, stride_w), "padding": (pad_h, pad_w), "dilation": (dilation_h, dilation_w)}
    fields = {**_fields(weight, bias, groups, **sizes), "out_channels": weight.shape[0]}
    inputs = (x, offset, mask) if use_mask else (x, offset)
    return Proposal("deform_conv2d", inputs, fields, {"weight": weight, "bias": bias})


@rule_for("col2im")
def col2im(result: Tensor, x: Tensor, output_size: Any, *given: Any, **named: Any) -> Proposal | None:
    return rule_of(Fold).function(result, x, *given, output_size=output_size, **named)


MEANT: dict[Any, str] = {
    functional.unfold: "im2col",
    functional.fold: "col2im",
}
"""Functions whose name means something else elsewhere."""


MOST_GROUPS = 64
"""Of as many a convolution's weight gets its gradient one by one."""

Sizes = Sequence[int]


@composite("convolution_backward")
def convolution_backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Sizes | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
    output_mask: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """What `torch.nn.grad.conv2d_input` and the like call: convolutions of as many operations (im2col in reverse)."""
    ndim = weight.dim() - 2
    settings: Any = (tuple(stride), tuple(padding), tuple(dilation))
    return (
        _of_input(gradient, x, weight, settings, transposed, groups) if output_mask[0] else None,
        _of_weight(gradient, x, weight, settings, transposed, groups) if output_mask[1] else None,
        gradient.sum((0, *range(2, 2 + ndim))) if output_mask[2] else None,
    )


def _of_input(gradient: Tensor, x: Tensor, weight: Tensor, settings: Any, transposed: bool, groups: int) -> Tensor:
    stride, padding, dilation = settings
    ndim = weight.dim() - 2
    if transposed:
        convolve = getattr(functional, f"conv{ndim}d")
        return convolve(gradient, weight, None, stride, padding, dilation, groups)
    columns = zip(x.shape[2:], gradient.shape[2:], weight.shape[2:], *settings, strict=True)
    extra = [size - ((out - 1) * s - 2 * p + d * (k - 1) + 1) for size, out, k, s, p, d in columns]
    return getattr(functional, f"conv_transpose{ndim}d")(
        gradient, weight, None, stride, padding, extra, groups, dilation
    )


def _of_weight(gradient: Tensor, x: Tensor, weight: Tensor, settings: Any, transposed: bool, groups: int) -> Tensor:
    """Samples and channels change places, stride and dilation too. Raises ArchcostError for too many groups."""
    stride, padding, dilation = settings
    if groups > MOST_GROUPS:
        raise ArchcostError(
            "the gradient of a convolution's weight in groups has no rule",
            expected=f"at most {MOST_GROUPS} groups",
            found=str(groups),
        )
    wide, narrow = (gradient, x) if transposed else (x, gradient)
    columns = zip(wide.shape[2:], narrow.shape[2:], weight.shape[2:], *settings, strict=True)
    for axis, (size, out, k, s, p, d) in enumerate(columns, 2):
        rest = size + 2 * p - ((out - 1) * s + d * (k - 1) + 1)  # of the last stride, which no window reaches
        wide = wide.narrow(axis, 0, size - rest) if rest else wide
    convolve = getattr(functional, f"conv{weight.dim() - 2}d")
    pairs = zip(wide.chunk(groups, 1), narrow.chunk(groups, 1), strict=True) if groups > 1 else [(wide, narrow)]
    parts = [
        convolve(a.transpose(0, 1), b.transpose(0, 1), None, dilation, padding, stride).transpose(0, 1)
        for a, b in pairs
    ]
    return torch.cat(parts) if groups > 1 else parts[0]
