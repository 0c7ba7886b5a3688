"""What each operator of ONNX is as a layer, one table a family."""

from archcost.importers.onnx_call import Rule
from archcost.importers.onnx_operators import (
    convolution,
    indexing,
    normalization,
    pairwise,
    pointwise,
    pooling,
    products,
    recurrent,
    reductions,
    shaping,
)

RULES: dict[str, Rule] = {
    **convolution.RULES,
    **products.RULES,
    **recurrent.RULES,
    **normalization.RULES,
    **pooling.RULES,
    **pointwise.RULES,
    **pairwise.RULES,
    **reductions.RULES,
    **shaping.RULES,
    **indexing.RULES,
}
"""By the operator's name."""
