"""Linear layers in ONNX."""

from __future__ import annotations

from archcost.exporters.convolution import bias
from archcost.exporters.emit import Part, draws
from archcost.layers import Bilinear, Linear


@draws(Linear)
def linear(part: Part) -> str:
    """Gemm for matrices; with more axes the weight is turned, as torch turns it, and the bias added."""
    if part.source.rank == 2:
        return part.draw("Gemm", part.inputs[0], part.weight(), *bias(part), transB=1)
    turned = part.draw("Transpose", part.weight(), perm=(1, 0))
    product = part.draw("MatMul", part.inputs[0], turned)
    return part.draw("Add", product, *bias(part)) if part.has("bias") else product


@draws(Bilinear)
def bilinear(part: Part) -> str:
    """A product of x1 with each matrix, and of those with x2."""
    rows = part.draw("Unsqueeze", part.inputs[0], part.integers(-2))
    first = part.draw("Unsqueeze", rows, part.integers(-2))
    products = part.draw("MatMul", first, part.weight())
    column = part.draw("Unsqueeze", part.draw("Unsqueeze", part.inputs[1], part.integers(-2)), part.integers(-1))
    single = part.draw("Squeeze", part.draw("MatMul", products, column), part.integers(-2, -1))
    return part.draw("Add", single, *bias(part)) if part.has("bias") else single
