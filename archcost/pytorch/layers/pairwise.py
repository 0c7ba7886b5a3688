"""Values of several tensors in pairs, in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import Layer
from archcost.pytorch.layers.base import Called, Factory, Inputs, function, settings
from archcost.pytorch.layers.elementwise import method


def comparison(name: str) -> Factory:
    """With a second tensor, or with the number `other`."""

    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        return Called(getattr(Tensor, name), {} if len(inputs) == 2 else settings(layer))

    return factory


FACTORIES: dict[str, Factory] = {
    "sub": method("sub"),
    "div": method("div"),
    "maximum": function(torch.maximum),
    "minimum": function(torch.minimum),
    **{name: comparison(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "logical_and": function(torch.logical_and),
    "logical_or": function(torch.logical_or),
    "logical_not": function(torch.logical_not),
    "where": function(torch.where),
    "masked_fill": method("masked_fill"),
}
