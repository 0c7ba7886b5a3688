"""Sequences of different lengths that are packed for a recurrent layer: how long each is, values decide.

Taken as if all were as long as the longest may be, which is assumed in words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from archcost.importers.torch.proposal import composite

FULL_LENGTH = "every packed sequence is as long as its tensor, whatever length it is given"

ASSUMED = {"_pack_padded_sequence": FULL_LENGTH}
"""By the name of a call what reading it rests on."""

RECURRENT = frozenset(["lstm", "gru", "rnn_tanh", "rnn_relu"])


def packed_name(name: str, args: Any) -> str:
    """The name of a call of a recurrent operator, told apart where its input is packed: (data, batch_sizes, hx, …)."""
    is_packed = name in RECURRENT and len(args) > 3 and isinstance(args[3], (list, tuple))
    return f"packed_{name}" if is_packed else name


@composite("_pack_padded_sequence")
def pack(x: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    """The steps one behind the other, and how many sequences each has: all."""
    steps = x.transpose(0, 1) if batch_first else x
    return steps.reshape(-1, *steps.shape[2:]), torch.full((steps.shape[0],), steps.shape[1], device="cpu")


@composite("_pad_packed_sequence")
def unpack(
    data: Tensor, batch_sizes: Tensor, batch_first: bool, padding_value: float, total_length: int
) -> tuple[Tensor, Tensor]:
    steps = in_steps(data, batch_sizes)
    count, samples = steps.shape[:2]
    if total_length > count:
        steps = functional.pad(steps, (0, 0) * (steps.dim() - 1) + (0, total_length - count), value=padding_value)
    return steps.transpose(0, 1) if batch_first else steps, torch.full((samples,), count, device="cpu")


def in_steps(data: Tensor, batch_sizes: Tensor) -> Tensor:
    """(steps, sequences, features) of what `pack` has made."""
    return data.reshape(len(batch_sizes), -1, *data.shape[1:])


def _packed(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(data: Tensor, batch_sizes: Tensor, hx: Any, weights: Any, *settings: Any) -> Any:
        result, *states = function(in_steps(data, batch_sizes), hx, weights, *settings, False)
        return result.reshape(-1, result.shape[-1]), *states

    return run


for _name in RECURRENT:
    composite(f"packed_{_name}")(_packed(getattr(torch, _name)))
