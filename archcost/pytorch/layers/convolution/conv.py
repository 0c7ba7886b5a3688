"""Convolutions and transposed convolutions in torch; `in_channels` is what arrives."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from archcost.layers import Layer
from archcost.pytorch.layers.base import Factory, Inputs, settings


def convolution(module: Callable[..., nn.Module]) -> Factory:
    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        return module(inputs[0].shape[1], **settings(layer, "weight"))

    return factory


FACTORIES: dict[str, Factory] = {
    "conv1d": convolution(nn.Conv1d),
    "conv2d": convolution(nn.Conv2d),
    "conv3d": convolution(nn.Conv3d),
    "conv_transpose1d": convolution(nn.ConvTranspose1d),
    "conv_transpose2d": convolution(nn.ConvTranspose2d),
    "conv_transpose3d": convolution(nn.ConvTranspose3d),
}
