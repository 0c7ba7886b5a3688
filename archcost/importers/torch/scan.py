"""Running sums and orders, whose arguments are no fields of a layer as they stand."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, named_dtype, rule_for


@rule_for("cumsum")
def cumsum(result: Tensor, x: Tensor, dim: int, *, dtype: Any = None) -> Proposal | None:
    return Proposal("cumsum", (x,), {"dim": dim} | named_dtype(dtype)) if result.dtype == x.dtype else None


@rule_for("cumprod")
def cumprod(result: Tensor, x: Tensor, dim: int, *, dtype: Any = None) -> Proposal | None:
    return Proposal("cumprod", (x,), {"dim": dim}) if dtype is None and result.dtype == x.dtype else None


def _ordered(type_: str) -> None:
    def rule(result: Any, x: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Proposal:
        """Whether equals keep their order, no cost depends on."""
        return Proposal(type_, (x,), {"dim": dim, "descending": descending})

    rule_for(type_)(rule)


_ordered("sort")
_ordered("argsort")
