"""Functions of each value alone in torch, but for those that their cards name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import RPow, Scale
from archcost.pytorch.layers.base import Called, Inputs, mirrors, settings


@mirrors(Scale)
def scale(layer: Scale, inputs: Inputs) -> nn.Module:
    return Called(scaled, settings(layer))


def scaled(tensor: Tensor, factor: float, shift: float, inplace: bool) -> Tensor:
    """Products and sums by 1 and 0 are left out, unless nothing would be done at all."""
    if factor != 1 or shift == 0:
        tensor = tensor.mul_(factor) if inplace else tensor * factor
    if shift != 0:
        tensor = tensor.add_(shift) if inplace else tensor + shift
    return tensor


@mirrors(RPow)
def rpow(layer: RPow, inputs: Inputs) -> nn.Module:
    def raised(tensor: Tensor) -> Tensor:
        return torch.pow(layer.base, tensor)

    return Called(raised, {})
