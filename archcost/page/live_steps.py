"""Steps of the live model: one network's memory and kernels at every batch, for each torch device and run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from archcost.costs.cpu_kernels import own_memory
from archcost.costs.kernel import Kernel
from archcost.costs.kernels import at_batch
from archcost.costs.optimizer_kernels import optimizer_kernels
from archcost.costs.timeline import Timeline, timelines
from archcost.errors import ArchcostError
from archcost.estimates.batches import (
    FAR,
    MOST,
    Growth,
    growth,
    largest_batch,
    largest_below,
    largest_tight,
    threads_of,
)
from archcost.estimates.devices import caches
from archcost.estimates.memory_demand import Played
from archcost.estimates.verdict import Verdict, limits
from archcost.graph import ModelGraph, build
from archcost.hardware.profile import HardwareProfile
from archcost.page.live_times import Kernels, holds_at, step_rows
from archcost.passes.run import Run
from archcost.spec import ModelSpec
from archcost.sweeps import curves
from archcost.sweeps.curves import Bytes, Curve, Demand, Followed, Passes, Update
from archcost.sweeps.kernel_lines import KernelLines
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
        self.followed = Followed()

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
    demand: Demand | None = None
    """Of a CPU whose kernels allocate for themselves."""

    def passes_at(self, batch: int) -> int:
        """Of forward and backward, at any batch up to that of the curve, or of the demand."""
        if batch in self.at:
            return self.at[batch]
        if self.demand is not None:
            return self.demand.at(batch)
        assert self.curve is not None
        return self.curve.at(batch)


class LiveOptimizer(NamedTuple):
    """An optimizer beside passes that do not know it."""

    update: Update
    kernels: tuple[Kernel, ...]


class LiveStep:
    """Forward and backward of one run on a torch device. Raises ArchcostError for settings that do not suit.

    The run has no optimizer, or, where its passes are not apart from it, its own. `like` is a step that differs in what
    is computed again alone: its kernels are the same.
    """

    def __init__(self, graphs: Graphs, run: Run, device: Device, like: LiveStep | None = None) -> None:
        self.graphs, self.run = graphs, run
        self.device: Device = device
        self.like = like or self
        self.one = self.at(1, None if like is None else like.one)
        self.needs: dict[int | None, Needs] = {}
        self.whole: dict[Run, Growth] = {}
        self.optimizers: dict[str, LiveOptimizer] = {}
        self.known: dict[tuple[tuple[Fuses, ...], bool, int], KernelLines] = {}

    def at(self, batch: int, like: Timeline | None = None) -> Timeline:
        """`like` is a step at that batch with other checkpoints."""
        written = None if like is None else like.program
        return timelines(self.graphs.at(batch), self.run, self.device, 1, written=written)(None)

    @cached_property
    def far(self) -> Timeline | None:
        """None where no batch is so large."""
        if self.graphs.most < FAR:
            return None
        return self.at(FAR, None if self.like is self else self.like.far)

    @cached_property
    def few(self) -> list[Timeline]:
        """At two samples and at three, as kernels are read of it."""
        if self.like is not self:
            return self.like.few
        return [] if self.far is None else [at_batch(self.far, self.graphs.at(batch)) for batch in (2, 3)]

    @cached_property
    def grown(self) -> Growth | None:
        """None where another batch makes other tensors, or some have sizes of their own at each."""
        if self.far is None:
            return None
        written = {line.graph.batch: line.program for line in self.few}
        try:
            found = growth(self.graphs.spec, self.run, self.device, self.far, written)
        except ArchcostError:
            return None
        return None if found.uneven else found

    @cached_property
    def played(self) -> dict[int, Timeline]:
        """One sample, and where its bytes are no lines some other batches."""
        return {1: self.one} if self.grown is not None else self.single

    @cached_property
    def single(self) -> dict[int, Timeline]:
        return {batch: self.one if batch == 1 else self.at(batch) for batch in SINGLE if batch <= self.graphs.most}

    @cached_property
    def passes(self) -> Passes | None:
        grown = self.grown
        return None if grown is None else curves.passes(grown.line, grown.base, grown.slope)

    @cached_property
    def passes_at(self) -> dict[int, Passes]:
        """At the batches that were played, where lines do not tell."""
        return {
            batch: curves.passes(line, line.requested, [0] * len(line.storages)) for batch, line in self.played.items()
        }

    @cached_property
    def products(self) -> int:
        """Threads that multiply matrices."""
        return Played.of(self.one).products

    @cached_property
    def attends(self) -> bool:
        """Whether anything in it is attention, which an engine may make one kernel of."""
        nodes = [op.node for op in self.one.program.ops]
        return any("attention" in node.layer.timing(node.input_types, node.output_types).time_class for node in nodes)

    def fused(self, fuses: tuple[Fuses, ...]) -> tuple[Fuses, ...]:
        """Those of an engine that make a difference here."""
        return fuses if self.attends else tuple([each for each in fuses if "attention" not in each])

    @cached_property
    def stored(self) -> int:
        """Bytes of weights and buffers."""
        return sum([self.one.requested[each] for each in Played.of(self.one).weights])

    def grown_with(self, run: Run) -> Growth:
        """The whole step, its optimizer included."""
        if run not in self.whole:
            self.whole[run] = growth(self.graphs.spec, run, self.device)
        return self.whole[run]

    def needs_of(self, threads: int | None) -> Needs:
        if threads not in self.needs:
            self.needs[threads] = self._needs(threads)
        return self.needs[threads]

    def _needs(self, threads: int | None) -> Needs:
        at: dict[int, int] = {}
        left_at: dict[int, int] = {}
        for batch in self.passes_at:
            line = self.played[batch]
            at[batch], left_at[batch] = curves.most_and_left(line, _requested(line, threads))
        grown = self.grown
        if grown is None:
            return Needs(None, at, (0, 0), left_at)
        every = self.every
        assert every is not None
        if threads is None or not grown.kernels:
            return Needs(curves.highest(every.moments), at, every.left.bytes, left_at)
        demand = Demand(grown, threads, MOST, self.graphs.followed)
        try:
            return Needs(demand.curve, at, every.left.bytes, left_at, demand)
        except ArchcostError:
            some = [batch for batch in SINGLE if 1 < batch <= self.graphs.most]
            at |= {batch: demand.at(batch) for batch in some}
            return Needs(None, at, every.left.bytes, left_at, demand)

    @cached_property
    def every(self) -> Passes | None:
        """With the workspaces among the tensors."""
        grown = self.grown
        if grown is None or all(grown.line.storages[each].role != "workspace" for each in _apart(grown.line)):
            return self.passes
        return curves.passes(grown.line, grown.base, grown.slope, True)

    def optimizer(self, run: Run) -> LiveOptimizer:
        """What checkpoints have no part in."""
        known = self.like.optimizers
        if run.optimizer not in known:
            line = replace(self.one, run=run)
            known[run.optimizer] = LiveOptimizer(curves.update(line, run), tuple(optimizer_kernels(line)))
        return known[run.optimizer]

    def kernel_lines(self, fuses: tuple[Fuses, ...], touches: bool, batch: int = 0) -> KernelLines:
        """At every batch, or of one that was played."""
        key = (fuses, touches, batch)
        if key not in self.known:
            far = self.far
            if batch:
                lines = (self.single[batch] if batch > 1 else self.one,)
            elif far is None:
                lines = (self.one,)
            else:
                lines = (*self.few, far)
            self.known[key] = KernelLines(lines, fuses, touches)
        return self.known[key]

    def kernels(self, fuses: tuple[Fuses, ...], known: Kernels, touches: bool) -> dict[str, Any]:
        """Rows of several samples, and of those batches for which they do not hold."""
        several = None
        if self.far is not None:
            several = self.like.kernel_lines(fuses, touches).step(self.far.recomputed)
        apart: dict[int, dict[str, Any]] = {}
        for batch, line in ({1: self.one} if several else self.single).items():
            alone = self.like.kernel_lines(fuses, touches, batch).step(line.recomputed)
            assert alone is not None
            if several is None or not holds_at(several, alone, batch):
                apart[batch] = step_rows(alone, known, touches)
        return {"lines": several and step_rows(several, known, touches), "at": apart}


def _apart(line: Timeline) -> Iterator[int]:
    """Storages that no kernel of a CPU allocates for itself."""
    return (each for each in range(len(line.storages)) if each not in line.kernels)


def _requested(line: Timeline, threads: int | None) -> list[int]:
    """Bytes of storages, those that a CPU's kernels allocate on so many threads among them."""
    sizes = list(line.requested)
    for storage, run in line.kernels.items():
        sizes[storage] = 0 if threads is None else own_memory(run.call._replace(threads=threads), run.direction)
    return sizes


class Largest(NamedTuple):
    """The largest batch that is safe, and that is not certain to fail; None where that would be a long search."""

    safe: int | None
    most: int | None


def largest(step: LiveStep, run: Run, update: Update, profile: HardwareProfile, asked: Run) -> Largest:
    """Of curves that rise it is a division; else it is looked for as `estimate` does. Where a step is no lines, that is
    long, and done for the run that was asked for alone.
    """
    needs = step.needs_of(threads_of(profile))
    library = 0 if profile.workspace is None else step.products * int(profile.workspace.amount)
    flash = step.stored if profile.flash is not None and not run.trains else 0
    bound = bounds(flash, profile)
    burst = sum(update.burst.values())
    curve, left = needs.curve, needs.left
    if needs.demand is not None:
        return _followed(step, update, profile)
    if curve is None and step.graphs.spec.has_batch and run != asked:
        return Largest(None, None)
    if curve is None or (library and not caches(profile)):
        return _searched(step, run, profile)
    found: list[int] = []
    for limit in bound:
        room = limit + flash - library - update.state
        several = min(curve.largest(room), _most(left, room - burst) if burst else MOST)
        one = max(needs.at[1], needs.left_at[1] + burst if burst else 0)
        found.append(several if several >= curves.SEVERAL else int(one <= room))
    return Largest(*found)


def _followed(step: LiveStep, update: Update, profile: HardwareProfile) -> Largest:
    """On a CPU, whose kernels may take less for more samples. Both limits are its memory."""
    needs, bound = step.needs_of(threads_of(profile)), limits(profile)
    burst = sum(update.burst.values())
    assert step.every is not None

    def verdict_of(batch: int) -> tuple[int, Verdict]:
        left = needs.left_at[1] if batch == 1 else needs.left[0] + needs.left[1] * batch
        needed = update.state + max(needs.passes_at(batch), left + burst if burst else 0)
        return needed, bound.verdict(needed)

    room = bound.safe - update.state
    tensors = min(curves.highest(step.every.moments).largest(room), _most(needs.left, room - burst) if burst else MOST)
    found = largest_below(tensors, bound.safe, verdict_of)
    return Largest(found, found)


def _most(left: Bytes, room: int) -> int:
    base, slope = left
    if base > room:
        return 0
    return min(MOST, (room - base) // slope) if slope > 0 else MOST


def _searched(step: LiveStep, run: Run, profile: HardwareProfile) -> Largest:
    try:
        grown = step.grown_with(run)
    except ArchcostError:  # another batch makes other tensors
        return Largest(None, None)
    safe = largest_batch(grown, profile)
    return Largest(safe, largest_tight(grown, profile, safe))
