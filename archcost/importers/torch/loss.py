"""Losses, called as functions or as modules; those that torch composes of other operators are heard one by one."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from archcost.errors import ArchcostError
from archcost.importers.torch.proposal import Proposal, composite, rule_for

REDUCTIONS = ("none", "mean", "sum")
"""By the number that stands for each below Python."""

BOTH = ("cpu", "cuda")
TAKEN_AS_ONE = {
    **dict.fromkeys(["l1_loss", "kl_div", "poisson_nll_loss", "hinge_embedding_loss", "margin_ranking_loss"], BOTH),
    **dict.fromkeys(["triplet_margin_loss", "cosine_embedding_loss"], BOTH),
    "cross_entropy_loss": ("cpu",),
    "cosine_similarity": ("cuda",),
}
"""Calls of several operators that autocast passes float32, by the device whose list has them (autocast_mode.cpp)."""


def _folding(reduction: Any) -> str:
    """Raises TypeError for another argument in its place, such as the `size_average` of old: a call that no rule is
    for.
    """
    if isinstance(reduction, bool):
        raise TypeError
    return REDUCTIONS[int(reduction)] if not isinstance(reduction, str) else str(reduction)


@rule_for("mse_loss")
def mse(result: Tensor, x: Tensor, target: Tensor, reduction: Any = "mean") -> Proposal:
    return Proposal("mse", (x, target), {"reduction": _folding(reduction)})


@rule_for("soft_margin_loss")
def soft_margin(result: Tensor, x: Tensor, target: Tensor, reduction: Any = "mean") -> Proposal:
    return Proposal("soft_margin", (x, target), {"reduction": _folding(reduction)})


@rule_for("smooth_l1_loss")
def smooth_l1(result: Tensor, x: Tensor, target: Tensor, reduction: Any = "mean", beta: float = 1.0) -> Proposal:
    return Proposal("smooth_l1", (x, target), {"reduction": _folding(reduction), "beta": float(beta)})


@rule_for("huber_loss")
def huber(result: Tensor, x: Tensor, target: Tensor, reduction: Any = "mean", delta: float = 1.0) -> Proposal:
    return Proposal("huber", (x, target), {"reduction": _folding(reduction), "delta": float(delta)})


@rule_for("binary_cross_entropy")
def bce(result: Tensor, x: Tensor, target: Tensor, weight: Tensor | None = None, reduction: Any = "mean") -> Proposal:
    return Proposal("bce", (x, target, *_given(weight)), {"reduction": _folding(reduction)})


@rule_for("binary_cross_entropy_with_logits")
def bce_with_logits(
    result: Tensor,
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: Any = "mean",
) -> Proposal:
    fields = {"reduction": _folding(reduction), "pos_weight": pos_weight is not None}
    return Proposal("bce_with_logits", (x, target, *_given(weight), *_given(pos_weight)), fields)


@rule_for("cross_entropy_loss")
def cross_entropy(
    result: Tensor,
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: Any = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Proposal | None:
    """One layer for labels as they are and a single number; all else is composed."""
    folding = _folding(reduction)
    if label_smoothing or target.is_floating_point() or folding == "none":
        return None
    return Proposal("cross_entropy", (x, target, *_given(weight)), {"reduction": folding})


@rule_for("nll_loss_nd", "nll_loss")
def nll(
    result: Tensor,
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: Any = "mean",
    ignore_index: int = -100,
) -> Proposal:
    return Proposal("nll", (x, target, *_given(weight)), {"reduction": _folding(reduction)})


@rule_for("nll_loss_forward", "nll_loss2d_forward")
def nll_forward(result: Any, x: Tensor, target: Tensor, *arguments: Any) -> Proposal:
    """The operator beneath, which hands out the total weight as well."""
    weight, reduction, _ = arguments
    return Proposal("nll", (x, target, *_given(weight)), {"reduction": _folding(reduction)}, outputs=1)


@rule_for("multi_margin_loss")
def multi_margin(
    result: Tensor,
    x: Tensor,
    target: Tensor,
    p: float = 1,
    margin: float = 1,
    weight: Tensor | None = None,
    reduction: Any = "mean",
) -> Proposal:
    fields = {"p": int(p), "margin": float(margin), "reduction": _folding(reduction)}
    return Proposal("multi_margin", (x, target, *_given(weight)), fields)


@rule_for("multilabel_margin_loss")
def multilabel_margin(result: Tensor, x: Tensor, target: Tensor, reduction: Any = "mean") -> Proposal:
    return Proposal("multilabel_margin", (x, target), {"reduction": _folding(reduction)})


@composite("ctc_loss")
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: Any = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """As `ctc_loss` in LossCTC.cpp puts it together, of an operator that torch cannot run on shapes alone."""
    if log_probs.dim() != 3 or targets.dim() != 2:
        raise ArchcostError(
            "ctc_loss of one sequence, or of labels that stand one after the other, has no rule",
            expected="log-probabilities (steps, batch, classes) and labels (batch, labels)",
            found=f"{tuple(log_probs.shape)} and {tuple(targets.shape)}",
        )
    result = ctc_of_each(log_probs, targets)
    if zero_infinity:
        result = torch.where(result == float("inf"), torch.zeros((), dtype=result.dtype), result)
    folding = _folding(reduction)
    if folding == "mean":
        counts = target_lengths if isinstance(target_lengths, Tensor) else torch.tensor(target_lengths)
        return (result / counts.clamp_min(1)).mean()
    return result.sum() if folding == "sum" else result


def ctc_of_each(log_probs: Tensor, targets: Tensor) -> Tensor:
    """What comes out of it, by its shape, in a call that is heard."""
    if has_torch_function((log_probs,)):
        heard: Tensor = handle_torch_function(ctc_of_each, (log_probs,), log_probs, targets)
        return heard
    return log_probs.sum((0, 2))


@rule_for("ctc_of_each")
def ctc(result: Tensor, log_probs: Tensor, targets: Tensor) -> Proposal:
    return Proposal("ctc", (log_probs, targets))


@composite("gaussian_nll_loss")
def gaussian_nll(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """As torch writes it, but for the question whether a variance is negative, which shapes do not answer."""
    if not isinstance(var, Tensor):
        var = var * torch.ones_like(input)
    if var.size() != input.size() and input.size()[:-1] == var.size():
        var = torch.unsqueeze(var, -1)
    var = var.clone()
    with torch.no_grad():
        var.clamp_(min=eps)
    loss: Tensor = 0.5 * (torch.log(var) + (input - target) ** 2 / var)
    if full:
        loss += 0.5 * math.log(2 * math.pi)
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def _given(weight: Tensor | None) -> tuple[Tensor, ...]:
    """Raises TypeError for another argument in its place."""
    if weight is None:
        return ()
    if not isinstance(weight, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError
    return (weight,)
