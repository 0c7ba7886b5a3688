"""Modules that compute layers again in backward by themselves (torch.utils.checkpoint), beside torch's tracker."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import checkpoint as module
from torch.utils.checkpoint import checkpoint, checkpoint_sequential  # pyright: ignore[reportUnknownVariableType]

import archcost
from archcost import Run
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError
from archcost.importers.checkpointing import NESTED
from archcost.pytorch.measure import measure
from tests.importers.held import counted, tracked

again: Any = checkpoint
in_runs: Any = checkpoint_sequential


def block() -> nn.Sequential:
    return nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32), nn.Dropout(0.1))


class Blocks(nn.Module):
    """A linear layer, four blocks run by a method of the subclass, and another linear layer."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.first, self.head = nn.Linear(32, 32), nn.Linear(32, 5)
        self.blocks = nn.ModuleList(block() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.run(self.first(x)))

    def run(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class Each(Blocks):
    def run(self, x: Tensor) -> Tensor:
        for each in self.blocks:
            x = x + again(each, x, use_reentrant=self.reentrant)
        return x


class EveryOther(Blocks):
    def run(self, x: Tensor) -> Tensor:
        for index, each in enumerate(self.blocks):
            x = x + (again(each, x, use_reentrant=self.reentrant) if index % 2 else each(x))
        return x


class Sequential(Blocks):
    def run(self, x: Tensor) -> Tensor:
        return in_runs(nn.Sequential(*self.blocks), 2, x, use_reentrant=self.reentrant)


class TwoResults(Blocks):
    def run(self, x: Tensor) -> Tensor:
        for each in self.blocks:
            y, z = again(self.both, each, x, use_reentrant=self.reentrant)
            x = y + z
        return x

    def both(self, each: nn.Module, x: Tensor) -> Any:
        y = each(x)
        return y, y * 2


def played(net: nn.Module, x: Tensor) -> Timeline:
    """The step of the imported module, after the comparison of its FLOPs and its peak with torch's."""
    spec = archcost.from_torch(net, x)
    assert archcost.loads(spec.to_yaml()) == spec
    graph = archcost.build(spec, batch=len(x))
    flops = archcost.cost(graph).flops
    line = timeline(graph, Run(optimizer="none"), "cpu", out_of_place=True)
    products = sum(2 * part.macs for index in line.recomputed for part in line.program.ops[index].node.facts.work)
    assert (flops.forward.contraction, flops.backward.contraction + products) == counted(net, (x,), {})
    assert line.peak == tracked(net, (x,), {})
    return line


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize(("kind", "count"), [(Each, 4), (EveryOther, 2), (Sequential, 1), (TwoResults, 4)])
def test_what_a_module_computes_again(kind: type[Blocks], count: int, reentrant: bool) -> None:
    line = played(kind(reentrant), torch.zeros(64, 32))
    assert [each.reentrant for each in line.graph.spec.checkpoints] == [reentrant] * count


@pytest.mark.parametrize("reentrant", [False, True])
def test_the_network_that_is_built_computes_them_again_too(reentrant: bool) -> None:
    line = played(Each(reentrant), torch.zeros(64, 32))
    assert measure(line.graph, line.run, line.segments).peak == line.peak


class WithoutGradient(Blocks):
    """What comes in has no gradient: with reentrance autograd then sees nothing of what runs."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(again(self.blocks[0], x, use_reentrant=self.reentrant))


@pytest.mark.parametrize(("reentrant", "count"), [(False, 1), (True, 0)])
def test_where_no_argument_has_a_gradient(reentrant: bool, count: int) -> None:
    line = played(WithoutGradient(reentrant), torch.zeros(64, 32))
    assert len(line.graph.spec.checkpoints) == count


class GivenGradient(Each):
    """What goes into the checkpoints is told to require a gradient, as transformers tells it."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.run(self.first(x).to(x.dtype).requires_grad_()))


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_gradient_that_is_asked_for_keeps_nothing_longer(reentrant: bool) -> None:
    """Where the module is run again nothing requires a gradient, and autograd keeps nothing."""
    line = played(GivenGradient(reentrant), torch.zeros(64, 32))
    plain = played(Each(reentrant), torch.zeros(64, 32))
    forward = [[each.peak for each in found.moments if each.phase == "forward"] for found in (line, plain)]
    assert max(forward[0]) == max(forward[1])


class Nested(Blocks):
    def run(self, x: Tensor) -> Tensor:
        return again(self.inner, x, use_reentrant=False)

    def inner(self, x: Tensor) -> Tensor:
        for each in self.blocks:
            x = x + again(each, x, use_reentrant=False)
        return x


def test_of_checkpoints_within_each_other_the_inner_ones_are_played() -> None:
    net, x = Nested(False), torch.zeros(64, 32)
    spec = archcost.from_torch(net, x)
    assert (len(spec.checkpoints), spec.assumptions) == (4, (NESTED,))
    line = timeline(archcost.build(spec, batch=64), Run(optimizer="none"), "cpu", out_of_place=True)
    assert line.peak == tracked(net, (x,), {})


def test_nothing_is_computed_again_without_autograd() -> None:
    net, x = Each(False).eval(), torch.zeros(64, 32)
    with torch.no_grad():
        assert archcost.from_torch(net, x).checkpoints == ()


def test_torch_is_as_it_was_afterwards() -> None:
    before: Any = module
    kept = (before.CheckpointFunction, before._checkpoint_without_reentrant_generator)
    archcost.from_torch(Each(True), torch.zeros(2, 32))
    assert (before.CheckpointFunction, before._checkpoint_without_reentrant_generator) == kept


@pytest.mark.parametrize(
    ("run", "problem", "found"),
    [
        (Run(recompute="blocks"), "the module computes these layers again by itself", "recompute 'blocks', and "),
        (
            Run(recompute="auto"),
            "recompute: auto looks for checkpoints, and the module has its own",
            "a checkpoint that",
        ),
    ],
)
def test_a_run_asks_for_no_more(run: Run, problem: str, found: str) -> None:
    graph = archcost.build(archcost.from_torch(Each(False), torch.zeros(1, 32)))
    with pytest.raises(ArchcostError) as error:
        timeline(graph, run, budget=1)
    assert error.value.problem == problem
    assert str(error.value.found).startswith(found)


def test_a_run_asks_for_other_layers() -> None:
    graph = archcost.build(archcost.from_torch(EveryOther(False), torch.zeros(1, 32)))
    line = timeline(graph, Run(recompute="blocks.0"))
    assert len(line.segments) == 3
