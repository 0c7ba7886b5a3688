"""Bringing tensors together in torch, for which torch has functions and no modules."""

from __future__ import annotations

from torch import Tensor, nn

from archcost.layers import Add
from archcost.pytorch.layers.base import Factory, Inputs, method


class Sum(nn.Module):
    """Summed in the order of the inputs, into the first of them when `inplace`."""

    def __init__(self, inplace: bool, alpha: float) -> None:
        super().__init__()
        self.inplace = inplace
        self.alpha = alpha

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        total = first
        for other in others:
            total = total.add_(other, alpha=self.alpha) if self.inplace else total.add(other, alpha=self.alpha)
        return total

    def extra_repr(self) -> str:
        return f"inplace={self.inplace}, alpha={self.alpha}"


def add(layer: Add, inputs: Inputs) -> nn.Module:
    return Sum(layer.inplace, layer.alpha)


FACTORIES: dict[str, Factory] = {"add": add, "mul": method("mul")}
