"""Complex numbers: calls that mean another layer where they are given some."""

from __future__ import annotations

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, composite, overwriting, rule_for


@rule_for("abs")
def absolute(result: Tensor, x: Tensor, inplace: bool = False) -> Proposal:
    return Proposal("magnitude", (x,)) if x.is_complex() else Proposal("abs", (x,), overwriting(inplace))


@rule_for("resolve_conj")
def resolve_conj(result: Tensor, x: Tensor) -> Proposal | None:
    """A copy where signs were still to be turned; else torch returns what it was given."""
    return Proposal("clone", (x,)) if x.is_conj() else None


@composite("adjoint", "get:H", "get:mH")
def adjoint(x: Tensor) -> Tensor:
    turned = x.transpose(-2, -1)
    return turned.conj() if x.is_complex() else turned
