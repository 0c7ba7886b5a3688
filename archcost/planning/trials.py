"""One step re-estimated with other sizes or settings: the ground of every answer here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from archcost.costs.timeline import Timeline, timeline
from archcost.estimates.auto_recompute import is_automatic, step
from archcost.estimates.batches import threads_of
from archcost.estimates.devices import torch_device
from archcost.estimates.memory_demand import Demand, Played, demand
from archcost.graph import ModelGraph
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.terms.autograd import Device


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
        """Of the network of that value (a side, a width). Raises ArchcostError where there is none."""
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
