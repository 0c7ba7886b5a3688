"""Products of integers, which torch calls as it does those of floats, and by weights of few bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archcost.importers.torch.proposal import Proposal, composite, named_dtype, rule_for, rule_of
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


@composite("_weight_int8pack_mm")
def by_int8(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    """A matrix (out, in) of bytes with a scale for each row, as floats."""
    return x.matmul(weight.to(x.dtype).t()) * scales


@composite("_weight_int4pack_mm", "_weight_int4pack_mm_for_cpu")
def by_int4(x: Tensor, packed: Tensor, group: int, scales_and_zeros: Tensor) -> Tensor:
    """A matrix of four bits, in whatever order its values lie, with a scale and a zero point for `group` of a row."""
    blocks, out = scales_and_zeros.shape[:2]
    each = packed.element_size() * 2
    values = torch.stack([packed >> 4 * place & 15 for place in range(each)], -1)
    weight = values.reshape(out, blocks, group).to(x.dtype)
    scale, zero = (scales_and_zeros.select(-1, index).t().unsqueeze(-1) for index in (0, 1))
    return x.matmul(((weight - 8) * scale + zero).reshape(out, blocks * group).t())
