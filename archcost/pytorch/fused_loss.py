"""The head and cross entropy in one, as Liger-Kernel 0.8 runs them on a GPU, in torch's own operators.

It allocates what Liger does; where Liger runs a kernel of Triton's, or a product of CUDA's that the CPU lacks, an
operator of ours stands for it, which allocates nothing that outlives it.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from archcost.layers.loss.chunked_by_liger import rows_at_once

IGNORED = -100


@torch.library.custom_op("archcost::score_gradients_", mutates_args=("scores", "losses"))
def score_gradients_(scores: Tensor, labels: Tensor, losses: Tensor, count: int) -> None:
    """Each row's loss, and in place of the scores the gradient of their mean over `count` rows."""
    logarithms = scores.float().log_softmax(1)
    counts = labels != IGNORED
    picked = labels.where(counts, 0).unsqueeze(1)
    losses.copy_(-logarithms.gather(1, picked).squeeze(1) * counts / count)
    gradient = logarithms.exp().scatter_add(1, picked, -torch.ones_like(picked, dtype=torch.float32))
    scores.copy_(gradient * counts.unsqueeze(1) / count)


@torch.library.custom_op("archcost::add_product_", mutates_args=("sums",))
def add_product_(sums: Tensor, left: Tensor, right: Tensor) -> None:
    """sums += left · right, worked out in the dtype of the sums."""
    sums.add_(left.to(sums.dtype) @ right.to(sums.dtype))


class _Fused(torch.autograd.Function):
    """The mean of −log softmax(x·Wᵀ + b) at the labels. Forward works out all gradients; backward hands them out."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor) -> Tensor:
        ctx.learns = rows.requires_grad, weight.requires_grad, bias is not None and bias.requires_grad
        lowered = torch.get_autocast_dtype(rows.device.type) if torch.is_autocast_enabled(rows.device.type) else None
        fits = rows.dtype == weight.dtype == (lowered or rows.dtype)
        gradients: list[Tensor | None] = [torch.zeros_like(rows), None, None]
        if ctx.learns[1]:
            gradients[1] = torch.zeros_like(weight)
        if bias is not None and ctx.learns[2]:
            gradients[2] = torch.zeros_like(bias)
        losses = torch.zeros(len(rows), dtype=torch.float32, device=rows.device)
        counted = labels != IGNORED
        count = int(counted.sum().item())
        chunk = rows_at_once(int(rows.shape[0]), int(rows.shape[1]), int(weight.shape[0]))
        storage = rows.new_empty((chunk, len(weight))) if fits else None
        for start in range(0, len(rows), chunk):
            piece = slice(start, start + chunk)
            scores = _scores(rows[piece], weight, bias, storage)
            score_gradients_(scores, labels[piece], losses[piece], count)
            _add_gradients(scores, rows[piece], weight, [gradients[0][piece], *gradients[1:]], fits)  # pyright: ignore
            del scores
        del storage
        loss = losses.sum()
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx: Any, *arrived: Tensor) -> tuple[Tensor | None, ...]:
        gradients: tuple[Tensor | None, ...] = ctx.saved_tensors
        if not torch.equal(arrived[0], torch.ones((), device=arrived[0].device)):
            for gradient in gradients:
                if gradient is not None:
                    gradient.mul_(arrived[0])
        return (*gradients, None)


def fused_linear_cross_entropy(rows: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor) -> Tensor:
    return _Fused.apply(rows, weight, bias, labels)  # pyright: ignore


def _scores(rows: Tensor, weight: Tensor, bias: Tensor | None, storage: Tensor | None) -> Tensor:
    if storage is None:
        scores = rows @ weight.t()
        return scores if bias is None else scores + bias
    scores = storage[: len(rows)]
    torch.mm(rows, weight.t(), out=scores)
    return scores if bias is None else scores.add_(bias)


def _add_gradients(scores: Tensor, rows: Tensor, weight: Tensor, into: list[Tensor | None], fits: bool) -> None:
    """Of a piece of the rows."""
    of_rows, of_weight, of_bias = into
    if fits:
        torch.mm(scores, weight, out=cast("Tensor", of_rows))
    else:
        cast("Tensor", of_rows).copy_(scores @ weight)
    if of_weight is not None and scores.dtype == torch.float32:
        of_weight += torch.mm(scores.t(), rows).float()
    elif of_weight is not None:
        add_product_(of_weight, scores.t(), rows if rows.dtype == scores.dtype else rows.to(scores.dtype))
    if of_bias is not None:
        torch.add(of_bias, scores.sum(dim=0), out=of_bias)
