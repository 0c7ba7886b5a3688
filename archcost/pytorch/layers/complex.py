"""Complex numbers in torch, where cards do not say all."""

from __future__ import annotations

from torch import Tensor, nn

from archcost.layers import ComplexScale
from archcost.pytorch.layers.base import Called, Inputs, mirrors


@mirrors(ComplexScale)
def complex_scale(layer: ComplexScale, inputs: Inputs) -> nn.Module:
    def scaled(tensor: Tensor) -> Tensor:
        return tensor * complex(layer.real, layer.imag)

    return Called(scaled, {})
