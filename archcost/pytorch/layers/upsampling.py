"""Enlarging a feature map in torch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from archcost.layers import Upsample
from archcost.pytorch.layers.base import Called, Factory, Inputs, settings


def upsample(layer: Upsample, inputs: Inputs) -> nn.Module:
    if not layer.antialias:
        return nn.Upsample(**settings(layer, "antialias"))

    def resized(tensor: Tensor) -> Tensor:
        return functional.interpolate(tensor, **settings(layer))

    return Called(resized, {})


FACTORIES: dict[str, Factory] = {"upsample": upsample}
