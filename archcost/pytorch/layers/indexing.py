"""Picking values by index or by place in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcost.layers import Gather, Index, IndexSelect
from archcost.pytorch.layers.base import Called, Factory, Inputs, function


def gather(layer: Gather, inputs: Inputs) -> nn.Module:
    def gathered(tensor: Tensor, index: Tensor) -> Tensor:
        return tensor.gather(layer.dim, index)

    return Called(gathered, {})


def index_select(layer: IndexSelect, inputs: Inputs) -> nn.Module:
    def selected(tensor: Tensor, index: Tensor) -> Tensor:
        return tensor.index_select(layer.dim, index)

    return Called(selected, {})


def index(layer: Index, inputs: Inputs) -> nn.Module:
    def indexed(tensor: Tensor, *indices: Tensor) -> Tensor:
        """The operator itself: Python's brackets read a single position out, as a number."""
        listed: list[Tensor | None] = [None] * tensor.dim()
        for axis, positions in zip(layer.dims, indices, strict=True):
            listed[axis] = positions
        return torch.ops.aten.index.Tensor(tensor, listed)

    return Called(indexed, {})


FACTORIES: dict[str, Factory] = {
    "topk": function(torch.topk),
    "gather": gather,
    "index_select": index_select,
    "index": index,
    "grid_sample": function(functional.grid_sample),
}
