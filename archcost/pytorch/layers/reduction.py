"""Folding axes in torch, but for what cards name."""

from __future__ import annotations

import torch
from torch import nn

from archcost.layers import All, AMinMax, AnyTrue, Norm, Prod
from archcost.pytorch.layers.base import Called, Inputs, mirrors, settings


@mirrors(AnyTrue, All, Prod)
def folding(layer: AnyTrue | All | Prod, inputs: Inputs) -> nn.Module:
    """Over all axes where none is named, as torch's function does without any argument."""
    without = ("dim", "keepdim") if layer.dim is None else ()
    return Called(getattr(torch, layer.type), settings(layer, *without))


@mirrors(Norm)
def norm(layer: Norm, inputs: Inputs) -> nn.Module:
    fields = settings(layer) | {"ord": float(layer.ord)}
    return Called(torch.linalg.vector_norm, fields)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


@mirrors(AMinMax)
def both_ends(layer: AMinMax, inputs: Inputs) -> nn.Module:
    return Called(torch.aminmax, settings(layer))
