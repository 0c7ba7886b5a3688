"""Products of tensors in ONNX, but for those whose cards name an operator."""

from __future__ import annotations

from archcost.exporters.emit import Part, draws
from archcost.layers import AddMM, BAddBMM, Bmm


@draws(Bmm)
def bmm(part: Part) -> str:
    return part.draw("MatMul", *part.inputs)


@draws(AddMM)
def addmm(part: Part) -> str:
    added, left, right = part.inputs
    return part.draw("Gemm", left, right, added, alpha=float(part.layer.alpha), beta=float(part.layer.beta))


@draws(BAddBMM)
def baddbmm(part: Part) -> str:
    added, left, right = part.inputs
    product = part.draw("MatMul", left, right)
    if part.layer.alpha != 1:
        product = part.draw("Mul", product, part.number(part.layer.alpha))
    if part.layer.beta != 1:
        added = part.draw("Mul", added, part.number(part.layer.beta))
    return part.draw("Add", added, product)
