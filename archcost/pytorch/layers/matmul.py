"""Products of two tensors in torch, for which torch has functions and no modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import Bmm, Einsum, MatMul
from archcost.pytorch.layers.base import Factory, Inputs, function


class MatrixProduct(nn.Module):
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left @ right


class BatchedProduct(nn.Module):
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return torch.bmm(left, right)


class EinsteinSum(nn.Module):
    def __init__(self, equation: str) -> None:
        super().__init__()
        self.equation = equation

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return torch.einsum(self.equation, left, right)  # pyright: ignore[reportUnknownMemberType]

    def extra_repr(self) -> str:
        return self.equation


def einsum(layer: Einsum, inputs: Inputs) -> nn.Module:
    return EinsteinSum(layer.equation)


def matmul(layer: MatMul, inputs: Inputs) -> nn.Module:
    return MatrixProduct()


def bmm(layer: Bmm, inputs: Inputs) -> nn.Module:
    return BatchedProduct()


FACTORIES: dict[str, Factory] = {
    "matmul": matmul,
    "bmm": bmm,
    "addmm": function(torch.addmm),
    "baddbmm": function(torch.baddbmm),
    "einsum": einsum,
}
