"""Products of groups of rows as torch makes them on the CPU (native/GroupedMMUtils.h): a product for each group.

Torch's own takes rows of whole 16 bytes alone, and bfloat16 alone on the meta device; this one takes any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor


def _groups(rows: Tensor, matrices: Tensor) -> Iterator[tuple[int, slice]]:
    """As equal as they can be: which values say otherwise changes nothing that is counted."""
    count = len(matrices)
    for group in range(count):
        yield group, slice(group * len(rows) // count, (group + 1) * len(rows) // count)


class GroupedProduct(torch.autograd.Function):
    """(S, k) · (E, k, n) → (S, n), and its gradients."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrices: Tensor, ends: Tensor | None) -> Tensor:
        rows_wanted, matrices_wanted = ctx.needs_input_grad[:2]
        if ends is None and (rows_wanted or matrices_wanted):
            ends = torch.empty(len(matrices), dtype=torch.int32, device=rows.device)
        ctx.save_for_backward(rows if matrices_wanted else None, matrices if rows_wanted else None, ends)
        result = rows.new_empty(len(rows), matrices.shape[-1])
        for group, which in _groups(rows, matrices):
            torch.mm(rows[which], matrices[group], out=result[which])
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (gradient,) = gradients
        kept: tuple[Tensor | None, Tensor | None, Tensor] = ctx.saved_tensors
        rows, matrices, ends = kept
        of_rows = of_matrices = None
        if matrices is not None:
            of_rows = gradient.new_empty(len(gradient), matrices.shape[1])
            for group, which in _groups(gradient, ends):
                torch.mm(gradient[which], matrices[group].transpose(0, 1), out=of_rows[which])
        if rows is not None:
            of_matrices = gradient.new_empty(len(ends), rows.shape[1], gradient.shape[1])
            for group, which in _groups(gradient, ends):
                torch.mm(rows[which].transpose(0, 1), gradient[which], out=of_matrices[group])
        return of_rows, of_matrices, None


def grouped_product(rows: Tensor, matrices: Tensor, ends: Tensor | None = None) -> Tensor:
    product = cast("Callable[..., Tensor]", GroupedProduct.apply)  # pyright: ignore[reportUnknownMemberType]
    return product(rows, matrices, ends)
