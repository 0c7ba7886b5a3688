"""Convolutions and transposed convolutions in torch; `in_channels` is what arrives."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from archcost.layers import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    DeformConv2d,
    DynamicConv1d,
    DynamicConv2d,
    DynamicConv3d,
    DynamicConvTranspose1d,
    DynamicConvTranspose2d,
    DynamicConvTranspose3d,
    WeightedLayer,
)
from archcost.layers.checks import per_axis
from archcost.pytorch import deformable
from archcost.pytorch.layers.base import Inputs, function, mirrors, module_of, settings


@mirrors(Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
def convolution(layer: WeightedLayer, inputs: Inputs) -> nn.Module:
    return module_of(layer)(inputs[0].shape[1], **settings(layer, "weight"))


def convolved(x: Tensor, kernels: Tensor, bias: Tensor | None = None, **sizes: Any) -> Tensor:
    """As many groups as the channels that arrive have kernels."""
    convolve = getattr(functional, f"conv{x.dim() - 2}d")
    return convolve(x, kernels, bias, groups=x.shape[1] // kernels.shape[1], **sizes)


def convolved_back(
    x: Tensor, kernels: Tensor, bias: Tensor | None = None, *, group_channels: int, **sizes: Any
) -> Tensor:
    convolve = getattr(functional, f"conv_transpose{x.dim() - 2}d")
    return convolve(x, kernels, bias, groups=x.shape[1] // group_channels, **sizes)


mirrors(DynamicConv1d, DynamicConv2d, DynamicConv3d)(function(convolved))
mirrors(DynamicConvTranspose1d, DynamicConvTranspose2d, DynamicConvTranspose3d)(function(convolved_back))


@mirrors(DeformConv2d)
def deformed(layer: DeformConv2d, inputs: Inputs) -> nn.Module:
    named = {
        "kernel_size": layer.kernel_size,
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
    }
    sizes = deformable.Sizes(*[list(per_axis(given, 2, name)) for name, given in named.items()])
    return deformable.DeformConv2d(inputs[0].shape[1], layer.out_channels, sizes, layer.groups, layer.bias)
