"""Losses, called as functions or as modules; those that torch composes of other operators are heard one by one."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function

from archcost.errors import ArchcostError
from archcost.importers.torch.proposal import Proposal, composite, rule_for

REDUCTIONS = ("none", "mean", "sum")
"""By the number that stands for each below Python."""

BOTH = ("cpu", "cuda")
CHUNKING = ("allow_retain_graph", "batch_chunk_size", "chunking_method", "acc_policy")
"""Options of torch.nn.LinearCrossEntropyOptions that are fields of the layer as they are."""

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


@composite("linear_cross_entropy")
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """One layer where it runs in chunks and gives a single number, else a linear layer and a loss."""
    in_chunks = options is not None and input.dim() == 2 and linear_weight.dim() == 2 and reduction in ("mean", "sum")
    if in_chunks and not label_smoothing and target.dtype == torch.int64:
        return in_chunks_of(input, linear_weight, target, linear_bias, weight, reduction, options)
    if options is not None and target.dtype == torch.int64 and not label_smoothing:
        raise ArchcostError(
            "linear_cross_entropy in chunks has a rule for one number of rows of features",
            expected="features (rows, in), a weight (out, in), and reduction mean or sum",
            found=f"{tuple(input.shape)}, {tuple(linear_weight.shape)} and {reduction}",
            hint="options=None",
        )
    classes, features = linear_weight.shape[0], linear_weight.shape[-1]
    matrix = linear_weight.reshape(-1, features) if linear_weight.dim() > 2 else linear_weight
    bias = linear_bias.reshape(-1) if linear_bias is not None and linear_bias.dim() > 1 else linear_bias
    scores = functional.linear(input, matrix, bias)
    if linear_weight.dim() > 2:
        scores = scores.reshape(*input.shape[:-1], classes, *linear_weight.shape[1:-1])
    ignored = -100 if ignore_index is None else ignore_index
    return functional.cross_entropy(
        scores, target, weight, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing
    )


def in_chunks_of(
    x: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    linear_bias: Tensor | None,
    weight: Tensor | None,
    reduction: str,
    options: Any,
) -> Tensor:
    """What comes out of it, by its shape, in a call that is heard."""
    tensors = (x, linear_weight, target, linear_bias, weight)
    if has_torch_function(tuple([each for each in tensors if each is not None])):
        heard: Tensor = handle_torch_function(in_chunks_of, tensors, *tensors, reduction, options)
        return heard
    return functional.linear(x, linear_weight, linear_bias).sum()


@rule_for("in_chunks_of")
def in_chunks(
    result: Tensor,
    x: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    linear_bias: Tensor | None,
    weight: Tensor | None,
    reduction: str,
    options: Any,
) -> Proposal:
    given = {name: getattr(options, name) for name in CHUNKING if getattr(options, name) is not None}
    if options.chunking_method is None or options.batch_chunk_size is not None:
        given["chunking_method"] = None
    if options.acc_dtype is not None:
        given["acc_dtype"] = str(options.acc_dtype).removeprefix("torch.")
    fields = {"out_features": linear_weight.shape[0], "bias": linear_bias is not None, "reduction": reduction, **given}
    weights = {"weight": linear_weight, "bias": linear_bias}
    return Proposal("linear_cross_entropy", (x, target, *_given(weight)), fields, weights)


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
