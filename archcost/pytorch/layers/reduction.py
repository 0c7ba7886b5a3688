"""Folding axes in torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from archcost.layers import Layer
from archcost.pytorch.layers.base import Called, Factory, Inputs, function, settings


def folding(operation: Callable[..., Tensor]) -> Factory:
    """Over all axes where none is named, as torch's function does without any argument."""

    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        fields = settings(layer)
        if fields["dim"] is None:
            del fields["dim"], fields["keepdim"]
        return Called(operation, fields)

    return factory


FACTORIES: dict[str, Factory] = {
    "mean": function(torch.mean),
    "sum": function(torch.sum),
    "amax": function(torch.amax),
    "amin": function(torch.amin),
    "max": function(torch.max),
    "min": function(torch.min),
    "argmax": function(torch.argmax),
    "argmin": function(torch.argmin),
    "var": function(torch.var),
    "std": function(torch.std),
    "norm": function(torch.linalg.vector_norm),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    "any": folding(torch.any),
    "all": folding(torch.all),
    "prod": folding(torch.prod),
    "logsumexp": function(torch.logsumexp),
}
