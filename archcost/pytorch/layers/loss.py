"""Losses in torch that are no module of its own."""

from __future__ import annotations

from torch import Tensor

from archcost.layers import L1Penalty
from archcost.pytorch.layers.base import function, mirrors


def penalty(tensor: Tensor, weight: float) -> Tensor:
    return weight * tensor.abs().sum()


mirrors(L1Penalty)(function(penalty))
