"""What is found where a network is held to its budgets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Literal, NamedTuple

from archcost.costs import ModelCost, cost
from archcost.costs.model import LayerCost
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import Place, listing
from archcost.estimates import Estimate, estimate
from archcost.estimates.verdict import VERDICTS, Verdict
from archcost.graph import build
from archcost.guarding.amounts import Amount
from archcost.guarding.budgets import QUANTITIES, Budget, Limit
from archcost.hardware.calibration import read as read_calibration
from archcost.importers.networks import is_callable
from archcost.importers.python_callable import importable_from
from archcost.spec import ModelSpec
from archcost.spec.overrides import set_loss

Status = Literal["held", "exceeded", "not known"]

COUNTED = ("network", "batch")
"""What a number depends on that needs no step."""

LARGEST = 3
"""Layers that are named where a budget is exceeded."""


class Offender(NamedTuple):
    """A layer, what of the number it is, and which share of it."""

    layer: str
    amount: int | float
    share: float
    what: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "what": self.what or None}


@dataclass(frozen=True)
class Finding:
    """A limit, and what there is. A number that is not known for certain lies between `found` and `most`."""

    network: str
    budget: Budget
    limit: Limit
    hardware: str | None
    found: Amount | None
    most: Amount | None
    status: Status
    why_unknown: str | None
    offenders: tuple[Offender, ...]

    @property
    def place(self) -> Place | None:
        return self.limit.place

    @property
    def over(self) -> int | float | None:
        """By how much the limit itself is missed; None of what is no number, or held."""
        if isinstance(self.found, str) or isinstance(self.limit.amount, str) or self.found is None:
            return None
        beyond = self.found - self.limit.amount
        beyond = -beyond if self.limit.quantity.at_least else beyond
        return beyond if self.status == "exceeded" else None

    def to_dict(self) -> dict[str, Any]:
        limit, run = self.limit, self.budget.run
        return {
            "network": self.network,
            "recipe": str(self.budget.recipe),
            "quantity": limit.quantity.name,
            "batch": None if limit.quantity.depends_on == "network" else self.budget.recipe.batch,
            "run": None if limit.quantity.depends_on in COUNTED else run.to_dict(),
            "hardware": self.hardware,
            "limit": limit.amount,
            "allowed": limit.allowed,
            "at_least": limit.quantity.at_least,
            "found": self.found if self.found == self.most else None,
            "between": None if self.found == self.most else [self.found, self.most],
            "over": self.over,
            "status": self.status,
            "why_unknown": self.why_unknown,
            "offenders": [offender.to_dict() for offender in self.offenders],
            "file": self.place.file if self.place else None,
            "line": self.place.line if self.place else None,
        }


class Seen(NamedTuple):
    """A number, or two between which it lies, `most` None where nobody knows; and which layers make it up."""

    found: Amount | None
    most: Amount | None
    offenders: tuple[Offender, ...]
    why_unknown: str | None = None


def findings(budget: Budget, spec: ModelSpec) -> list[Finding]:
    """A finding for each limit. Raises ArchcostError where the network does not run so, or the device is none."""
    spec = spec if budget.loss is None else set_loss(spec, budget.loss)
    graph = build(spec, budget.recipe.batch)
    counted = cost(graph) if any(limit.quantity.depends_on in COUNTED for limit in budget.limits) else None
    if budget.hardware is None:
        lines = [limit for limit in budget.limits if limit.quantity.depends_on not in COUNTED]
        line, estimated = timeline(graph, budget.run, "cuda") if lines else None, None
    else:
        estimated = _estimate(budget, spec, budget.hardware)
        line = estimated.line
    device = estimated.hardware.name if estimated else None

    def seen(name: str) -> Seen:
        if counted is not None and QUANTITIES[name].depends_on in COUNTED:
            return _counted(counted, name)
        if name == "peak" and line is not None:
            return _peak(line)
        assert estimated is not None, "a quantity of a device stands beside one"
        return _time(estimated) if name == "time" else _fits(estimated) if name == "fits" else _largest_batch(estimated)

    return [_finding(budget, limit, graph.name, device, seen(limit.quantity.name)) for limit in budget.limits]


def spec_of(budget: Budget, folder: FilePath) -> ModelSpec:
    """The network of a budget, whose path is relative to `folder`; modules there can be imported."""
    if is_callable(budget.recipe.network):
        importable_from(folder)
    return budget.recipe.load_from(folder)


def _estimate(budget: Budget, spec: ModelSpec, device: str) -> Estimate:
    known = None if budget.calibration is None else read_calibration(FilePath(budget.calibration))
    return estimate(
        spec,
        budget.recipe.batch,
        hardware=device,
        run=budget.run,
        engine=budget.engine,
        calibration=known,
        threads=budget.threads,
    )


def _finding(budget: Budget, limit: Limit, network: str, device: str | None, seen: Seen) -> Finding:
    status = _status(limit, seen)
    why = seen.why_unknown if status == "not known" else None
    offenders = () if status == "held" else seen.offenders
    return Finding(network, budget, limit, device, seen.found, seen.most, status, why, offenders)


def _status(limit: Limit, seen: Seen) -> Status:
    """A limit is held when the worst that may be holds it, and exceeded when the best that may be does not."""
    best, worst = (seen.most, seen.found) if limit.quantity.at_least else (seen.found, seen.most)
    if worst is not None and _holds(limit, worst):
        return "held"
    return "exceeded" if best is not None and not _holds(limit, best) else "not known"


def _holds(limit: Limit, amount: Amount) -> bool:
    allowed = limit.allowed
    if isinstance(amount, str) or isinstance(allowed, str):
        return VERDICTS.index(_verdict(amount)) <= VERDICTS.index(_verdict(allowed))
    return amount >= allowed if limit.quantity.at_least else amount <= allowed


def _verdict(amount: Amount) -> Verdict:
    return next(verdict for verdict in VERDICTS if verdict == amount)


def _counted(counted: ModelCost, name: str) -> Seen:
    def amount(of: ModelCost | LayerCost) -> int:
        if name == "parameters":
            return of.parameters
        if name == "trainable_parameters":
            return of.trainable_parameters
        if name == "macs":
            return of.macs
        forward, backward = of.flops.forward.contraction, of.flops.backward.contraction
        return forward if name == "flops" else forward + backward

    total = amount(counted)
    unknown = () if name.endswith("parameters") else counted.unknown
    why = f"the operations of {listing(unknown, 3)} are not known" if unknown else None
    layers = ((layer.name, amount(layer), "") for layer in counted.layers)
    return Seen(total, None if unknown else total, _largest(layers), why)


def _peak(line: Timeline) -> Seen:
    unknown = line.graph.unknown
    why = f"what is made and dropped in {listing(unknown, 3)} is not known" if unknown else None
    return Seen(line.peak, None if unknown else line.peak, _alive(line), why)


def _alive(line: Timeline) -> tuple[Offender, ...]:
    """The layers whose tensors are the most of the peak, and what these tensors are."""
    sizes: defaultdict[str, int] = defaultdict(int)
    roles: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for alive in line.alive:
        sizes[alive.held.owner] += alive.held.nbytes
        roles[alive.held.owner][alive.held.role.replace("_", " ")] = None
    return _largest((owner, nbytes, ", ".join(roles[owner])) for owner, nbytes in sizes.items())


def _fits(found: Estimate) -> Seen:
    unknown = _peak(found.line).why_unknown
    return Seen(found.verdict, None if unknown else found.verdict, _alive(found.line), unknown)


def _largest_batch(found: Estimate) -> Seen:
    """Of a lower bound of memory it is at most this."""
    largest, unknown = found.max_batch, _peak(found.line).why_unknown
    if largest is None:
        unknown = "with recompute auto each batch is a search of its own"
    return Seen(None if unknown else largest, largest, _alive(found.line), unknown)


def _time(found: Estimate) -> Seen:
    """The likely time; of a device whose data sheet is all there is, the two bounds that it gives."""
    time = found.time
    if time is None:
        return Seen(None, None, (), "; ".join(found.time_notes))
    slowest = _largest((layer.name, layer.seconds, layer.roof) for layer in time.layers)
    if time.unknown:
        why = f"how long {listing(time.unknown, 3)} takes is not known"
        return Seen(time.band[0] if time.step is None else time.step, None, slowest, why)
    if time.step is None:
        return Seen(*time.band, slowest, f"{found.hardware.name} has a data sheet alone, which gives these bounds")
    return Seen(time.step, time.step, slowest)


def _largest(amounts: Iterable[tuple[str, int | float, str]]) -> tuple[Offender, ...]:
    """The layers with the most, the first of equals first."""
    each = [(layer, amount, what) for layer, amount, what in amounts if amount]
    total = sum(amount for _, amount, _ in each)
    first = sorted(each, key=lambda one: -one[1])[:LARGEST]
    return tuple([Offender(layer, amount, amount / total, what) for layer, amount, what in first])
