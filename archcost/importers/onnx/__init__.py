"""What each operator of ONNX is as a layer, one table a family."""

from archcost.importers.onnx import (
    binary,
    convolution,
    indexing,
    matmul,
    normalization,
    pointwise,
    pooling,
    recurrent,
    reduction,
    shape,
)
from archcost.importers.onnx_call import Rule

RULES: dict[str, Rule] = {
    **convolution.RULES,
    **matmul.RULES,
    **recurrent.RULES,
    **normalization.RULES,
    **pooling.RULES,
    **pointwise.RULES,
    **binary.RULES,
    **reduction.RULES,
    **shape.RULES,
    **indexing.RULES,
}
"""By the operator's name."""
