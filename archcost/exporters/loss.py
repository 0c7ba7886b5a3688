"""Losses in ONNX."""

from __future__ import annotations

from archcost.exporters.emit import Part, draws
from archcost.layers import MSE, CrossEntropy, L1Penalty


@draws(CrossEntropy)
def cross_entropy(part: Part) -> str:
    return part.draw("SoftmaxCrossEntropyLoss", *part.inputs, reduction=part.layer.reduction)


@draws(MSE)
def mse(part: Part) -> str:
    apart = part.draw("Sub", *part.inputs)
    kind = "ReduceMean" if part.layer.reduction == "mean" else "ReduceSum"
    return part.draw(kind, part.draw("Mul", apart, apart), keepdims=0)


@draws(L1Penalty)
def l1_penalty(part: Part) -> str:
    return part.draw("Mul", part.draw("ReduceL1", part.inputs[0], keepdims=0), part.number(part.layer.weight))
