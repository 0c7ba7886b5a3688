"""Convolutions and transposed convolutions in torch; `in_channels` is what arrives."""

from __future__ import annotations

from torch import nn

from archcost.layers import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, WeightedLayer
from archcost.pytorch.layers.base import Inputs, mirrors, module_of, settings


@mirrors(Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
def convolution(layer: WeightedLayer, inputs: Inputs) -> nn.Module:
    return module_of(layer)(inputs[0].shape[1], **settings(layer, "weight"))
