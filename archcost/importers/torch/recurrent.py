"""Recurrent layers, and sequences of different lengths that are packed for them: how long each is, values decide.

Taken as if all were as long as the longest may be, which is assumed in words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from archcost.importers.torch.proposal import Proposal, RuleFunction, composite, rule_for


def _recurrent(type_: str, **fixed: Any) -> RuleFunction:
    """Of a sequence. First states that are constants, such as the module's own zeros, are as good as none."""

    def rule(
        result: Any,
        x: Tensor,
        hx: Any,
        weights: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Proposal | None:
        first = tuple(cast("Sequence[Tensor]", hx)) if isinstance(hx, (list, tuple)) else (cast("Tensor", hx),)
        directions = 2 if bidirectional else 1
        projected = len(weights) == ((5 if has_biases else 3) * num_layers * directions) and type_ == "lstm"
        kinds = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if has_biases else ()))
        kinds += ("weight_hr",) if projected else ()
        if len(weights) != len(kinds) * num_layers * directions:
            return None
        fields = {
            "hidden_size": weights[0].shape[0] // {"lstm": 4, "gru": 3, "rnn": 1}[type_],
            "num_layers": num_layers,
            "bias": has_biases,
            "batch_first": batch_first,
            "bidirectional": bidirectional,
            **fixed,
        }
        if projected:
            fields["proj_size"] = weights[1].shape[1]
        if dropout and train and num_layers > 1:
            fields["dropout"] = float(dropout)
        ways = ("", "_reverse") if bidirectional else ("",)
        names = [f"{kind}_l{layer}{way}" for layer in range(num_layers) for way in ways for kind in kinds]
        return Proposal(type_, (x,), fields, dict(zip(names, weights, strict=True)), spared=first)

    return rule


rule_for("lstm")(_recurrent("lstm"))
rule_for("gru")(_recurrent("gru"))
rule_for("rnn_tanh")(_recurrent("rnn", nonlinearity="tanh"))
rule_for("rnn_relu")(_recurrent("rnn", nonlinearity="relu"))


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
