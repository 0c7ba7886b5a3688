"""What a pass is: a network's graph on its way to a run, what must hold of it before, and what holds afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from archcost.errors import ArchcostError
from archcost.graph import ModelGraph, Port
from archcost.passes.gradients import Needs, gradients_needed
from archcost.passes.run import Run
from archcost.passes.storages import Walk, required_by
from archcost.terms.autograd import Device

Names = tuple[str, ...]
"""Layers that follow one another, by name."""


@dataclass(frozen=True)
class RunGraph:
    """A network's graph, what it is run with, and what the passes so far have made of it.

    `network` has the layers of the network alone, `graph` those of the whole run: the loss and autocast's copies too.
    `returned` is what the caller holds until the step's function returns, and `recomputed` what the run has computed
    again in backward, beside the checkpoints of the module's own; `taken` are layers of the network that the loss runs
    itself. `holds` are conditions that are known to hold.
    """

    network: ModelGraph
    graph: ModelGraph
    run: Run
    device: Device
    returned: tuple[Port, ...]
    recomputed: tuple[Names, ...] = ()
    taken: frozenset[str] = frozenset()
    holds: frozenset[Condition] = frozenset()

    @classmethod
    def of(cls, graph: ModelGraph, run: Run, device: Device) -> RunGraph:
        """The graph as it was built, before any pass."""
        return cls(graph, graph, run, device, tuple(dict.fromkeys(graph.outputs)))

    @cached_property
    def required(self) -> Mapping[str, Needs]:
        """The operands for which autograd saves tensors in forward, by layer; empty where autograd is off."""
        return required_by(self.graph, self.run.mode != "infer")

    @cached_property
    def needs(self) -> Mapping[str, Needs]:
        """The operands whose gradients backward computes, by layer; empty without a backward."""
        return gradients_needed(self.graph, self.required) if self.run.trains else {}

    @cached_property
    def walk(self) -> Walk:
        """Where every tensor lives, and what one forward pass keeps."""
        run = self.run
        return Walk(self.graph, run.trains, self.device, self.required, self.needs, run.torch, run.channels_last)


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """Something that holds of a graph or does not. `broken` tells the places where it does not."""

    says: str
    broken: Callable[[RunGraph], Iterator[str]]

    def __str__(self) -> str:
        return self.says


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One step from the graph of a network to that of a run.

    `requires` is checked before, and is an error where it does not hold. `ensures` holds afterwards, which tests check
    and a run does not; `ends` are conditions that need not hold any longer. A pass that is `repeatable` changes nothing
    the second time.
    """

    name: str
    apply: Callable[[RunGraph], RunGraph]
    requires: tuple[Condition, ...] = ()
    ensures: tuple[Condition, ...] = ()
    ends: tuple[Condition, ...] = ()
    repeatable: bool = False

    def __call__(self, given: RunGraph) -> RunGraph:
        """Raises ArchcostError where something that it requires does not hold."""
        for condition in self.requires:
            self._require(condition, given)
        holds = given.holds.union(self.requires).difference(self.ends).union(self.ensures)
        return replace(self.apply(given), holds=holds)

    def _require(self, condition: Condition, given: RunGraph) -> None:
        if condition in given.holds:
            return
        for found in condition.broken(given):
            raise ArchcostError(
                f"the pass `{self.name}` comes too early or too late",
                expected=condition.says,
                found=found,
                hint="the order of archcost.passes.order",
            )


def applied(passes: Iterable[Pass], graph: ModelGraph, run: Run, device: Device) -> RunGraph:
    """A graph as it was built, after these passes. Raises ArchcostError."""
    made = RunGraph.of(graph, run, device)
    for each in passes:
        made = each(made)
    return made
