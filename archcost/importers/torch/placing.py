"""Values put or found by place: scatters, triangles, diagonals, sliding windows, orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import Drawn, Rule, finite, is_number, leaf, overwriting, samples_in


def _ordered(type_: str) -> Rule:
    def rule(result: Any, x: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Drawn:
        return Drawn(type_, (x,), {"dim": dim, "descending": descending})

    return rule


leaf("sort")(_ordered("sort"))
leaf("argsort")(_ordered("argsort"))


def _triangle(type_: str) -> Rule:
    def rule(result: Tensor, x: Tensor, diagonal: int = 0) -> Drawn:
        return Drawn(type_, (x,), {"diagonal": diagonal})

    return rule


leaf("tril")(_triangle("tril"))
leaf("triu")(_triangle("triu"))


@leaf("diagonal")
def diagonal(result: Tensor, x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Drawn:
    return Drawn("diagonal", (x,), {"offset": offset, "dim1": dim1, "dim2": dim2})


@leaf("windows", "aten::unfold")
def windows(result: Tensor, x: Tensor, dimension: int, size: int, step: int) -> Drawn:
    return Drawn("tensor_unfold", (x,), {"dimension": dimension, "size": size, "step": step})


@leaf("as_strided")
def strided(
    result: Tensor, x: Tensor, size: Sequence[Any], stride: Sequence[Any], storage_offset: int | None = None
) -> Drawn | None:
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
    return Drawn("as_strided", (x,), fields)


@leaf("one_hot")
def one_hot(result: Tensor, x: Tensor, num_classes: int = -1) -> Drawn:
    return Drawn("one_hot", (x,), {"num_classes": result.shape[-1]})


@leaf("bucketize")
def bucketize(result: Tensor, x: Tensor, boundaries: Tensor, *, right: bool = False) -> Drawn:
    return Drawn("bucketize", (x, boundaries), {"right": right})


@leaf("scatter")
def scatter(
    result: Tensor, x: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, inplace: bool = False
) -> Drawn | None:
    fields: dict[str, Any] = {"dim": dim, **overwriting(inplace)}
    given = value if src is None else src
    if isinstance(given, Tensor):
        return Drawn("scatter", (x, index, given), fields)
    if not is_number(given):
        return None
    return Drawn("scatter", (x, index), {**fields, "value": finite(given)})


def _added(type_: str) -> Rule:
    def rule(result: Tensor, x: Tensor, dim: int, index: Tensor, source: Tensor, inplace: bool = False) -> Drawn:
        return Drawn(type_, (x, index, source), {"dim": dim, **overwriting(inplace)})

    return rule


leaf("scatter_add")(_added("scatter_add"))
leaf("index_add")(_added("index_add"))


@leaf("masked_scatter")
def masked_scatter(result: Tensor, x: Tensor, mask: Tensor, source: Tensor, inplace: bool = False) -> Drawn:
    return Drawn("masked_scatter", (x, mask, source), overwriting(inplace))
