"""The most that lives at once, for many batches at once.

A storage of a + b·N bytes grows by a line, and so does what lives after each event. The most is the upper envelope of
these lines, and each batch needs the one line, or the few, that may be the highest there. An allocator that hands out
whole blocks adds to each storage what is missing to the next block; that is a matter of the batch's remainder alone,
and of as many sawteeth as there are remainders of a and b.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archcost.errors import ArchcostError

Integers = NDArray[np.int64]
NOBODY = frozenset[int]()


class Line(NamedTuple):
    """The highest of all lines from a batch on, until that of the next."""

    start: int
    base: int
    slope: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of storages by number: `base` + `slope`·N at batch N; those in `odd` have their own at each batch."""

    base: Integers
    slope: Integers
    odd: Mapping[int, Integers]


def most_alive(events: Sequence[int], sizes: Sizes, batches: Integers, block: int = 1) -> Integers:
    """Bytes at the worst moment of a step, each storage rounded up to whole blocks; `batches` are in rising order.

    An event is the number of a storage that comes, or ~number of one that goes. Raises ArchcostError where 64 bits do
    not hold the bytes.
    """
    most = np.zeros(len(batches), np.int64)
    if not len(batches):
        return most
    changed, signs = _changes(events)
    _require_64_bits(sizes, changed[signs > 0], int(batches[-1]))
    rounded = {storage: -(-values // block) * block for storage, values in sizes.odd.items()}
    base, teeth, tooth = _teeth(sizes, block)
    columns = [base[changed], sizes.slope[changed], *(tooth[changed] == each for each in range(len(teeth)))]
    moments = np.cumsum(np.stack(columns, axis=1) * signs[:, None], axis=0)
    for odd, members in _followed_by(changed, signs, rounded).items():
        lines = np.unique(moments[members], axis=0)
        beside = sum((rounded[storage] for storage in odd), np.zeros(len(batches), np.int64))
        np.maximum(most, _highest(lines, teeth, block, batches) + beside, out=most)
    return most


def _changes(events: Sequence[int]) -> tuple[Integers, Integers]:
    """The storages that come and go, and 1 or −1."""
    listed = np.array(events, np.int64)
    comes = listed >= 0
    return np.where(comes, listed, ~listed), np.where(comes, 1, -1)


def _require_64_bits(sizes: Sizes, coming: Integers, batch: int) -> None:
    largest = int(np.sum(np.abs(sizes.base[coming]), dtype=object)) + batch * int(
        np.sum(np.abs(sizes.slope[coming]), dtype=object)
    )
    if largest >= 2**62:
        raise ArchcostError(
            "so many samples are more bytes than 64 bits count", expected="smaller batches", found=f"{batch:,}"
        )


def _teeth(sizes: Sizes, block: int) -> tuple[Integers, Integers, Integers]:
    """Bases, rounded where that is the same for every batch; the sawteeth of the others, by the remainders of their
    base and slope; and which of these each storage has, −1 for none."""
    missing = -sizes.base % block
    grows = sizes.slope % block != 0
    base = np.where(grows, sizes.base, sizes.base + missing)
    remainders = np.stack([sizes.base % block, sizes.slope % block], axis=1)
    tooth = np.full(len(base), -1, np.int64)
    if not grows.any():
        return base, np.zeros((0, 2), np.int64), tooth
    teeth, which = np.unique(remainders[grows], axis=0, return_inverse=True)
    tooth[grows] = which.ravel()
    return base, teeth, tooth


def _followed_by(changed: Integers, signs: Integers, odd: Mapping[int, Integers]) -> dict[frozenset[int], Integers]:
    """The events that bring something, by the storages of odd sizes that live after them."""
    coming = np.flatnonzero(signs > 0)
    if not odd:
        return {NOBODY: coming}
    found: dict[frozenset[int], list[Integers]] = {}
    alive: set[int] = set()
    turns = set(np.flatnonzero(np.isin(changed, list(odd))).tolist())
    for start, end in pairwise(sorted({0, *turns, len(changed)})):
        if start in turns:
            alive ^= {int(changed[start])}
        found.setdefault(frozenset(alive), []).append(coming[(coming >= start) & (coming < end)])
    return {company: np.concatenate(parts) for company, parts in found.items() if any(len(part) for part in parts)}


def _highest(lines: Integers, teeth: Integers, block: int, batches: Integers) -> Integers:
    """The most of a + b·N and what is missing to whole blocks, at each batch. A line is a, b, and how many storages
    have each of the teeth."""
    base, slope, counts = lines[:, 0], lines[:, 1], lines[:, 2:]
    first, last = int(batches[0]), int(batches[-1])
    bare = upper(base, slope, first, last)
    starts = np.array(_split(bare, first, last), np.int64)
    ends = np.append(starts[1:] - 1, last)
    under = np.searchsorted(np.array([line.start for line in bare]), starts, "right") - 1
    floor_base, floor_slope = (np.array([line[field] for line in bare])[under] for field in (1, 2))
    slack = counts @ _tooth_heights(teeth, block)
    most = np.zeros(len(batches), np.int64)
    missing = -(teeth[:, 0] + teeth[:, 1] * (batches[:, None] % block)) % block if len(teeth) else None
    for start, end, low_base, low_slope in zip(starts, ends, floor_base, floor_slope, strict=True):
        here = slice(*np.searchsorted(batches, [start, end + 1]))
        if here.start == here.stop:
            continue
        above = np.maximum(
            base + slack - low_base + (slope - low_slope) * start, base + slack - low_base + (slope - low_slope) * end
        )
        for index in np.flatnonzero(above >= 0):
            value = base[index] + slope[index] * batches[here]
            if missing is not None:
                for tooth in np.flatnonzero(counts[index]):
                    value += counts[index, tooth] * missing[here, tooth]
            np.maximum(most[here], value, out=most[here])
    return most


def _tooth_heights(teeth: Integers, block: int) -> Integers:
    """The most bytes by which rounding to blocks can raise a storage at any batch."""
    if not len(teeth):
        return np.zeros(0, np.int64)
    return (-(teeth[:, :1] + teeth[:, 1:] * np.arange(block)) % block).max(axis=1)


def _split(lines: Sequence[Line], first: int, last: int) -> list[int]:
    """Batches at which to split the range: where lines cross, and doublings, as near the first many are highest."""
    doubled: list[int] = []
    batch = first
    while batch <= last:
        doubled.append(batch)
        batch *= 2
    return sorted({*doubled, *(line.start for line in lines)})


def upper(base: Integers, slope: Integers, first: int, last: int) -> list[Line]:
    """The upper envelope over the integers from `first` to `last`, in their order."""
    steepest: dict[int, int] = {}
    for level, grows in zip(base.tolist(), slope.tolist(), strict=True):
        if grows not in steepest or level > steepest[grows]:
            steepest[grows] = level
    found: list[Line] = []
    for grows in sorted(steepest):
        level, start = steepest[grows], first
        while found:
            top = found[-1]
            # the first batch at which this one is above the other
            start = max(first, (top.base - level) // (grows - top.slope) + 1)
            if start > top.start:
                break
            found.pop()
        start = start if found else first
        if start <= last:
            found.append(Line(start, level, grows))
    return found
