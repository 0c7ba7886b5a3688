"""Products of integers, which torch calls as it does those of floats."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, named_dtype, rule_for, rule_of
from archcost.layers import Bmm, Layer, MatMul


def _of_any_dtype(kind: type[Layer]) -> None:
    of_floats = rule_of(kind).function

    def rule(result: Any, *arguments: Any, **named: Any) -> Proposal | None:
        if not isinstance(result, Tensor) or result.is_floating_point() or result.is_complex():
            return of_floats(result, *arguments, **named)
        return integers(result, *arguments, **named)

    rule_for(kind.card.calls[0])(rule)


@rule_for("_int_mm")
def integers(result: Tensor, x: Tensor, y: Tensor) -> Proposal | None:
    """Sums in the dtype of what comes out; of two vectors, or with one, there is no layer."""
    return Proposal("integer_matmul", (x, y), named_dtype(result.dtype)) if min(x.dim(), y.dim()) > 1 else None


_of_any_dtype(MatMul)
_of_any_dtype(Bmm)
