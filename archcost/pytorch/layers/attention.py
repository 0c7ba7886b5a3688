"""Attention in torch."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from archcost.layers import ScaledDotProductAttention
from archcost.pytorch.layers.base import Inputs, mirrors, settings


class Attention(nn.Module):
    """Torch chooses the kernel, unless `math` asks for the composition. Nothing is dropped in evaluation."""

    def __init__(self, math: bool, dropout_p: float, **options: Any) -> None:
        super().__init__()
        self.math = math
        self.dropout_p = dropout_p
        self.options = options

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.math:
            with sdpa_kernel(SDPBackend.MATH):
                return self._attend(query, key, value, mask)
        return self._attend(query, key, value, mask)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        dropped = self.dropout_p if self.training else 0.0
        return functional.scaled_dot_product_attention(query, key, value, mask, dropped, **self.options)

    def extra_repr(self) -> str:
        return f"math={self.math}, dropout_p={self.dropout_p}, {self.options}"


@mirrors(ScaledDotProductAttention)
def scaled_dot_product_attention(layer: ScaledDotProductAttention, inputs: Inputs) -> nn.Module:
    """The witness of the FLOPs works on the meta device, where torch always composes.

    It hears nothing of a window, behind which nothing is counted less.
    """
    return Attention(layer.backend == "math", **settings(layer, "backend", "window"))
