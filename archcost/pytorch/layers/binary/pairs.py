"""Values of several tensors in pairs, in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import ClampTensor, Layer, MaskedFill
from archcost.pytorch.layers.base import Called, Factory, Inputs, function, method, settings


def comparison(name: str) -> Factory:
    """With a second tensor, or with the number `other`."""

    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        return Called(getattr(Tensor, name), {} if len(inputs) == 2 else settings(layer))

    return factory


def chosen(mask: Tensor, *tensors: Tensor, value: float | None, other: float | None) -> Tensor:
    """Numbers stand for tensors that are not given."""
    given = iter(tensors)
    first = next(given) if value is None else value
    return torch.where(mask, first, next(given) if other is None else other)


def clamp(layer: ClampTensor, inputs: Inputs) -> nn.Module:
    def clamped(x: Tensor, *bounds: Tensor) -> Tensor:
        return torch.clamp(x, **dict(zip(layer.names(), bounds, strict=True)))

    return Called(clamped, {})


def masked_fill(layer: MaskedFill, inputs: Inputs) -> nn.Module:
    operation = Tensor.masked_fill_ if layer.inplace else Tensor.masked_fill
    return Called(operation, {} if layer.value is None else {"value": layer.value})


FACTORIES: dict[str, Factory] = {
    "sub": method("sub"),
    "div": method("div"),
    "maximum": function(torch.maximum),
    "minimum": function(torch.minimum),
    "clamp_tensor": clamp,
    **{name: comparison(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "logical_and": function(torch.logical_and),
    "logical_or": function(torch.logical_or),
    "logical_not": function(torch.logical_not),
    "logical_xor": function(torch.logical_xor),
    "isnan": function(torch.isnan),
    "isinf": function(torch.isinf),
    "isfinite": function(torch.isfinite),
    **{name: comparison(name) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    **{name: comparison(name) for name in ("remainder", "fmod")},
    "bitwise_not": function(torch.bitwise_not),
    "where": function(chosen),
    "masked_fill": masked_fill,
}
