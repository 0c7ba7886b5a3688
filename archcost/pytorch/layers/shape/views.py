"""Seeing values otherwise in torch."""

from __future__ import annotations

import torch
from torch import Tensor

from archcost.pytorch.layers.base import Factory, function


def sliced(tensor: Tensor, start: int | None, stop: int | None, step: int, dim: int) -> Tensor:
    """By Python's own indexing, which leaves out a slice that takes everything."""
    axis = dim % tensor.dim()
    return tensor[(slice(None),) * axis + (slice(start, stop, step),)]


def detached(tensor: Tensor, data: bool) -> Tensor:
    return tensor.data if data else tensor.detach()


FACTORIES: dict[str, Factory] = {
    "detach": function(detached),
    "transpose": function(torch.transpose),
    "squeeze": function(torch.squeeze),
    "unsqueeze": function(torch.unsqueeze),
    "slice": function(sliced),
    "select": function(torch.select),
    "expand": function(Tensor.expand),
}
