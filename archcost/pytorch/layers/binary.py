"""Values of several tensors taken together in torch, but for what cards name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import Add, ClampTensor, Cross
from archcost.pytorch.layers.base import Called, Inputs, function, mirrors


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


@mirrors(Add)
def add(layer: Add, inputs: Inputs) -> nn.Module:
    return Sum(layer.inplace, layer.alpha)


@mirrors(ClampTensor)
def clamp(layer: ClampTensor, inputs: Inputs) -> nn.Module:
    def clamped(x: Tensor, *bounds: Tensor) -> Tensor:
        return torch.clamp(x, **dict(zip(layer.names(), bounds, strict=True)))

    return Called(clamped, {})


mirrors(Cross)(function(torch.linalg.cross))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
