"""Tensors side by side in torch, for which torch has a function and no module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import Concat
from archcost.pytorch.layers.base import Inputs, mirrors


class Concatenation(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *tensors: Tensor) -> Tensor:
        return torch.cat(tensors, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


@mirrors(Concat)
def concat(layer: Concat, inputs: Inputs) -> nn.Module:
    return Concatenation(layer.dim)
