"""The largest batch that a device holds.

Tensors of a step are a + b·N bytes at batch N, so every moment is, and how many samples fit into it is a division. What
a CPU's kernels add is not affine, nor are whole pages; that is played, and where it is too much the answer is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from archcost.costs.cpu_call import Call, Direction
from archcost.costs.cpu_kernels import own_memory
from archcost.costs.off_card import LEAST_OFFLOADED
from archcost.costs.program import Program
from archcost.costs.resize import Resized, Resizing
from archcost.costs.timeline import Timeline, highest, timeline
from archcost.errors import ArchcostError
from archcost.estimates.devices import caches
from archcost.estimates.memory_demand import Demand, Played, demand, workspace
from archcost.estimates.verdict import VERDICTS, Verdict, limits
from archcost.graph import build
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.spec import ModelSpec
from archcost.tensors import Tensors, TensorType, nbytes
from archcost.terms.autograd import Device

MOST = 2**31 - 1
"""Of a batch, as of every size in a spec."""


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


class GrowingRun(NamedTuple):
    """A pass of a CPU's kernels at two and at three samples, between which every axis of its tensors grows evenly."""

    second: Call
    third: Call
    direction: Direction

    def at(self, batch: int, threads: int) -> Call:
        inputs, outputs = (
            tuple([_grown(a, b, batch) for a, b in zip(second, third, strict=True)])
            for second, third in ((self.second.inputs, self.third.inputs), (self.second.outputs, self.third.outputs))
        )
        return self.second._replace(inputs=inputs, outputs=outputs, threads=threads)


def _grown(second: TensorType, third: TensorType, batch: int) -> TensorType:
    sizes = [a + (b - a) * (batch - 2) for a, b in zip(second.shape, third.shape, strict=True)]
    return TensorType(tuple(sizes), second.dtype)


@dataclass(frozen=True)
class Growth:
    """A network's step at every batch: the size of each tensor is `base` + `slope`·N, if it is not `uneven`."""

    spec: ModelSpec
    line: Timeline
    """At some number of samples, or at one where no input has a batch."""
    played: Played
    base: tuple[int, ...]
    slope: tuple[int, ...]
    kernels: Mapping[int, GrowingRun]
    uneven: tuple[int, ...] = ()
    """Storages in whole pages, as oneDNN's workspace of an LSTM: `base` and `slope` are nothing, which they never are
    below, and at each batch they are worked out again.
    """

    @property
    def lines(self) -> tuple[Timeline, Timeline, Timeline]:
        """At two samples, at three and at FAR."""
        run, device = self.line.run, self.line.device
        second, third, far = (timeline(build(self.spec, batch), run, device, 1) for batch in (2, 3, FAR))
        return second, third, far

    @property
    def trains(self) -> bool:
        return self.line.run.trains

    def sizes(self, batch: int, threads: int | None = None) -> list[int]:
        """Of the storages by number, in bytes. Without threads the CPU's kernels allocate nothing."""
        sizes = [base + slope * batch for base, slope in zip(self.base, self.slope, strict=True)]
        if threads is not None:
            for storage, run in self.kernels.items():
                sizes[storage] = own_memory(run.at(batch, threads), run.direction)
        if self.uneven:
            line = timeline(build(self.spec, batch), self.line.run, self.line.device, 1)
            for storage in self.uneven:
                sizes[storage] = line.requested[storage]
        return sizes

    def demand(self, batch: int, profile: HardwareProfile) -> Demand:
        """One sample is played by itself: layers may keep or copy other tensors than of several."""
        threads = threads_of(profile)
        if batch == 1:
            line = timeline(build(self.spec, 1), self.line.run, self.line.device, threads)
            return demand(Played.of(line), line.requested, profile, self.trains)
        return demand(self.played, self.sizes(batch, threads), profile, self.trains)

    def verdict(self, batch: int, profile: HardwareProfile) -> Verdict:
        return self.verdict_of(batch, profile)[1]

    def verdict_of(self, batch: int, profile: HardwareProfile) -> tuple[int, Verdict]:
        """The bytes that a verdict is of, and the verdict."""
        if batch > 1 and caches(profile) and not self.uneven:
            tensors = max([live + grows * batch for live, grows in self.moments])
            needed = tensors + workspace(self.played, profile)
            return needed, limits(profile).verdict(needed)
        found = self.demand(batch, profile)
        return found.needed, found.verdict

    def binding(self, batch: int) -> Binding:
        """Where the peak of the tensors falls at that batch, and what lives there."""
        held = zip(self.line.storages, self.sizes(batch), strict=True)
        sizes = [0 if each.role == "workspace" else nbytes for each, nbytes in held]
        peak, event = highest(self.line.events, sizes)
        mark = self.line.marks[self.line.mark_at(event)]
        alive = sorted(self.line.alive_at(event), key=lambda alive: -sizes[alive.storage])
        tensors = tuple([Bound(each.held.owner, each.held.what, sizes[each.storage], each.why) for each in alive])
        return Binding(peak, f"{mark.phase} {mark.name}".strip(), tensors)

    @cached_property
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


MANY = LEAST_OFFLOADED
"""Samples of which every tensor is large enough to be offloaded. Of fewer, small ones are counted as if they were."""

FAR = 101
"""A batch far from two and three: what comes in whole pages may be as many of them for a few samples."""


NOTHING_WRITTEN: Mapping[int, Program] = {}


def growth(
    spec: ModelSpec,
    run: Run,
    device: Device,
    played: Timeline | None = None,
    written: Mapping[int, Program] = NOTHING_WRITTEN,
) -> Growth:
    """From two batches, and a third far from them, which tells what does not lie on their line.

    `played` is a step of several samples that has been played already, `written` are programs of others. Raises
    ArchcostError where another batch makes other tensors.
    """
    if not spec.has_batch:
        line = timeline(build(spec), run, device, 1)
        return Growth(spec, line, Played.of(line), _bytes(line.tensors, line), (0,) * len(line.storages), {})
    few = MANY if "activations" in run.offloaded else 2
    distant = few + FAR - 2
    line = played if played and few == 2 else timeline(build(spec, distant), run, device, 1)
    resizing = Resizing(line)
    second, third, far = (_at(spec, batch, resizing, written.get(batch)) for batch in (few, few + 1, distant))
    twos, threes, fars = (_bytes(each.tensors, line) for each in (second, third, far))
    strays = [two + (three - two) * (FAR - 2) != last for two, three, last in zip(twos, threes, fars, strict=True)]
    slope = tuple([0 if stray else three - two for stray, two, three in zip(strays, twos, threes, strict=True)])
    base = tuple([0 if stray else two - few * grows for stray, two, grows in zip(strays, twos, slope, strict=True)])
    kernels = {
        storage: GrowingRun(_on(run.call, second.calls[storage]), _on(run.call, third.calls[storage]), run.direction)
        for storage, run in line.kernels.items()
    }
    uneven = tuple([storage for storage, stray in enumerate(strays) if stray])
    return Growth(spec, line, Played.of(line), base, slope, kernels, uneven)


def _at(spec: ModelSpec, batch: int, resizing: Resizing, written: Program | None) -> Resized:
    """The same step at another batch. It is played where it is not certain to be the same.

    Raises ArchcostError where other tensors are made.
    """
    line = played = resizing.line
    if batch != line.graph.batch:
        found = None if written is None else resizing.beside(written)
        if found is not None:
            return found
        graph = build(spec, batch)
        found = resizing.at(graph)
        if found is not None:
            return found
        line = timeline(graph, played.run, played.device, 1)
    if line.events != played.events:
        raise ArchcostError(f"{line.graph.name}: another batch makes other tensors")
    calls = {storage: (run.call.inputs, run.call.outputs) for storage, run in line.kernels.items()}
    return Resized(line.tensors, calls)


def _on(call: Call, tensors: tuple[Tensors, Tensors]) -> Call:
    return call._replace(inputs=tensors[0], outputs=tensors[1])


def _bytes(tensors: Tensors, line: Timeline) -> tuple[int, ...]:
    """Of storages, nothing for what kernels allocate."""
    return tuple([0 if storage in line.kernels else each for storage, each in enumerate(nbytes(tensors))])


def largest_batch(grown: Growth, profile: HardwareProfile, worst: Verdict = "fits") -> int:
    """With that verdict or a better one, while one sample more has a worse one; 0 where not even one sample has it.

    Where no input has a batch it is 1.
    """
    if not grown.spec.has_batch:
        return int(_suits(grown.verdict(1, profile), worst))
    bound = limits(profile)
    limit = bound.safe if worst == "fits" else bound.most
    return largest_below(_most(grown, profile, limit), limit, lambda batch: grown.verdict_of(batch, profile), worst)


def _suits(verdict: Verdict, worst: Verdict) -> bool:
    return VERDICTS.index(verdict) <= VERDICTS.index(worst)


def largest_below(
    most: int, limit: int, verdict_of: Callable[[int], tuple[int, Verdict]], worst: Verdict = "fits"
) -> int:
    """The same, where no more than `most` samples stay within the limit. `verdict_of` a batch tells the bytes that a
    verdict is of, and the verdict.
    """

    def suits(verdict: Verdict) -> bool:
        return _suits(verdict, worst)

    most = max(1, most)
    needed, verdict = verdict_of(most)
    if suits(verdict):
        return most
    below = max(1, (needed - limit) * most // needed)  # about how many samples are too many
    fits, fails = 0, most
    while fits == 0 and below < most:  # it is seldom far below
        if suits(verdict_of(most - below)[1]):
            fits = most - below
        else:
            fails = most - below
            below *= 4
    middle = fits + 1
    while fails - fits > 1:
        if suits(verdict_of(middle)[1]):
            fits = middle
        else:
            fails = middle
        middle = (fits + fails) // 2
    return fits


def largest_tight(grown: Growth, profile: HardwareProfile, safe: int) -> int:
    """That is not certain to fail, the largest safe batch known."""
    bound = limits(profile)
    return safe if bound.safe == bound.most else largest_batch(grown, profile, "tight")


def threads_of(profile: HardwareProfile) -> int | None:
    """Of a CPU that runs torch, which takes one a core."""
    if profile.kind != "cpu":
        return None
    return 1 if profile.processors is None else int(profile.processors.amount)


def _most(grown: Growth, profile: HardwareProfile, limit: int) -> int:
    """No more than this stays within the limit, whatever kernels and pages add."""
    flash = profile.flash is not None and not grown.trains
    stored = sum([grown.base[each] for each in grown.played.weights]) if flash else 0
    free = limit - workspace(grown.played, profile) + stored
    most = MOST
    for live, grows in grown.moments:
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
