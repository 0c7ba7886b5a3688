"""Functions of each value alone in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import Layer, RPow
from archcost.pytorch.layers.base import Called, Factory, Inputs, function, settings


def method(name: str) -> Factory:
    """A method of tensors, or with `inplace` its twin with an underscore."""

    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        fields = settings(layer)
        overwrites = fields.pop("inplace")
        return Called(getattr(Tensor, f"{name}_" if overwrites else name), fields)

    return factory


def scaled(tensor: Tensor, factor: float, shift: float, inplace: bool) -> Tensor:
    """Products and sums by 1 and 0 are left out, unless nothing would be done at all."""
    if factor != 1 or shift == 0:
        tensor = tensor.mul_(factor) if inplace else tensor * factor
    if shift != 0:
        tensor = tensor.add_(shift) if inplace else tensor + shift
    return tensor


def rpow(layer: RPow, inputs: Inputs) -> nn.Module:
    def raised(tensor: Tensor) -> Tensor:
        return torch.pow(layer.base, tensor)

    return Called(raised, {})


FACTORIES: dict[str, Factory] = {
    **{name: method(name) for name in ("exp", "log", "sqrt", "rsqrt", "reciprocal", "erf", "abs", "sin", "cos", "neg")},
    "pow": method("pow"),
    "clamp": method("clamp"),
    "scale": function(scaled),
    **{
        name: method(name)
        for name in ("log1p", "expm1", "log2", "log10", "tan", "sinh", "cosh", "asin", "acos", "atan")
    },
    **{name: method(name) for name in ("erfc", "sign", "floor", "ceil", "round", "trunc")},
    "asinh": function(torch.asinh),
    "atanh": function(torch.atanh),
    "rpow": rpow,
    "logit": function(torch.logit),
    "nan_to_num": function(torch.nan_to_num),
    "rsub": function(torch.rsub),
}
