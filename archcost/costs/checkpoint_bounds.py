"""What any way from a state to the end costs at the least: work with bytes at a price, and work by how much is held."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from archcost.costs.checkpoint_ways import ENDLESS, Ways

GRID = (0, *(8**power for power in range(2, 16)))
"""Prices of all orders of magnitude."""

MOST_PRICES = 5


class Price(NamedTuple):
    """Work and bytes in one sum, a byte at `price`: the least sum from each state to the end, and `room` for bytes at
    the network's end. A lower bound of the work of every way (Lagrange)."""

    price: int
    sums: list[int]
    room: int

    @property
    def bound(self) -> int:
        return self.sums[0] - self.price * self.room


def prices(ways: Ways) -> list[Price]:
    """The best of prices over all orders of magnitude, and of some between.

    The bound is concave in the price, as the least of lines, so that the best lie side by side, and most of the others
    need not be worked out.
    """
    room = max(room for room, boundary in zip(ways.room, ways.boundaries, strict=True) if boundary == ways.last)
    tried: dict[int, Price] = {}

    def at(price: int) -> int:
        if price not in tried:
            tried[price] = _priced(ways, price, room)
        return tried[price].bound

    low, high = 0, len(GRID) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if at(GRID[middle]) < at(GRID[middle + 1]) else (low, middle)
    left, right = max(low - 1, 0), min(low + 1, len(GRID) - 1)
    for index in (left, low, right):
        at(GRID[index])
    for _ in range(4):
        best = max(sorted(tried), key=at)
        ordered = sorted(tried)
        near = ordered[max(ordered.index(best) - 1, 0) : ordered.index(best) + 2]
        for lower, higher in pairwise(near):
            at((lower + higher) // 2)
    while True:
        found = sorted(tried.values(), key=lambda each: -each.bound)[:MOST_PRICES]
        outermost = {price.price for price in found}
        if left > 0 and GRID[left] in outermost:
            left -= 1
            at(GRID[left])
        elif right < len(GRID) - 1 and GRID[right] in outermost:
            right += 1
            at(GRID[right])
        else:
            return found


def _priced(ways: Ways, price: int, room: int) -> Price:
    sums = [ENDLESS] * len(ways.steps)
    for state in ways.ends:
        sums[state] = 0
    for state in range(len(sums) - 1, -1, -1):
        steps = ways.steps[state]
        byte = price if ways.boundaries[state] < ways.last else 0
        if steps:
            sums[state] = min([work + byte * adds + sums[end] for end, work, adds, _, _, _, _ in steps])
    return Price(price, sums, room)


class Bound(NamedTuple):
    """The least work to the end from a state where no more than `most` is held, as two lists in ascending order."""

    most: Sequence[int]
    work: Sequence[int]


def bounds(ways: Ways, width: int) -> list[Bound]:
    """Of every state, from the end: the choices between work and room, neighbours merged into one that beats both."""
    found = [Bound((ENDLESS,), (0,)) if state in ways.ends else Bound((), ()) for state in range(len(ways.steps))]
    for state in range(len(found) - 1, -1, -1):
        held = ways.least[state]
        choices: list[tuple[int, int]] = []
        for end, work, adds, most, _, _, _ in ways.steps[state]:
            behind = found[end]
            least = held + adds
            choices += [
                (work + more, most if most < room - adds else room - adds)
                for room, more in zip(behind.most, behind.work, strict=True)
                if room >= least
            ]
        if choices:
            found[state] = _merged(sorted(choices), width)
    return found


def _merged(choices: Sequence[tuple[int, int]], width: int) -> Bound:
    """Of (work, room), by work: those with more room than all of less work, at most about `width` of them."""
    room: list[int] = []
    work: list[int] = []
    for each, most in choices:
        if not room or most > room[-1]:
            room.append(most)
            work.append(each)
    if len(room) <= width:
        return Bound(room, work)
    stretch = (room[-1] - room[0]) // width + 1
    firsts = [0] + [
        index
        for index in range(1, len(room))
        if (room[index] - room[0]) // stretch > (room[index - 1] - room[0]) // stretch
    ]
    return Bound([room[index - 1] for index in (*firsts[1:], len(room))], [work[index] for index in firsts])


def drop(ways: Ways, prices: Sequence[Price], work: int) -> None:
    """Leave out the steps that no way of less work takes, by the bound of each price."""
    for price in prices:
        sums = [ENDLESS] * len(ways.steps)
        sums[0] = 0
        for state, steps in enumerate(ways.steps):
            byte = price.price if ways.boundaries[state] < ways.last else 0
            most = work + price.price * price.room - sums[state]
            steps[:] = [step for step in steps if step[1] + byte * step[2] + price.sums[step[0]] < most]
            for end, more, adds, _, _, _, _ in steps:
                sums[end] = min(sums[end], sums[state] + more + byte * adds)
