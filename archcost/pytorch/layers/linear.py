"""The fully connected layer in torch."""

from __future__ import annotations

from torch import nn

from archcost.layers import Bilinear, Linear
from archcost.pytorch.layers.base import Inputs, mirrors, settings


@mirrors(Linear)
def linear(layer: Linear, inputs: Inputs) -> nn.Module:
    return nn.Linear(inputs[0].shape[-1], **settings(layer, "weight"))


@mirrors(Bilinear)
def bilinear(layer: Bilinear, inputs: Inputs) -> nn.Module:
    return nn.Bilinear(inputs[0].shape[-1], inputs[1].shape[-1], **settings(layer))
