"""The mirror of archcost.layers: for each layer type, what makes its torch module."""

from __future__ import annotations

from archcost.pytorch.layers import (
    activation,
    attention,
    combining,
    convolution,
    elementwise,
    embedding,
    forming,
    indexing,
    linear,
    losses,
    normalization,
    observed,
    pairwise,
    parameter,
    patches,
    pooling,
    products,
    rearranging,
    recurrent,
    reductions,
    regularization,
    reshaping,
    routing,
    scattering,
    upsampling,
    views,
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
    **views.FACTORIES,
    **rearranging.FACTORIES,
    **elementwise.FACTORIES,
    **pairwise.FACTORIES,
    **reductions.FACTORIES,
    **indexing.FACTORIES,
    **routing.FACTORIES,
    **patches.FACTORIES,
    **products.FACTORIES,
    **attention.FACTORIES,
    **recurrent.FACTORIES,
    **losses.FACTORIES,
    **forming.FACTORIES,
    **scattering.FACTORIES,
    **observed.FACTORIES,
}

__all__ = ["FACTORIES", "Factory", "Inputs"]
