"""A run of operations that backward computes again, and how much of it that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archcost.costs.program import Op


class Segment(NamedTuple):
    """Operations from `first` up to `end`, computed again in backward. A checkpoint holds the storages `takes`.

    A `reentrant` one runs all of them again, and then a backward of its own within the other: all that has arrived,
    what it put out again and what it holds live until that is done (CheckpointFunction in torch/utils/checkpoint.py).
    """

    first: int
    end: int
    takes: tuple[int, ...]
    reentrant: bool = False


def recomputed(ops: Sequence[Op], segment: Segment) -> list[tuple[int, bool]]:
    """The operations that run a second time, by number, and whether each really runs.

    torch/utils/checkpoint.py stops as soon as it has everything; the last operation that keeps anything does not run
    when that is only what arrives, because inputs are saved before it computes.
    """
    if segment.reentrant:
        return [(index, True) for index in range(segment.first, segment.end)]
    saving = [index for index in range(segment.first, segment.end) if ops[index].saved]
    if not saving:
        return []
    return [(index, index != saving[-1] or ops[index].runs_to_save) for index in range(segment.first, saving[-1] + 1)]
