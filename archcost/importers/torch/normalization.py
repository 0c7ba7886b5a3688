"""Norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, rule_for


def _norm(
    type_: str,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    *statistics: Tensor | None,
    scale: str = "affine",
    **fields: Any,
) -> Proposal | None:
    """A scale without a shift is told apart; without a scale there is nothing to tell, and a shift alone is no layer.
    `statistics` are the running mean and variance.
    """
    if weight is None and bias is not None:
        return None
    fields[scale] = weight is not None
    if weight is not None and bias is None:
        fields["bias"] = False
    running = dict(zip(("running_mean", "running_var"), statistics, strict=False))
    if running:
        fields["track_running_stats"] = running["running_mean"] is not None
    return Proposal(type_, (x,), fields, {"weight": weight, "bias": bias, **running})


@rule_for("batch_norm")
def batch_norm(
    result: Tensor,
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> Proposal | None:
    if x.dim() > 5:
        return None
    type_ = f"batch_norm{max(x.dim() - 2, 1)}d"
    fields: dict[str, Any] = {"eps": eps, "momentum": momentum, **({} if training else {"training": False})}
    return _norm(type_, x, weight, bias, running_mean, running_var, **fields)


@rule_for("torch.batch_norm")
def batch_norm_of_torch(
    result: Tensor,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Proposal | None:
    return batch_norm(result, x, running_mean, running_var, weight, bias, training, momentum, eps)


@rule_for("instance_norm")
def instance_norm(
    result: Tensor,
    x: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Proposal | None:
    if not use_input_stats:
        return None
    type_ = f"instance_norm{x.dim() - 2}d"
    return _norm(type_, x, weight, bias, running_mean, running_var, eps=eps, momentum=momentum)


@rule_for("layer_norm")
def layer_norm(
    result: Tensor,
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Proposal | None:
    shape = list(normalized_shape)
    return _norm("layer_norm", x, weight, bias, scale="elementwise_affine", eps=eps, normalized_shape=shape)


@rule_for("rms_norm")
def rms_norm(
    result: Tensor,
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Proposal:
    fields = {"eps": eps, "elementwise_affine": weight is not None, "normalized_shape": list(normalized_shape)}
    return Proposal("rms_norm", (x,), fields, {"weight": weight})


@rule_for("group_norm")
def group_norm(
    result: Tensor,
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Proposal | None:
    return _norm("group_norm", x, weight, bias, eps=eps, num_groups=num_groups)


@rule_for("_weight_norm")
def weight_norm(result: Tensor, directions: Tensor, lengths: Tensor, dim: int = 0) -> Proposal | None:
    """With torch's own kernel for the first axis and the last; it composes the others, and -1, which is all of them."""
    if dim not in (0, directions.dim() - 1):
        return None
    return Proposal("weight_norm", (directions, lengths), {"dim": dim})
