"""Factors of matrices, whose operators return more than their results."""

from __future__ import annotations

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, rule_for


@rule_for("linalg_inv")
def inverse(result: Tensor, x: Tensor) -> Proposal | None:
    return Proposal("inverse", (x,))


@rule_for("linalg_solve")
def solve(result: Tensor, a: Tensor, b: Tensor, *, left: bool = True) -> Proposal | None:
    return Proposal("solve", (a, b)) if left else None


@rule_for("linalg_solve_triangular")
def solve_triangular(
    result: Tensor, a: Tensor, b: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Proposal | None:
    return Proposal("solve_triangular", (a, b), {"upper": upper}) if left and not unitriangular else None
