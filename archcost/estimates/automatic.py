"""`recompute: auto` on a device: the checkpoints of least work with which a step fits there.

The search for checkpoints keeps tensors within a budget of bytes. What a device holds beside tensors is not known
before, so the budget starts at all that there is and comes down by what was too much, until the step fits.
"""

from __future__ import annotations

from archcost.costs.run import Run
from archcost.costs.timeline import Timeline, timeline
from archcost.estimates.batches import threads_of
from archcost.estimates.demand import Demand, Played, demand, torch_device
from archcost.graph import ModelGraph
from archcost.hardware.overheads import room
from archcost.hardware.profile import HardwareProfile

LEAST_STEP = 64
"""The budget comes down by a 64th at the least: gaps in an allocator's segments are not known from their bytes."""


def is_automatic(run: Run) -> bool:
    return run.trains and run.recompute == "auto"


def step(graph: ModelGraph, run: Run, profile: HardwareProfile) -> tuple[Timeline, Demand]:
    """A step as that device runs it. Raises OverBudgetError where `recompute: auto` finds none that fits."""
    device, threads = torch_device(profile), threads_of(profile)
    budget = room(profile)
    while True:
        line = timeline(graph, run, device, threads, budget=budget if is_automatic(run) else None)
        needs = demand(Played.of(line), line.requested, profile, run.trains)
        if needs.fits or not is_automatic(run):
            return line, needs
        budget = min(budget, line.peak) - max(needs.allocated - room(profile), line.peak // LEAST_STEP)


def line_on(graph: ModelGraph, run: Run, profile: HardwareProfile) -> Timeline:
    """The tensors of a step there, without what a CPU's kernels allocate for themselves. Raises OverBudgetError."""
    return step(graph, run, profile)[0] if is_automatic(run) else timeline(graph, run, torch_device(profile))
