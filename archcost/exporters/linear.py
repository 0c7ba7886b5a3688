"""Linear layers in ONNX."""

from __future__ import annotations

from archcost.exporters.convolution import bias
from archcost.exporters.emit import Part, draws
from archcost.layers import Linear


@draws(Linear)
def linear(part: Part) -> str:
    """Gemm for matrices; with more axes the weight is turned, as torch turns it, and the bias added."""
    if part.source.rank == 2:
        return part.draw("Gemm", part.inputs[0], part.weight(), *bias(part), transB=1)
    turned = part.draw("Transpose", part.weight(), perm=(1, 0))
    product = part.draw("MatMul", part.inputs[0], turned)
    return part.draw("Add", product, *bias(part)) if part.has("bias") else product
