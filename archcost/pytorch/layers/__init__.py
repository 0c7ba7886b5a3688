"""The mirror of archcost.layers: for each layer type, what makes its torch module."""

from __future__ import annotations

from archcost.pytorch.layers import (
    activation,
    attention,
    dropout,
    linear,
    loss,
    matmul,
    normalization,
    parameter,
    pooling,
    recurrent,
    reduction,
    unary,
    upsampling,
)
from archcost.pytorch.layers.base import Factory, Inputs
from archcost.pytorch.layers.binary import (
    arithmetic,
    pairs,
)
from archcost.pytorch.layers.convolution import (
    conv,
    fold,
)
from archcost.pytorch.layers.indexing import (
    embedding,
    expert_route,
    gather,
    scatter,
)
from archcost.pytorch.layers.opaque import (
    function,
    operation,
)
from archcost.pytorch.layers.shape import (
    diagonal,
    move,
    reshape,
    views,
)

FACTORIES: dict[str, Factory] = {
    **conv.FACTORIES,
    **linear.FACTORIES,
    **embedding.FACTORIES,
    **parameter.FACTORIES,
    **pooling.FACTORIES,
    **upsampling.FACTORIES,
    **normalization.FACTORIES,
    **activation.FACTORIES,
    **dropout.FACTORIES,
    **reshape.FACTORIES,
    **arithmetic.FACTORIES,
    **views.FACTORIES,
    **move.FACTORIES,
    **unary.FACTORIES,
    **pairs.FACTORIES,
    **reduction.FACTORIES,
    **gather.FACTORIES,
    **expert_route.FACTORIES,
    **fold.FACTORIES,
    **matmul.FACTORIES,
    **attention.FACTORIES,
    **recurrent.FACTORIES,
    **loss.FACTORIES,
    **diagonal.FACTORIES,
    **scatter.FACTORIES,
    **operation.FACTORIES,
    **function.FACTORIES,
}

__all__ = ["FACTORIES", "Factory", "Inputs"]
