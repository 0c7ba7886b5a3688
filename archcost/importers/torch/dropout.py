"""Dropout: nothing outside training."""

from __future__ import annotations

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, overwriting, rule_for


@rule_for("dropout")
def dropout(
    result: Tensor, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, train: bool | None = None
) -> Proposal:
    return _dropped("dropout", x, p, training if train is None else train, inplace)


def _dropped(type_: str, x: Tensor, p: float, training: bool, inplace: bool) -> Proposal:
    return Proposal(type_, (x,), {"p": float(p), **overwriting(inplace)}) if training else Proposal("identity", (x,))


def _as(type_: str) -> None:
    def rule(result: Tensor, x: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Proposal:
        return _dropped(type_, x, p, training, inplace)

    rule_for(type_)(rule)


for _type in ("dropout1d", "dropout2d", "dropout3d", "alpha_dropout"):
    _as(_type)
