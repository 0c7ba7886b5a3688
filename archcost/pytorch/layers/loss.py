"""Losses in torch that are no module of its own, or take weights that torch has no gradient for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcost.layers import BCE, CTC, NLL, BCEWithLogits, CrossEntropy, L1Penalty, LinearCrossEntropy, MultiMargin
from archcost.pytorch.fused_loss import fused_linear_cross_entropy
from archcost.pytorch.layers.base import Inputs, function, mirrors


def penalty(tensor: Tensor, weight: float) -> Tensor:
    return weight * tensor.abs().sum()


def cross_entropy(scores: Tensor, labels: Tensor, weight: Tensor | None = None, **named: Any) -> Tensor:
    return functional.cross_entropy(scores, labels, _constant(weight), **named)


def nll(scores: Tensor, labels: Tensor, weight: Tensor | None = None, **named: Any) -> Tensor:
    return functional.nll_loss(scores, labels, _constant(weight), **named)


def multi_margin(scores: Tensor, labels: Tensor, weight: Tensor | None = None, **named: Any) -> Tensor:
    return functional.multi_margin_loss(scores, labels, weight=_constant(weight), **named)


def bce(scores: Tensor, target: Tensor, weight: Tensor | None = None, **named: Any) -> Tensor:
    return functional.binary_cross_entropy(scores, target, _constant(weight), **named)


def bce_with_logits(scores: Tensor, target: Tensor, *weights: Tensor, pos_weight: bool, reduction: str) -> Tensor:
    constants = [weight.detach() for weight in weights]
    of_positives = constants.pop() if pos_weight else None
    weight = constants[0] if constants else None
    return functional.binary_cross_entropy_with_logits(
        scores, target, weight, pos_weight=of_positives, reduction=reduction
    )


def ctc(scores: Tensor, labels: Tensor) -> Tensor:
    """Of sequences that are as long as there is room for. Torch has no kernel for shapes alone, where a sum is it."""
    if scores.is_meta:
        return scores.sum((0, 2))
    steps, samples, _ = scores.shape
    lengths: Any = [steps] * samples, [labels.shape[1]] * samples
    return functional.ctc_loss(scores, labels, *lengths, reduction="none")


def _constant(weight: Tensor | None) -> Tensor | None:
    return None if weight is None else weight.detach()


class LinearLoss(nn.Module):
    """A linear layer's weights, and cross entropy with them in one call."""

    def __init__(self, layer: LinearCrossEntropy, features: int) -> None:
        super().__init__()
        self.layer = layer
        self.weight = nn.Parameter(torch.randn(layer.out_features, features))
        self.bias = nn.Parameter(torch.randn(layer.out_features)) if layer.bias else None

    def forward(self, rows: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        layer = self.layer
        if rows.is_meta:  # one operator after the other, which counters see
            scores = functional.linear(rows, self.weight, self.bias)
            loss = cross_entropy(scores, labels, weight, reduction=layer.reduction)
            return loss.float() if layer.method == "liger" else loss
        if layer.method == "liger":
            return fused_linear_cross_entropy(rows, self.weight, self.bias, labels)
        options: Any = torch.nn.LinearCrossEntropyOptions(
            allow_retain_graph=layer.allow_retain_graph,
            batch_chunk_size=layer.batch_chunk_size,
            chunking_method=layer.chunking_method,
            acc_policy=layer.acc_policy,
            acc_dtype=None if layer.acc_dtype is None else getattr(torch, layer.acc_dtype),
        )
        fused: Any = functional.linear_cross_entropy
        given: dict[str, Any] = {"weight": _constant(weight), "reduction": layer.reduction, "options": options}
        return fused(rows, self.weight, labels, linear_bias=self.bias, **given)


@mirrors(LinearCrossEntropy)
def linear_cross_entropy(layer: LinearCrossEntropy, inputs: Inputs) -> nn.Module:
    return LinearLoss(layer, inputs[0].shape[-1])


mirrors(L1Penalty)(function(penalty))
mirrors(CrossEntropy)(function(cross_entropy))
mirrors(NLL)(function(nll))
mirrors(MultiMargin)(function(multi_margin))
mirrors(BCE)(function(bce))
mirrors(CTC)(function(ctc))
mirrors(BCEWithLogits)(function(bce_with_logits))
