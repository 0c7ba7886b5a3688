"""`recompute: auto` on a device: the checkpoints of least work with which a step fits there.

The search for checkpoints keeps tensors within a budget of bytes. What a device holds beside tensors is not known
before, so the budget starts at all that there is and comes down by what was too much, until the step fits.
"""

from __future__ import annotations

from collections.abc import Callable

from archcost.costs.choose_checkpoints import OverBudgetError
from archcost.costs.timeline import Timeline, timeline, timelines
from archcost.estimates.batches import threads_of
from archcost.estimates.devices import require_host, torch_device
from archcost.estimates.memory_demand import Demand, Played, demand
from archcost.estimates.verdict import limits
from archcost.graph import ModelGraph
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run

LEAST_STEP = 64
"""The budget comes down by a 64th at the least: what a CPU's kernels take is not known from the bytes of tensors."""


def is_automatic(run: Run) -> bool:
    return run.trains and run.recompute == "auto"


def step(graph: ModelGraph, run: Run, profile: HardwareProfile) -> tuple[Timeline, Demand]:
    """A step as that device runs it. Raises OverBudgetError where `recompute: auto` finds none that may fit.

    It looks for checkpoints with which the step is safe, and where there are none, for such as may do.
    """
    require_host(run, profile)
    lines = timelines(graph, run, torch_device(profile), threads_of(profile))
    if not is_automatic(run):
        line = lines(None)
        return line, _demand(line, profile)
    bound = limits(profile)
    try:
        return _within(lines, profile, bound.safe)
    except OverBudgetError:
        if bound.most == bound.safe:
            raise
    return _within(lines, profile, bound.most)


def _within(lines: Callable[[int | None], Timeline], profile: HardwareProfile, limit: int) -> tuple[Timeline, Demand]:
    budget = limit
    while True:
        line = lines(budget)
        needs = _demand(line, profile)
        if needs.needed <= limit and needs.verdict != "does not fit":
            return line, needs
        budget = min(budget, line.peak) - max(needs.needed - limit, line.peak // LEAST_STEP)


def _demand(line: Timeline, profile: HardwareProfile) -> Demand:
    return demand(Played.of(line), line.requested, profile, line.run.trains)


def line_on(graph: ModelGraph, run: Run, profile: HardwareProfile) -> Timeline:
    """The tensors of a step there, without what a CPU's kernels allocate for themselves. Raises OverBudgetError."""
    require_host(run, profile)
    return step(graph, run, profile)[0] if is_automatic(run) else timeline(graph, run, torch_device(profile))
