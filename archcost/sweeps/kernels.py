"""What a CPU's kernels allocate for themselves, at many batches: lines that change at a few batches."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, cast

import numpy as np

from archcost.costs.cpu_call import Direction
from archcost.costs.cpu_kernels import own_memory
from archcost.estimates.batches import GrowingRun
from archcost.sweeps.envelope import Integers
from archcost.sweeps.samples import Samples, Span
from archcost.tensors import Tensors, TensorType

MOST = 40
"""Lines before a kernel is worked out for each batch: what it takes is then in whole blocks of some kind."""


class Piece(NamedTuple):
    """base + slope·N bytes from the batch `start` on."""

    start: int
    base: int
    slope: int


def pieces(run: GrowingRun, threads: int, first: int, last: int) -> list[Piece] | None:
    """The kernel's own memory as lines, each for a range of batches; None where there are too many."""
    found: list[Piece] = []
    batch = first
    while batch <= last:
        if len(found) == MOST:
            return None
        piece, batch = _piece(run, threads, batch, last)
        found.append(piece)
    return found


def each(run: GrowingRun, threads: int, batches: Integers) -> Integers:
    """The kernel's own memory at each batch."""
    return np.array([own_memory(run.at(batch, threads), run.direction) for batch in batches.tolist()], np.int64)


def _piece(run: GrowingRun, threads: int, batch: int, last: int) -> tuple[Piece, int]:
    """The line at a batch, and the first batch for which it no longer holds."""
    span = Span(batch, batch, last)
    call = run.second._replace(
        inputs=_followed(run.second.inputs, run.third.inputs, span),
        outputs=_followed(run.second.outputs, run.third.outputs, span),
        threads=threads,
    )
    told = cast("Samples | int | Fraction | float", own_memory(call, run.direction))
    base, slope = (told.base, told.slope) if isinstance(told, Samples) else (told, 0)
    if span.is_single or base != int(base) or slope != int(slope):
        return Piece(batch, own_memory(run.at(batch, threads), run.direction), 0), batch + 1
    return Piece(batch, int(base), int(slope)), span.highest + 1


def _followed(second: Tensors, third: Tensors, span: Span) -> Tensors:
    return tuple([_tensor(two, three, span) for two, three in zip(second, third, strict=True)])


def _tensor(second: TensorType, third: TensorType, span: Span) -> TensorType:
    """The tensor with `Samples` for sizes that grow with the batch, which a rule uses like integers."""
    shape = [
        two if two == three else cast("int", Samples(span, two - 2 * (three - two), three - two))
        for two, three in zip(second.shape, third.shape, strict=True)
    ]
    return TensorType(tuple(shape), second.dtype)


def alike(runs: Sequence[tuple[int, GrowingRun]]) -> list[tuple[GrowingRun, list[int]]]:
    """Runs that are the same, with their storages: equal layers are one object."""
    found: dict[tuple[int, Tensors, Tensors, frozenset[object], bool, Direction], tuple[GrowingRun, list[int]]] = {}
    for storage, run in runs:
        call = run.second
        key = (id(call.layer), call.inputs, call.outputs, frozenset(call.needs), call.pieced, run.direction)
        found.setdefault(key, (run, []))[1].append(storage)
    return list(found.values())
