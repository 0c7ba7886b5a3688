"""Putting values into places of a tensor in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import IndexAdd, MaskedScatter, Scatter, ScatterAdd
from archcost.pytorch.layers.base import Called, Factory, Inputs, function


def scatter(layer: Scatter | ScatterAdd, inputs: Inputs) -> nn.Module:
    operation = getattr(Tensor, f"{layer.type}_" if layer.inplace else layer.type)

    def scattered(tensor: Tensor, index: Tensor, *values: Tensor) -> Tensor:
        given = values or (layer.model_dump()["value"],)
        return operation(tensor, layer.dim, index, *given)

    return Called(scattered, {})


def index_add(layer: IndexAdd, inputs: Inputs) -> nn.Module:
    operation = Tensor.index_add_ if layer.inplace else Tensor.index_add

    def added(tensor: Tensor, index: Tensor, values: Tensor) -> Tensor:
        return operation(tensor, layer.dim, index, values)

    return Called(added, {})


def masked_scatter(layer: MaskedScatter, inputs: Inputs) -> nn.Module:
    return Called(Tensor.masked_scatter_ if layer.inplace else Tensor.masked_scatter, {})


def written(whole: Tensor, *parts: Tensor) -> Tensor:
    """Floats are values, others indices. Without indices values go where the axes begin, a number into one place."""
    values = next((part for part in parts if part.is_floating_point()), None)
    indices = tuple(part for part in parts if not part.is_floating_point())
    if indices:
        return whole.index_put_(indices, torch.zeros((), dtype=whole.dtype) if values is None else values)
    if values is None:
        whole[(0,) * whole.dim()] = 0
    elif values.shape == whole.shape:
        whole.copy_(values)
    else:
        front = (0,) * (whole.dim() - values.dim())
        whole[(*front, *(slice(size) for size in values.shape))] = values
    return whole


FACTORIES: dict[str, Factory] = {
    "scatter": scatter,
    "scatter_add": scatter,
    "index_add": index_add,
    "masked_scatter": masked_scatter,
    "write": function(written),
}
