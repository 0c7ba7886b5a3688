"""Where the boxes of a graph stand: ranks in columns, of which every second goes up again.

Ranks are the longest ways from the inputs (Sugiyama, Tagawa and Toda 1981, with the mean of the neighbours as the order
in a rank). A deep network would be a thin strip, so its ranks go down one column and up the next: an encoder and its
decoder then stand side by side, with the connections between them across.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

Point = tuple[float, float]

MOST_RANKS = 13
"""In a column."""

SWEEPS = 8


class Layout(NamedTuple):
    """Centres of the boxes, in widths and heights of a box with the space around it; y grows downwards."""

    centres: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    """Of each arrow, from box to box; three points and more where it passes ranks in its column."""
    columns: tuple[int, ...]
    """Of each box."""
    ends: tuple[tuple[bool, bool], ...]
    """Of each box, whether it is the leftmost and the rightmost of its rank."""
    gutters: tuple[float, ...]
    """The middle between each column and the one before."""
    width: float
    height: float


@dataclass(slots=True)
class Spot:
    """A place in a rank: of a box, or of an arrow that passes."""

    size: float
    at: float = 0.0


PASSING = 0.3
"""Of the width of a box: what an arrow that passes takes."""

GUTTER = 0.4
"""Between columns."""


def layout(count: int, arrows: Sequence[tuple[int, int]]) -> Layout:
    """Arrows lead from boxes to later ones; those that lead back have no say in the ranks."""
    ranks = _ranks(count, arrows)
    deepest = max(ranks, default=0) + 1
    in_column = -(-deepest // -(-deepest // MOST_RANKS))
    columns = [rank // in_column for rank in ranks]
    spots: list[Spot] = [Spot(1.0) for _ in range(count)]
    rows: dict[int, list[int]] = defaultdict(list)
    for box, rank in enumerate(ranks):
        rows[rank].append(box)
    links: list[tuple[int, int]] = []
    passes: dict[int, list[int]] = {}
    for number, (source, target) in enumerate(arrows):
        if columns[source] != columns[target] or ranks[target] <= ranks[source]:
            continue
        way = [source]
        for rank in range(ranks[source] + 1, ranks[target]):
            rows[rank].append(len(spots))
            way.append(len(spots))
            spots.append(Spot(PASSING))
        way.append(target)
        links += pairwise(way)
        passes[number] = way
    _arrange(rows, links, spots)
    return _placed(ranks, columns, in_column, rows, spots, arrows, passes, count)


def _ranks(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """Inputs that are read late stand one above their first reader."""
    reads: dict[int, list[int]] = defaultdict(list)
    leads: dict[int, list[int]] = defaultdict(list)
    for source, target in arrows:
        if source < target:
            reads[target].append(source)
            leads[source].append(target)
    ranks = [0] * count
    for box in range(count):
        ranks[box] = max((ranks[source] + 1 for source in reads[box]), default=0)
    for box in reversed(range(count)):
        if not reads[box] and leads[box]:
            ranks[box] = max(0, min(ranks[target] for target in leads[box]) - 1)
    return ranks


def _arrange(rows: Mapping[int, list[int]], links: Sequence[tuple[int, int]], spots: Sequence[Spot]) -> None:
    """Order the spots of each rank by the mean of their neighbours, then move them there as far as there is room."""
    above: dict[int, list[int]] = defaultdict(list)
    below: dict[int, list[int]] = defaultdict(list)
    for source, target in links:
        above[target].append(source)
        below[source].append(target)
    for row in rows.values():
        _spread(row, spots, [0.0] * len(row))
    order = sorted(rows)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for rank in order if down else reversed(order):
            row = rows[rank]
            wanted = {spot: _mean([spots[other].at for other in neighbours[spot]], spots[spot].at) for spot in row}
            if sweep < SWEEPS - 2:
                row.sort(key=lambda spot: wanted[spot])
            _spread(row, spots, [wanted[spot] for spot in row])


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _spread(row: Sequence[int], spots: Sequence[Spot], wanted: Sequence[float]) -> None:
    """As near to where they want to be as their sizes allow: the mean of pushing right and pushing left."""
    gaps = [(spots[a].size + spots[b].size) / 2 for a, b in pairwise(row)]
    right, left = list(wanted), list(wanted)
    for index, gap in enumerate(gaps):
        right[index + 1] = max(right[index + 1], right[index] + gap)
    for index in range(len(gaps) - 1, -1, -1):
        left[index] = min(left[index], left[index + 1] - gaps[index])
    for spot, one, other in zip(row, right, left, strict=True):
        spots[spot].at = (one + other) / 2


def _placed(
    ranks: Sequence[int],
    columns: Sequence[int],
    in_column: int,
    rows: Mapping[int, Sequence[int]],
    spots: Sequence[Spot],
    arrows: Sequence[tuple[int, int]],
    passes: Mapping[int, Sequence[int]],
    count: int,
) -> Layout:
    left, right = dict[int, float](), dict[int, float]()
    rank_of = {spot: rank for rank, row in rows.items() for spot in row}
    for spot, rank in rank_of.items():
        column, half = rank // in_column, spots[spot].size / 2
        left[column] = min(left.get(column, 0.0), spots[spot].at - half)
        right[column] = max(right.get(column, 0.0), spots[spot].at + half)
    starts, gutters, x = dict[int, float](), list[float](), 0.0
    for column in sorted(left):
        gutters.append(x - GUTTER / 2)
        starts[column] = x - left[column]
        x += right[column] - left[column] + GUTTER

    def point(spot: int) -> Point:
        column, row = divmod(rank_of[spot], in_column)
        return starts[column] + spots[spot].at, float(row if column % 2 == 0 else in_column - 1 - row)

    centres = tuple(point(box) for box in range(count))
    ends = tuple((rows[rank][0] == box, rows[rank][-1] == box) for box, rank in enumerate(ranks))
    routes = [tuple(map(point, passes.get(number, pair))) for number, pair in enumerate(arrows)]
    height = float(min(in_column, max(ranks, default=0) + 1))
    return Layout(centres, tuple(routes), tuple(columns), ends, tuple(gutters), x - GUTTER, height)
