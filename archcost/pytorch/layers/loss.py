"""Losses in torch that are no module of its own."""

from __future__ import annotations

from torch import Tensor, nn

from archcost.layers import L1Penalty
from archcost.pytorch.layers.base import Called, Inputs, mirrors, settings


@mirrors(L1Penalty)
def l1_penalty(layer: L1Penalty, inputs: Inputs) -> nn.Module:
    def penalty(tensor: Tensor, weight: float) -> Tensor:
        return weight * tensor.abs().sum()

    return Called(penalty, settings(layer))
