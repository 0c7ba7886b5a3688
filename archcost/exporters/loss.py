"""Losses in ONNX, which has operators for two of them."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.convolution import bias
from archcost.exporters.emit import DTYPES, Part, draws
from archcost.layers import (
    BCE,
    CTC,
    MSE,
    NLL,
    BCEWithLogits,
    CrossEntropy,
    Huber,
    L1Penalty,
    LinearCrossEntropy,
    MultilabelMargin,
    MultiMargin,
    SmoothL1,
    SoftMargin,
)


@draws(CrossEntropy)
def cross_entropy(part: Part) -> str:
    return part.draw("SoftmaxCrossEntropyLoss", *part.inputs, reduction=part.layer.reduction)


@draws(LinearCrossEntropy)
def linear_cross_entropy(part: Part) -> str:
    """The linear layer, and the loss of all scores."""
    scores = part.draw("Gemm", part.inputs[0], part.weight(), *bias(part), transB=1)
    loss = part.draw("SoftmaxCrossEntropyLoss", scores, *part.inputs[1:], reduction=part.layer.reduction)
    return loss if part.source.dtype == part.result.dtype else part.draw("Cast", loss, to=DTYPES[part.result.dtype])


@draws(NLL)
def nll(part: Part) -> str:
    return part.draw("NegativeLogLikelihoodLoss", *part.inputs, reduction=part.layer.reduction)


@draws(MSE)
def mse(part: Part) -> str:
    apart = part.draw("Sub", *part.inputs)
    squares = part.draw("Mul", apart, apart)
    return squares if part.layer.reduction == "none" else folded(part, squares)


@draws(SoftMargin)
def soft_margin(part: Part) -> str:
    """softplus(−b·a)."""
    values = part.draw("Softplus", part.draw("Neg", part.draw("Mul", part.cast(0), part.cast(1))))
    return values if part.layer.reduction == "none" else folded(part, values)


def folded(part: Part, values: str) -> str:
    return part.draw("ReduceMean" if part.layer.reduction == "mean" else "ReduceSum", values, keepdims=0)


@draws(L1Penalty)
def l1_penalty(part: Part) -> str:
    return part.draw("Mul", part.draw("ReduceL1", part.inputs[0], keepdims=0), part.number(part.layer.weight))


@draws(SmoothL1, Huber, BCE, BCEWithLogits, MultiMargin, MultilabelMargin, CTC)
def unknown(part: Part) -> Sequence[str]:
    """ONNX has no operator for them, and nobody runs a file for its loss."""
    return part.draw_unknown(part.layer.type, 1, *part.inputs)
