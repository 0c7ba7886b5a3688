"""Values put or found by place: scatters, triangles, diagonals, sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import (
    Proposal,
    RuleFunction,
    finite,
    is_number,
    overwriting,
    rule_for,
    samples_in,
)


def _triangle(type_: str) -> RuleFunction:
    def rule(result: Tensor, x: Tensor, diagonal: int = 0) -> Proposal:
        return Proposal(type_, (x,), {"diagonal": diagonal})

    return rule


rule_for("tril")(_triangle("tril"))
rule_for("triu")(_triangle("triu"))


@rule_for("diagonal")
def diagonal(result: Tensor, x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Proposal:
    return Proposal("diagonal", (x,), {"offset": offset, "dim1": dim1, "dim2": dim2})


@rule_for("windows", "aten::unfold")
def windows(result: Tensor, x: Tensor, dimension: int, size: int, step: int) -> Proposal:
    return Proposal("tensor_unfold", (x,), {"dimension": dimension, "size": size, "step": step})


@rule_for("as_strided")
def strided(
    result: Tensor, x: Tensor, size: Sequence[Any], stride: Sequence[Any], storage_offset: int | None = None
) -> Proposal | None:
    """With the batch in the first axis of both alone; samples may lie one behind the other, or side by side."""
    first = x.shape[0] if x.dim() and samples_in(x.shape[0]) else None
    sizes = [-1 if first and axis == 0 and each == first else int(each) for axis, each in enumerate(size)]
    steps = [int(each) for each in stride]
    side_by_side = [axis for axis, each in enumerate(steps) if first and each and each % first == 0]
    strides = [each // first if first and axis in side_by_side else each for axis, each in enumerate(steps)]
    begin = 0 if storage_offset is None else int(storage_offset) - int(x.storage_offset())
    if begin < 0 or any(samples_in(number) for number in (begin, *sizes, *strides)):
        return None
    fields = {"size": sizes, "stride": strides, "batch_strides": side_by_side, "storage_offset": begin}
    return Proposal("as_strided", (x,), fields)


@rule_for("one_hot")
def one_hot(result: Tensor, x: Tensor, num_classes: int = -1) -> Proposal:
    return Proposal("one_hot", (x,), {"num_classes": result.shape[-1]})


@rule_for("bucketize")
def bucketize(result: Tensor, x: Tensor, boundaries: Tensor, *, right: bool = False) -> Proposal:
    return Proposal("bucketize", (x, boundaries), {"right": right})


@rule_for("scatter")
def scatter(
    result: Tensor, x: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, inplace: bool = False
) -> Proposal | None:
    fields: dict[str, Any] = {"dim": dim, **overwriting(inplace)}
    given = value if src is None else src
    if isinstance(given, Tensor):
        return Proposal("scatter", (x, index, given), fields)
    if not is_number(given):
        return None
    return Proposal("scatter", (x, index), {**fields, "value": finite(given)})


def _added(type_: str) -> RuleFunction:
    def rule(result: Tensor, x: Tensor, dim: int, index: Tensor, source: Tensor, inplace: bool = False) -> Proposal:
        return Proposal(type_, (x, index, source), {"dim": dim, **overwriting(inplace)})

    return rule


rule_for("scatter_add")(_added("scatter_add"))
rule_for("index_add")(_added("index_add"))


@rule_for("masked_scatter")
def masked_scatter(result: Tensor, x: Tensor, mask: Tensor, source: Tensor, inplace: bool = False) -> Proposal:
    return Proposal("masked_scatter", (x, mask, source), overwriting(inplace))
