"""Dropout: nothing outside training."""

from __future__ import annotations

from torch import Tensor

from archcost.importers.torch.proposal import (
    Proposal,
    overwriting,
    rule_for,
)


@rule_for("dropout")
def dropout(
    result: Tensor, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, train: bool | None = None
) -> Proposal | None:
    if not (training if train is None else train):
        return Proposal("identity", (x,))
    return Proposal("dropout", (x,), {"p": float(p), **overwriting(inplace)})


def _dropped(type_: str, *names: str) -> None:
    def rule(result: Tensor, x: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Proposal:
        return (
            Proposal(type_, (x,), {"p": float(p), **overwriting(inplace)}) if training else Proposal("identity", (x,))
        )

    rule_for(type_, *names)(rule)


for _type in ("dropout1d", "dropout2d", "dropout3d", "alpha_dropout"):
    _dropped(_type)
