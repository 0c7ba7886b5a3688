"""The memory of a step at every batch as a few lines, for whoever works it out elsewhere: on a page, say.

Forward and backward are the same whichever optimizer comes after them. So the lines are those of a step without one;
its state lies beside all of them, and its temporaries beside what is left after backward.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from archcost.costs.cpu_kernels import own_memory
from archcost.costs.events import Phase
from archcost.costs.optimizer_storages import bursts, kept_state
from archcost.costs.program import Role
from archcost.costs.timeline import Timeline, learned
from archcost.costs.timeline import highest as walk
from archcost.errors import ArchcostError
from archcost.estimates.batches import MOST, GrowingRun, Growth
from archcost.passes.run import Run
from archcost.sweeps.envelope import Integers, Line, upper
from archcost.sweeps.kernels import Piece, alike, pieces

SEVERAL = 2
"""Samples from which on a step is as many lines."""

FOLLOWED = 1024
"""The largest batch of a step in which a CPU's kernels take whole blocks of some kind: it is followed one by one."""

MOST_LINES = 300
"""Of such a step."""

Bytes = tuple[int, int]
"""base + slope·N."""


class Moment(NamedTuple):
    """Where a step may be at its peak: what lives there, and by role."""

    bytes: Bytes
    phase: Phase
    name: str
    roles: Mapping[Role, Bytes]


class Curve(NamedTuple):
    """Lines, each from its start on, up to the batch `last`."""

    lines: tuple[Line, ...]
    last: int

    def at(self, batch: int) -> int:
        line = self.lines[bisect_right(self.lines, batch, key=lambda line: line.start) - 1]
        return line.base + line.slope * batch

    def values(self, batches: Integers) -> Integers:
        starts, base, slope = np.array(self.lines, np.int64).T
        here = np.searchsorted(starts, batches, "right") - 1
        return base[here] + slope[here] * batches

    def largest(self, limit: int) -> int:
        """The largest batch that takes no more, of a curve that rises; `last` where all do, 0 where none does."""
        for line, beyond in reversed([*pairwise([*self.lines, Line(self.last + 1, 0, 0)])]):
            if line.base + line.slope * line.start <= limit:
                end = beyond.start - 1
                return min(end, (limit - line.base) // line.slope) if line.slope else end
        return 0


def highest(moments: Sequence[Moment]) -> Curve:
    """The highest of those lines."""
    return Curve(tuple(upper(*_columns([each.bytes for each in moments]), SEVERAL, MOST)), MOST)


class Passes(NamedTuple):
    """Forward and backward: the moments that may be the highest, in their order, and what is left at the end."""

    moments: tuple[Moment, ...]
    left: Moment


class Update(NamedTuple):
    """An optimizer: bytes of its state, and of the most that it makes at once beside what it casts, by role."""

    state: int
    name: str
    burst: Mapping[Role, int]


def passes(line: Timeline, base: Sequence[int], slope: Sequence[int], counts_all: bool = False) -> Passes:
    """Of a step without an optimizer, whose storages are base + slope·N bytes; `counts_all` counts workspaces, too.

    Of moments that are equally high the first is told, as a walk over the events would find it.
    """
    counted = [counts_all or held.role != "workspace" for held in line.storages]
    base, slope = (_masked(values, counted) for values in (base, slope))
    first: dict[Bytes, int] = {}
    lives = grows = 0
    for place, event in enumerate(line.events):
        if event < 0:
            lives -= base[~event]
            grows -= slope[~event]
        else:
            lives += base[event]
            grows += slope[event]
            first.setdefault((lives, grows), place)
    chosen = _highest(first)
    end = next(mark.event for mark in line.marks if mark.phase in ("optimizer", "after"))
    *moments, left = _told(line, [*chosen, end - 1], base, slope)
    return Passes(tuple(moments), left)


def most_and_left(line: Timeline, sizes: Sequence[int]) -> tuple[int, int]:
    """Of such a step at one batch, whose storages are of these sizes, the most that lives, and what is left."""
    end = next(mark.event for mark in line.marks if mark.phase in ("optimizer", "after"))
    left = sum([sizes[event] if event >= 0 else -sizes[~event] for event in line.events[:end]])
    return walk(line.events, sizes)[0], left


def _masked(values: Sequence[int], counted: Sequence[bool]) -> list[int]:
    return [value if counts else 0 for value, counts in zip(values, counted, strict=True)]


def _highest(first: Mapping[Bytes, int]) -> list[int]:
    """Events of the lines that are the highest at some batch, and of those that touch them there and come before."""
    hull = upper(*_columns(first), SEVERAL, MOST)
    found = {first[line.base, line.slope] for line in hull}
    for line, beyond in pairwise(hull):
        level, grows = line.base - beyond.base, beyond.slope - line.slope
        if level % grows == 0:  # both are the highest at that batch, and maybe others
            batch = level // grows
            most = line.base + line.slope * batch
            found.add(min([event for (base, slope), event in first.items() if base + slope * batch == most]))
    return sorted(found)


def _columns(lines: Iterable[Bytes]) -> tuple[Integers, Integers]:
    base, slope = np.array(list(lines), np.int64).reshape(-1, 2).T
    return base, slope


def _told(line: Timeline, places: Sequence[int], base: Sequence[int], slope: Sequence[int]) -> Iterable[Moment]:
    """What lives after each of those events, by role. The places rise, but for the last."""
    lives, grows = Counter[Role](), Counter[Role]()
    found: dict[int, Moment] = {}
    wanted = set(places)
    for place, event in enumerate(line.events):
        storage, sign = (event, 1) if event >= 0 else (~event, -1)
        role = line.storages[storage].role
        lives[role] += sign * base[storage]
        grows[role] += sign * slope[storage]
        if place in wanted:
            mark = line.marks[line.mark_at(place)]
            roles: dict[Role, Bytes] = {
                role: (lives[role], grows[role]) for role in lives if lives[role] or grows[role]
            }
            found[place] = Moment((lives.total(), grows.total()), mark.phase, mark.name, roles)
    return [found[place] for place in places]


def update(line: Timeline, run: Run) -> Update:
    """What an optimizer adds to a step that was played without one."""
    trained = learned(line.program)
    state = sum([held.nbytes for held in kept_state(trained, run, line.device)])
    most, found = 0, Update(state, "", {})
    for name, held in bursts(trained, run, line.device):
        nbytes = sum([each.nbytes for each in held])
        if nbytes > most:
            roles = Counter[Role]()
            for each in held:
                roles[each.role] += each.nbytes
            most, found = nbytes, Update(state, name, roles)
    return found


class Demand:
    """What tensors and a CPU's kernels take at the worst moment of forward and backward, without an optimizer. `known`
    are kernels that were followed for other steps of the network."""

    def __init__(self, grown: Growth, threads: int, most: int, known: Followed) -> None:
        runs = alike(list(grown.kernels.items()))
        self.kernels = [known.of(run, threads, most) for run, _ in runs]
        kernel = {storage: index for index, (_, storages) in enumerate(runs) for storage in storages}
        odd = {index for index, each in enumerate(self.kernels) if each.lines is None}
        companies = _companies(grown, kernel)
        self.odd = {company: lines for company, lines in companies.items() if not odd.isdisjoint(company)}
        """Moments by the kernels that run then, one of which is no few lines."""
        even = {company: lines for company, lines in companies.items() if company not in self.odd}
        self.even = _even(even, [each.lines or [] for each in self.kernels], most)

    def at(self, batch: int) -> int:
        most = self.even.at(batch)
        for company, lines in self.odd.items():
            own = sum([self.kernels[index].at(batch) for index in company])
            most = max(most, own + max([base + slope * batch for base, slope in lines]))
        return most

    @cached_property
    def curve(self) -> Curve:
        """Up to FOLLOWED samples, where a kernel is no few lines. Raises ArchcostError where all are no few lines."""
        if not self.odd:
            return self.even
        last = min(self.even.last, FOLLOWED)
        batches = np.arange(SEVERAL, last + 1)
        values = self.even.values(batches)
        for company, lines in self.odd.items():
            own = np.sum([self.kernels[index].values(last) for index in company], axis=0)
            for base, slope in lines:
                np.maximum(values, base + slope * batches + own, out=values)
        found = _lines_through(values.tolist())
        if len(found) > MOST_LINES:
            raise ArchcostError("a CPU's kernels take whole blocks of some kind")
        return Curve(tuple(found), last)


def _lines_through(values: Sequence[int]) -> list[Line]:
    """Of a curve from two samples on."""
    found: list[Line] = []
    for place, value in enumerate(values):
        batch = place + SEVERAL
        if found and found[-1].base + found[-1].slope * batch == value:
            continue
        slope = values[place + 1] - value if place + 1 < len(values) else 0
        found.append(Line(batch, value - slope * batch, slope))
    return found


class Kernel:
    """Passes of a CPU's kernel that are equal: its own memory as lines, None where these are many."""

    def __init__(self, run: GrowingRun, threads: int, most: int) -> None:
        self.run, self.threads = run, threads
        self.lines = pieces(run, threads, SEVERAL, most)
        self.known: dict[int, int] = {}
        self.several: dict[int, Integers] = {}

    def at(self, batch: int) -> int:
        if self.lines is not None:
            piece = _at(self.lines, batch)
            return piece.base + piece.slope * batch
        if batch not in self.known:
            self.known[batch] = own_memory(self.run.at(batch, self.threads), self.run.direction)
        return self.known[batch]

    def values(self, last: int) -> Integers:
        """From two samples to so many."""
        if last not in self.several:
            self.several[last] = np.array([self.at(batch) for batch in range(SEVERAL, last + 1)], np.int64)
        return self.several[last]


class Followed:
    """Kernels that were followed, of all steps of a network."""

    def __init__(self) -> None:
        self.kernels: dict[tuple[object, ...], Kernel] = {}

    def of(self, run: GrowingRun, threads: int, most: int) -> Kernel:
        call = run.second
        key = (id(call.layer), call.inputs, call.outputs, run.third.inputs, frozenset(call.needs), call.pieced)
        key = (*key, run.direction, threads, most)
        if key not in self.kernels:
            self.kernels[key] = Kernel(run, threads, most)  # which holds the layer
        return self.kernels[key]


def _even(companies: Mapping[tuple[int, ...], list[Bytes]], followed: Sequence[Sequence[Piece]], most: int) -> Curve:
    lines: list[Line] = []
    turns = sorted({SEVERAL, *(piece.start for each in followed for piece in each)})
    for start, beyond in pairwise([*turns, most + 1]):
        at = [_at(each, start) if each else Piece(start, 0, 0) for each in followed]
        beside: set[Bytes] = set()
        for company, members in companies.items():
            base, slope = (sum([at[index][field] for index in company]) for field in (1, 2))
            beside.update([(each + base, grows + slope) for each, grows in members])
        for line in upper(*_columns(beside), start, beyond - 1):
            if not lines or lines[-1][1:] != line[1:]:
                lines.append(line)
    return Curve(tuple(lines), most)


def _companies(grown: Growth, kernel: Mapping[int, int]) -> dict[tuple[int, ...], list[Bytes]]:
    """What lives of all else after the events, by the kernels that run then: of each the lines that may be highest."""
    found: dict[tuple[int, ...], dict[Bytes, None]] = {}
    lives = grows = 0
    running: tuple[int, ...] = ()
    here = found.setdefault(running, {})
    for event in grown.line.events:
        storage = event if event >= 0 else ~event
        if storage in kernel:
            index = kernel[storage]
            company = [*running, index] if event >= 0 else [*running]
            if event < 0:
                company.remove(index)
            running = tuple(sorted(company))
            here = found.setdefault(running, {})
        elif event < 0:
            lives -= grown.base[storage]
            grows -= grown.slope[storage]
        else:
            lives += grown.base[storage]
            grows += grown.slope[storage]
        if event >= 0:
            here[lives, grows] = None
    return {
        company: [line[1:] for line in upper(*_columns(lines), SEVERAL, MOST)]
        for company, lines in found.items()
        if lines
    }


def _at(lines: Sequence[Piece], batch: int) -> Piece:
    return next(piece for piece in reversed(lines) if piece.start <= batch)
