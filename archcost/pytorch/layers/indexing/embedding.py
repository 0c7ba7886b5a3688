"""Embedding in torch."""

from __future__ import annotations

from torch import nn

from archcost.layers import Embedding
from archcost.pytorch.layers.base import Factory, Inputs, settings


def embedding(layer: Embedding, inputs: Inputs) -> nn.Module:
    return nn.Embedding(**settings(layer, "weight"))


FACTORIES: dict[str, Factory] = {"embedding": embedding}
