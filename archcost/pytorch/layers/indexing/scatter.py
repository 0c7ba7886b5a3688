"""Putting values into places of a tensor in torch."""

from __future__ import annotations

from torch import Tensor, nn

from archcost.layers import IndexAdd, MaskedScatter, Scatter, ScatterAdd
from archcost.pytorch.layers.base import Called, Factory, Inputs


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


FACTORIES: dict[str, Factory] = {
    "scatter": scatter,
    "scatter_add": scatter,
    "index_add": index_add,
    "masked_scatter": masked_scatter,
}
