"""Losses in torch."""

from __future__ import annotations

from torch import Tensor, nn

from archcost.layers import L1Penalty
from archcost.pytorch.layers.base import Factory, Inputs, plain


class Penalty(nn.Module):
    """`price`·Σ|x|, a scalar."""

    def __init__(self, price: float) -> None:
        super().__init__()
        self.price = price

    def forward(self, tensor: Tensor) -> Tensor:
        return self.price * tensor.abs().sum()

    def extra_repr(self) -> str:
        return f"price={self.price}"


def l1_penalty(layer: L1Penalty, inputs: Inputs) -> nn.Module:
    return Penalty(layer.weight)


FACTORIES: dict[str, Factory] = {
    "cross_entropy": plain(nn.CrossEntropyLoss),
    "mse": plain(nn.MSELoss),
    "l1_penalty": l1_penalty,
}
