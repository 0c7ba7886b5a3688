"""Steps of the live model: one network's memory and kernels at every batch, for each torch device and run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from archcost.costs.cpu_kernels import own_memory
from archcost.costs.kernel import Kernel
from archcost.costs.optimizer_kernels import optimizer_kernels
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError
from archcost.estimates.batches import FAR, MOST, Growth, growth, growth_of, largest_batch, largest_tight, threads_of
from archcost.estimates.devices import caches
from archcost.estimates.memory_demand import Played, workspace
from archcost.graph import ModelGraph, build
from archcost.hardware.profile import HardwareProfile
from archcost.page.live_times import Classes, holds_for_one, step_rows
from archcost.passes.run import Run
from archcost.spec import ModelSpec
from archcost.sweeps import curves
from archcost.sweeps.curves import Bytes, Curve, Passes, Update
from archcost.sweeps.kernel_lines import growing, standing
from archcost.sweeps.memory import bounds
from archcost.terms.autograd import Device
from archcost.terms.time_classes import Fuses

SHOWN = 65_536
"""The largest batch of the control."""

SINGLE = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Batches that are played one by one where a step is no lines in the batch."""


class Graphs:
    """A network at some batches, built once."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.known: dict[int, ModelGraph] = {}

    def at(self, batch: int) -> ModelGraph:
        if batch not in self.known:
            self.known[batch] = build(self.spec, batch) if self.spec.has_batch else build(self.spec)
        return self.known[batch]

    @cached_property
    def most(self) -> int:
        """The largest batch of the control for which the network has shapes."""
        most = SHOWN if self.spec.has_batch else 1
        while most > 1:
            try:
                self.at(most)
                return most
            except ArchcostError:
                most //= 2
        return most


class Needs(NamedTuple):
    """What a step takes beside the optimizer's state, workspaces included: a curve from two samples on, or bytes at
    some batches; and what is left after backward."""

    curve: Curve | None
    at: Mapping[int, int]
    left: Bytes
    left_at: Mapping[int, int]


class LiveStep:
    """Forward and backward of one run on a torch device. Raises ArchcostError for settings that do not suit.

    The run has no optimizer, or, where its passes are not apart from it, its own.
    """

    def __init__(self, graphs: Graphs, run: Run, device: Device) -> None:
        self.graphs, self.run = graphs, run
        self.device: Device = device
        self.one = self.at(1)
        self.played: dict[int, Timeline] = {1: self.one}
        if self.grown is None and graphs.spec.has_batch:
            self.played |= {batch: self.at(batch) for batch in SINGLE[1:] if batch <= graphs.most}
        self.needs: dict[int | None, Needs] = {}
        self.whole: dict[Run, Growth] = {}

    def at(self, batch: int) -> Timeline:
        return timeline(self.graphs.at(batch), self.run, self.device, 1)

    @cached_property
    def lines(self) -> tuple[Timeline, Timeline, Timeline] | None:
        """At two samples, at three and at FAR."""
        if not self.graphs.spec.has_batch or self.run.offloaded or self.graphs.most < FAR:
            return None
        return self.at(2), self.at(3), self.at(FAR)

    @cached_property
    def grown(self) -> Growth | None:
        """None where another batch makes other tensors, or some have sizes of their own at each."""
        if self.lines is None:
            return None
        try:
            found = growth_of(*self.lines)
        except ArchcostError:
            return None
        return None if found.uneven or growing(self.lines, ()) is None else found

    def grown_with(self, run: Run) -> Growth:
        """The whole step, its optimizer included."""
        if run not in self.whole:
            self.whole[run] = growth(self.graphs.spec, run, self.device)
        return self.whole[run]

    @cached_property
    def passes(self) -> Passes | None:
        grown = self.grown
        return None if grown is None else curves.passes(grown.line, grown.base, grown.slope)

    @cached_property
    def passes_at(self) -> dict[int, Passes]:
        """At the batches that were played."""
        return {
            batch: curves.passes(line, line.requested, [0] * len(line.storages)) for batch, line in self.played.items()
        }

    @cached_property
    def products(self) -> int:
        """Threads that multiply matrices."""
        return Played.of(self.one).products

    @cached_property
    def stored(self) -> int:
        """Bytes of weights and buffers."""
        return sum([self.one.requested[each] for each in Played.of(self.one).weights])

    def needs_of(self, threads: int | None) -> Needs:
        if threads not in self.needs:
            self.needs[threads] = self._needs(threads)
        return self.needs[threads]

    def _needs(self, threads: int | None) -> Needs:
        at: dict[int, int] = {}
        left_at: dict[int, int] = {}
        for batch, line in self.played.items():
            found = curves.passes(line, _requested(line, threads), [0] * len(line.storages), True)
            at[batch], left_at[batch] = max([each.bytes[0] for each in found.moments]), found.left.bytes[0]
        grown = self.grown
        if grown is None:
            return Needs(None, at, (0, 0), left_at)
        every = curves.passes(grown.line, grown.base, grown.slope, True)
        if threads is None or not grown.kernels:
            return Needs(curves.highest(every.moments), at, every.left.bytes, left_at)
        try:
            return Needs(curves.needed(grown, threads, self.graphs.most), at, every.left.bytes, left_at)
        except ArchcostError:
            some = [batch for batch in SINGLE if 1 < batch <= self.graphs.most]
            at |= dict(zip(some, curves.needed_at(grown, threads, some), strict=True))
            return Needs(None, at, every.left.bytes, left_at)

    def kernels(self, fuses: tuple[Fuses, ...], classes: Classes) -> dict[str, Any]:
        """Rows of several samples, and of those batches for which they do not hold."""
        several = growing(self.lines, fuses) if self.lines and self.grown else None
        alone = {batch: standing(line, fuses) for batch, line in self.played.items()}
        apart = {batch: each for batch, each in alone.items() if several is None or not holds_for_one(several, each)}
        return {
            "lines": several and step_rows(several, classes),
            "at": {batch: step_rows(each, classes) for batch, each in apart.items()},
        }


def _requested(line: Timeline, threads: int | None) -> list[int]:
    """Bytes of storages, those that a CPU's kernels allocate on so many threads among them."""
    sizes = list(line.requested)
    for storage, run in line.kernels.items():
        sizes[storage] = 0 if threads is None else own_memory(run.call._replace(threads=threads), run.direction)
    return sizes


class LiveOptimizer(NamedTuple):
    """An optimizer beside passes that do not know it."""

    update: Update
    kernels: tuple[Kernel, ...]

    @classmethod
    def of(cls, step: LiveStep, run: Run) -> LiveOptimizer:
        line = replace(step.one, run=run)
        return cls(curves.update(line, run), tuple(optimizer_kernels(line)))


class Largest(NamedTuple):
    """The largest batch that is safe, and that is not certain to fail; None where that would be a long search."""

    safe: int | None
    most: int | None


def largest(step: LiveStep, run: Run, update: Update, profile: HardwareProfile) -> Largest:
    """Of curves that rise it is a division; else it is looked for as `estimate` does."""
    needs = step.needs_of(threads_of(profile))
    library = workspace(Played.of(step.one), profile)
    flash = step.stored if profile.flash is not None and not run.trains else 0
    if needs.curve is None or not needs.curve.rises or (library and not caches(profile)):
        return _searched(step, run, profile)
    bound = bounds(flash, profile)
    burst = sum(update.burst.values())
    found: list[int] = []
    for limit in bound:
        room = limit + flash - library - update.state
        ahead = needs.curve.largest(room)
        behind = _most(needs.left, room - burst) if burst else MOST
        if ahead is None and needs.curve.last < min(behind, MOST):
            return _searched(step, run, profile)
        several = min(needs.curve.last if ahead is None else ahead, behind)
        one = max(needs.at[1], needs.left_at[1] + burst if burst else 0)
        found.append(several if several >= curves.SEVERAL else int(one <= room))
    return Largest(*found)


def _most(left: Bytes, room: int) -> int:
    base, slope = left
    if base > room:
        return 0
    return min(MOST, (room - base) // slope) if slope > 0 else MOST


def _searched(step: LiveStep, run: Run, profile: HardwareProfile) -> Largest:
    if step.grown is None and step.graphs.spec.has_batch:
        return Largest(None, None)
    grown = step.grown_with(run)
    safe = largest_batch(grown, profile)
    return Largest(safe, largest_tight(grown, profile, safe))
