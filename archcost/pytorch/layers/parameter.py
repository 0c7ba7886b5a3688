"""Learned tensors by themselves in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import ExpandBatch, Parameter
from archcost.pytorch.layers.base import Factory, Inputs


class Learned(nn.Module):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))

    def forward(self) -> Tensor:
        return self.weight


class ExpandedBatch(nn.Module):
    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return one.expand(other.shape[0], *one.shape[1:])


def parameter(layer: Parameter, inputs: Inputs) -> nn.Module:
    return Learned(layer.shape)


def expand_batch(layer: ExpandBatch, inputs: Inputs) -> nn.Module:
    return ExpandedBatch()


FACTORIES: dict[str, Factory] = {"parameter": parameter, "expand_batch": expand_batch}
