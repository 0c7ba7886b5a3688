"""Products of two tensors in torch, for which torch has functions and no modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import Bmm, MatMul
from archcost.pytorch.layers.base import Factory, Inputs


class MatrixProduct(nn.Module):
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left @ right


class BatchedProduct(nn.Module):
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return torch.bmm(left, right)


def matmul(layer: MatMul, inputs: Inputs) -> nn.Module:
    return MatrixProduct()


def bmm(layer: Bmm, inputs: Inputs) -> nn.Module:
    return BatchedProduct()


FACTORIES: dict[str, Factory] = {"matmul": matmul, "bmm": bmm}
