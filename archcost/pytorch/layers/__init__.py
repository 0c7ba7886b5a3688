"""The mirror of archcost.layers: for each layer type, what makes its torch module."""

from __future__ import annotations

from archcost.pytorch.layers import (
    activation,
    attention,
    combining,
    convolution,
    embedding,
    linear,
    losses,
    normalization,
    parameter,
    pooling,
    products,
    recurrent,
    regularization,
    reshaping,
    upsampling,
)
from archcost.pytorch.layers.base import Factory, Inputs

FACTORIES: dict[str, Factory] = {
    **convolution.FACTORIES,
    **linear.FACTORIES,
    **embedding.FACTORIES,
    **parameter.FACTORIES,
    **pooling.FACTORIES,
    **upsampling.FACTORIES,
    **normalization.FACTORIES,
    **activation.FACTORIES,
    **regularization.FACTORIES,
    **reshaping.FACTORIES,
    **combining.FACTORIES,
    **products.FACTORIES,
    **attention.FACTORIES,
    **recurrent.FACTORIES,
    **losses.FACTORIES,
}

__all__ = ["FACTORIES", "Factory", "Inputs"]
