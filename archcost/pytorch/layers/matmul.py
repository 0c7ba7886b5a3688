"""Products of two tensors in torch, but for those that their cards name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import CDist, Einsum, GroupedMM
from archcost.pytorch.grouped import grouped_product
from archcost.pytorch.layers.base import Called, Inputs, mirrors, settings


class EinsteinSum(nn.Module):
    def __init__(self, equation: str) -> None:
        super().__init__()
        self.equation = equation

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return torch.einsum(self.equation, left, right)  # pyright: ignore[reportUnknownMemberType]

    def extra_repr(self) -> str:
        return self.equation


@mirrors(Einsum)
def einsum(layer: Einsum, inputs: Inputs) -> nn.Module:
    return EinsteinSum(layer.equation)


@mirrors(CDist)
def cdist(layer: CDist, inputs: Inputs) -> nn.Module:
    return Called(torch.cdist, settings(layer) | {"p": float(layer.p)})  # pyright: ignore[reportUnknownMemberType]


@mirrors(GroupedMM)
def grouped_mm(layer: GroupedMM, inputs: Inputs) -> nn.Module:
    return Called(grouped_product, {})
