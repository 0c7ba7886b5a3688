"""Enlarging a feature map in torch, and making it smaller."""

from __future__ import annotations

from torch import nn
from torch.nn import functional

from archcost.layers import Upsample
from archcost.pytorch.layers.base import Called, Inputs, mirrors, settings


@mirrors(Upsample)
def upsample(layer: Upsample, inputs: Inputs) -> nn.Module:
    """Torch's module has no antialias."""
    if layer.antialias:
        return Called(functional.interpolate, settings(layer))
    return nn.Upsample(**settings(layer, "antialias"))
