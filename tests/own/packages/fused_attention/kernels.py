"""The kernel behind torch.library, and a module that calls it. On a CPU it is composed, so that it can be tried."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


@torch.library.custom_op("fused_attention::attend", mutates_args=())
def attend(query: Tensor, key: Tensor, value: Tensor, causal: bool = False) -> tuple[Tensor, Tensor]:
    """The output, and the logarithm of each row's sum, which backward needs."""
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), float("-inf"))
    return scores.softmax(-1) @ value, scores.float().logsumexp(-1)


@attend.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, causal: bool = False) -> tuple[Tensor, Tensor]:
    return query.new_empty(query.shape), query.new_empty(query.shape[:-1], dtype=torch.float32)


@torch.library.custom_op("fused_attention::attend_backward", mutates_args=())
def attend_backward(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, output: Tensor, sums: Tensor, causal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    scale = query.shape[-1] ** -0.5
    scores = query @ key.transpose(-1, -2) * scale - sums.to(query.dtype).unsqueeze(-1)
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), float("-inf"))
    weights = scores.exp()
    of_scores = weights * (gradient @ value.transpose(-1, -2) - (gradient * output).sum(-1, keepdim=True)) * scale
    return of_scores @ key, of_scores.transpose(-1, -2) @ query, weights.transpose(-1, -2) @ gradient


@attend_backward.register_fake
def _(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, output: Tensor, sums: Tensor, causal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def keep(ctx: Any, inputs: Any, output: Any) -> None:
    query, key, value, ctx.causal = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(query, key, value, *output)


def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    return (*attend_backward(gradient, *ctx.saved_tensors, ctx.causal), None)


attend.register_autograd(backward, setup_context=keep)


class Block(nn.Module):
    """Self-attention of `heads` heads through the kernel."""

    def __init__(self, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = [each.contiguous() for each in heads.unbind()]
        mixed, _ = attend(query, key, value, causal=True)
        return self.out(mixed.transpose(1, 2).flatten(2))
