"""Folding axes in torch."""

from __future__ import annotations

import torch

from archcost.pytorch.layers.base import Factory, function

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
    "cumsum": function(torch.cumsum),
}
