"""Recurrent networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, RuleFunction, rule_for


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
