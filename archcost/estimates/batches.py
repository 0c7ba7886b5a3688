"""The largest batch that a device holds.

Every tensor of a step is a + b·N bytes at batch N, so every moment is, and how many samples fit into it is a
division. What an allocator or a CPU's kernels add is not affine; it is played, and where it is too much the answer is
searched below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from archcost.costs.timeline import Timeline, highest
from archcost.errors import ArchcostError
from archcost.estimates.demand import Demand, Played, caches, demand, fits_at, workspace
from archcost.hardware.overheads import room
from archcost.hardware.profile import HardwareProfile

MOST = 2**31 - 1
"""Of a batch, as of every size in a spec."""

Make = Callable[[int, int | None], Timeline]
"""Batch and threads of the CPU → the timeline; without threads that of the tensors alone."""


class Bound(NamedTuple):
    """A tensor alive at the peak, its bytes, and why it is there."""

    owner: str
    what: str
    nbytes: int
    why: str


class Binding(NamedTuple):
    """The moment of the peak, and its tensors, the largest first."""

    peak: int
    at: str
    tensors: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class Growth:
    """A network's step at every batch: the size of each tensor is `base` + `slope`·N."""

    make: Make
    line: Timeline
    """At two samples."""
    played: Played
    base: tuple[int, ...]
    slope: tuple[int, ...]
    trains: bool

    def sizes(self, batch: int) -> tuple[int, ...]:
        return tuple([base + slope * batch for base, slope in zip(self.base, self.slope, strict=True)])

    def demand(self, batch: int, profile: HardwareProfile) -> Demand:
        """One sample is played by itself: layers may keep or copy other tensors than of several.

        So is every batch on a CPU, for its kernels' sake.
        """
        threads = threads_of(profile)
        if batch == 1 or threads is not None:
            line = self.make(batch, threads)
            return demand(Played.of(line), line.requested, profile, self.trains)
        return demand(self.played, self.sizes(batch), profile, self.trains)

    def fits(self, batch: int, profile: HardwareProfile) -> bool:
        if batch > 1 and caches(profile):
            return fits_at(self.played, self.sizes(batch), profile)
        return self.demand(batch, profile).fits

    def binding(self, batch: int) -> Binding:
        """Where the peak falls at that batch, and what lives there."""
        sizes = self.sizes(batch)
        peak, event = highest(self.line.events, sizes)
        mark = self.line.marks[self.line.mark_at(event)]
        alive = sorted(self.line.alive_at(event), key=lambda alive: -sizes[alive.storage])
        tensors = tuple([Bound(each.held.owner, each.held.what, sizes[each.storage], each.why) for each in alive])
        return Binding(peak, f"{mark.phase} {mark.name}".strip(), tensors)

    def moments(self) -> list[tuple[int, int]]:
        """What lives after each event that brings something: a + b·N bytes. Those that no other exceeds."""
        live = grows = 0
        found: set[tuple[int, int]] = set()
        for event in (*self.played.resident, *self.played.state, *self.played.step):
            if event < 0:
                live -= self.base[~event]
                grows -= self.slope[~event]
            else:
                live += self.base[event]
                grows += self.slope[event]
                found.add((live, grows))
        return _envelope(found)


def growth(make: Make) -> Growth:
    """From two batches, and a third that must lie on their line. Raises ArchcostError where it does not."""
    first, second, third = make(2, None), make(3, None), make(5, None)
    slope = tuple([b - a for a, b in zip(first.requested, second.requested, strict=True)])
    base = tuple([a - 2 * b for a, b in zip(first.requested, slope, strict=True)])
    grown = Growth(make, first, Played.of(first), base, slope, first.run.trains)
    if first.events != second.events or grown.sizes(5) != third.requested:
        raise ArchcostError(f"{first.graph.name}: memory does not grow evenly with the batch")
    return grown


def largest_batch(grown: Growth, profile: HardwareProfile) -> int:
    """0 when not even one sample fits."""
    most = _most(grown, profile)
    if most < 1:
        return 0
    below = _excess(grown, most, profile)
    if below == 0:
        return most
    fits, fails = 0, most
    while fits == 0 and below < most:  # it is seldom far below
        if grown.fits(most - below, profile):
            fits = most - below
        else:
            fails = most - below
            below *= 4
    middle = fits + 1
    while fails - fits > 1:
        if grown.fits(middle, profile):
            fits = middle
        else:
            fails = middle
        middle = (fits + fails) // 2
    return fits


def _excess(grown: Growth, batch: int, profile: HardwareProfile) -> int:
    """About how many samples too many that batch has; 0 when it fits."""
    if caches(profile):
        return 0 if grown.fits(batch, profile) else 1
    needed, _, fits, _ = grown.demand(batch, profile)
    return 0 if fits else max(1, (needed - room(profile)) * batch // needed)


def threads_of(profile: HardwareProfile) -> int | None:
    """Of a CPU that runs torch, which takes one a core."""
    if profile.kind != "cpu":
        return None
    return 1 if profile.processors is None else int(profile.processors.amount)


def _most(grown: Growth, profile: HardwareProfile) -> int:
    """No more than this can fit, whatever an allocator does."""
    flash = profile.flash is not None and not grown.trains
    stored = sum([grown.base[each] for each in grown.played.weights]) if flash else 0
    free = room(profile) - workspace(grown.played, profile) + stored
    most = MOST
    for live, grows in grown.moments():
        if live > free:
            return 0
        if grows > 0:
            most = min(most, (free - live) // grows)
    return most


def _envelope(found: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs that are larger than every other in one of their numbers."""
    kept: list[tuple[int, int]] = []
    steepest = -1
    for live, grows in sorted(found, reverse=True):
        if grows > steepest:
            kept.append((live, grows))
            steepest = grows
    return kept
