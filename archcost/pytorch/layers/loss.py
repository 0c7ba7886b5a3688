"""Losses in torch that are no module of its own, or take weights that torch has no gradient for."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from archcost.layers import BCE, CTC, NLL, BCEWithLogits, CrossEntropy, L1Penalty, MultiMargin
from archcost.pytorch.layers.base import function, mirrors


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


mirrors(L1Penalty)(function(penalty))
mirrors(CrossEntropy)(function(cross_entropy))
mirrors(NLL)(function(nll))
mirrors(MultiMargin)(function(multi_margin))
mirrors(BCE)(function(bce))
mirrors(CTC)(function(ctc))
mirrors(BCEWithLogits)(function(bce_with_logits))
