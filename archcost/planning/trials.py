"""Trials: a step estimated again with other sizes or settings, from which all answers of planning follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from archcost.costs import cost
from archcost.costs.other_optimizer import with_optimizer
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError, SpecError
from archcost.estimates.auto_recompute import is_automatic, step
from archcost.estimates.batches import threads_of
from archcost.estimates.devices import torch_device
from archcost.estimates.floor import least
from archcost.estimates.memory_demand import Demand, Played, demand
from archcost.graph import ModelGraph, build
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.planning.altered import altered_spec
from archcost.planning.changes import Altered, Case
from archcost.spec import ModelSpec
from archcost.terms.autograd import Device

MOST_KEPT = 16
"""Passes that are kept for the next optimizer."""


class Trial(NamedTuple):
    """A step played in full, and what it asks of the device."""

    line: Timeline
    demand: Demand

    @property
    def fits(self) -> bool:
        """Safely: what is sought here is no tight one."""
        return self.demand.is_safe


class Lines:
    """Timelines, each played once: devices of one kind share them."""

    def __init__(self, make: Callable[[int], ModelGraph], run: Run) -> None:
        self.make, self.run = make, run
        self.known: dict[tuple[int, Device, int | None], Timeline] = {}

    def on(self, value: int, profile: HardwareProfile) -> Trial:
        """The trial with a value (an image side, a width). Raises ArchcostError where no such network exists."""
        if is_automatic(self.run):
            return trial(self.make(value), self.run, profile)
        device, threads = torch_device(profile), threads_of(profile)
        key = value, device, threads
        if key not in self.known:
            self.known[key] = timeline(self.make(value), self.run, device, threads)
        return trial_of(self.known[key], profile)


def trial(graph: ModelGraph, run: Run, profile: HardwareProfile) -> Trial:
    return Trial(*step(graph, run, profile))


def trial_of(line: Timeline, profile: HardwareProfile) -> Trial:
    return Trial(line, demand(Played.of(line), line.requested, profile, line.run.trains))


class Trials:
    """Steps of one network on one device, each played once; those that differ in the optimizer alone share passes.

    `least` is the one that takes least on inputs as declared.
    """

    def __init__(self, spec: ModelSpec, profile: HardwareProfile) -> None:
        self.spec, self.profile = spec, profile
        self.device: Device = torch_device(profile)
        self.least: Trial | None = None
        self._graphs: dict[tuple[Altered, int], ModelGraph] = {}
        self._shares: dict[tuple[Altered, int], int] = {}
        self._known: dict[Case, Trial | None] = {}
        self._passes: dict[Case, Timeline] = {}
        self._floors: dict[Case, int] = {}

    def graph(self, altered: Altered, batch: int) -> ModelGraph:
        """Raises SpecError where no such network is."""
        if (altered, batch) not in self._graphs:
            self._graphs[altered, batch] = build(altered_spec(self.spec, altered), batch)
        return self._graphs[altered, batch]

    def attempt(self, case: Case) -> Trial | None:
        """None where the settings do not suit each other."""
        if case not in self._known:
            graph = self.graph(case.altered, case.batch)
            try:
                found = self._played(graph, case)
            except SpecError:
                raise
            except ArchcostError:
                found = None
            self._remember(case, found)
        return self._known[case]

    def fits(self, case: Case) -> bool:
        found = self.attempt(case)
        return found is not None and found.fits

    def start(self, case: Case, found: Trial) -> None:
        """With one that was played."""
        self._remember(case, found)
        if case.run.trains and not is_automatic(case.run):
            self._passes[_without_optimizer(case)] = found.line

    def _remember(self, case: Case, found: Trial | None) -> None:
        self._known[case] = found
        if case.altered.is_smaller or found is None:
            return
        if self.least is None or found.line.peak < self.least.line.peak:
            self.least = found

    def share_recomputed(self, case: Case, found: Trial) -> float:
        """Of FLOPs that are done twice, in those of forward and backward."""
        again = found.line.recomputed_flops
        if not again:
            return 0.0
        key = case.altered, case.batch
        if key not in self._shares:
            total = cost(self.graph(*key)).flops.total
            self._shares[key] = total.contraction + total.elementwise
        return again / self._shares[key]

    def floor(self, case: Case) -> int:
        """What a case needs at the least, with any batch, any checkpoints and any form of its optimizer."""
        case = case._replace(run=replace(case.run, recompute="none", optimizer_impl=None, accumulation=1))
        if case not in self._floors:
            graph = self.graph(case.altered, case.batch)
            runs = {case.run, *_in_backward(case.run)}
            self._floors[case] = min([least(graph, run, self.device) for run in runs])
        return self._floors[case]

    def _played(self, graph: ModelGraph, case: Case) -> Trial:
        if is_automatic(case.run) or not case.run.trains or not case.run.has_passes_apart:
            return trial(graph, case.run, self.profile)
        return trial_of(with_optimizer(self._with_passes(graph, case), case.run), self.profile)

    def _with_passes(self, graph: ModelGraph, case: Case) -> Timeline:
        """One with the same passes, of which the last few are kept."""
        key = _without_optimizer(case)
        if key not in self._passes:
            if len(self._passes) == MOST_KEPT:
                self._passes.pop(next(iter(self._passes)))
            self._passes[key] = timeline(graph, key.run, self.device, threads_of(self.profile))
        return self._passes[key]


def _without_optimizer(case: Case) -> Case:
    """Of a step whose optimizer comes after its passes."""
    if not case.run.trains or not case.run.has_passes_apart:
        return case
    return case._replace(run=replace(case.run, optimizer="none", optimizer_impl=None))


def _in_backward(run: Run) -> tuple[Run, ...]:
    """The run with its optimizer in backward, where it suits."""
    try:
        return (replace(run, optimizer_in_backward=run.trains and run.optimizer != "none"),)
    except ArchcostError:
        return ()
