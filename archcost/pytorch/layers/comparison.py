"""Choices by a mask in torch, but for what cards name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import Where
from archcost.pytorch.layers.base import Called, Inputs, mirrors, settings


@mirrors(Where)
def where(layer: Where, inputs: Inputs) -> nn.Module:
    return Called(chosen, settings(layer))


def chosen(mask: Tensor, *tensors: Tensor, value: float | None, other: float | None) -> Tensor:
    """Numbers stand for tensors that are not given."""
    given = iter(tensors)
    first = next(given) if value is None else value
    return torch.where(mask, first, next(given) if other is None else other)
