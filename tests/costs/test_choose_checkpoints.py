"""`recompute: auto` against every set of checkpoints of small networks, and what it promises for large ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.costs import choose_checkpoints
from archcost.costs.checkpoint_segments import recomputed
from archcost.costs.choose_checkpoints import OverBudgetError
from archcost.costs.recompute import located
from archcost.costs.simulate import Player
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError
from archcost.graph import ModelGraph, build
from archcost.passes.contract import Names
from archcost.passes.run import Run
from archcost.spec import ModelSpec, load

Entry = dict[str, Any]


class Tried(NamedTuple):
    flops: int
    peak: int
    segments: tuple[Names, ...]


def network(layers: Sequence[Entry], batch: int = 2, **fields: Any) -> ModelGraph:
    named = [{"name": f"l{place}", **entry} for place, entry in enumerate(layers)]
    whole = {"name": "net", "input": (3, 8, 8), "loss": "sum", **fields, "layers": named}
    return build(ModelSpec.model_validate(whole), batch)


def auto(graph: ModelGraph, budget: int, **settings: Any) -> Timeline:
    return timeline(graph, Run(recompute="auto", **settings), budget=budget)


def sets(names: Sequence[str]) -> Iterator[tuple[Names, ...]]:
    """Every set of runs of neighbours that do not overlap."""
    if not names:
        yield ()
        return
    for rest in sets(names[1:]):
        yield rest
    for end in range(1, len(names) + 1):
        for rest in sets(names[end:]):
            yield (tuple(names[:end]), *rest)


def every(graph: ModelGraph, **settings: Any) -> list[Tried]:
    """Every set of checkpoints that torch can run, without an optimizer."""
    plain = timeline(graph, Run(optimizer="none", **settings))
    tried: list[Tried] = []
    for names in sets([node.name for node in graph.nodes]):
        try:
            segments = located(plain.program, names)
        except ArchcostError:  # a layer overwrites what its checkpoint would hold
            continue
        player = Player(plain.program, segments)
        player.forward()
        player.backward()
        if plain.run.accumulation > 1:
            player.next_micro_batch()
            player.forward()
            player.backward()
        player.finish()
        again = [
            plain.program.ops[index] for each in segments for index, runs in recomputed(plain.program.ops, each) if runs
        ]
        works = [work.forward for op in again if not op.is_copy for work in op.node.facts.work]
        flops = sum(work.contraction + work.elementwise for work in works)
        live = most = 0
        for event in player.tape.events:
            nbytes = player.tape.storages[event if event >= 0 else ~event].nbytes
            live += nbytes if event >= 0 else -nbytes
            most = max(most, live)
        tried.append(Tried(flops, most, names))
    return tried


def check(graph: ModelGraph, **settings: Any) -> None:
    """For every budget that makes a difference."""
    tried = every(graph, **settings)
    least = min(each.peak for each in tried)
    for budget in sorted({each.peak for each in tried}):
        line = auto(graph, budget, optimizer="none", **settings)
        best = min(each for each in tried if each.peak <= budget)
        assert line.peak <= budget
        assert line.recomputed_flops == best.flops, (budget, line.segments, best)
    with pytest.raises(OverBudgetError) as refused:
        auto(graph, least - 1, optimizer="none", **settings)
    assert refused.value.least == least


def conv(out_channels: int, kernel_size: int) -> Entry:
    return {"type": "conv2d", "out_channels": out_channels, "kernel_size": kernel_size, "padding": "same"}


RELU: Entry = {"type": "relu"}
OVERWRITING: Entry = {"type": "relu", "inplace": True}
NORM: Entry = {"type": "batch_norm2d"}
LAYERS = st.one_of(
    st.builds(conv, st.integers(1, 9), st.sampled_from([1, 3])),
    st.sampled_from(
        [
            RELU,
            OVERWRITING,
            NORM,
            {"type": "silu"},
            {"type": "dropout"},
            {"type": "max_pool2d", "kernel_size": 2, "stride": 1, "padding": 1},
            {"type": "avg_pool2d", "kernel_size": 2, "stride": 1},
            {"type": "local_response_norm", "size": 3},
        ]
    ),
)
HEAD: tuple[Entry, ...] = ({"type": "flatten"}, {"type": "linear", "out_features": 5})


@settings(max_examples=25, deadline=None)
@given(st.lists(LAYERS, min_size=1, max_size=4), st.sampled_from([(), HEAD]))
def test_a_chain_has_the_least_work_of_all_checkpoints_for_every_budget(
    layers: list[Entry], head: tuple[Entry, ...]
) -> None:
    try:
        graph = network([*layers, *head])
        timeline(graph)
    except ArchcostError:  # a layer overwrites what another keeps
        return
    check(graph)


@pytest.mark.parametrize("settings", [{}, {"precision": "amp-bf16"}, {"accumulation": 2}])
def test_seven_layers_have_the_least_work(settings: dict[str, Any]) -> None:
    check(network([conv(7, 3), NORM, RELU, conv(5, 3), OVERWRITING, *HEAD]), **settings)


BRANCHES: dict[str, list[Entry]] = {
    "residual": [conv(3, 3), NORM, RELU, conv(3, 3), {"type": "add", "inputs": ["l3", "l0"]}, RELU],
    "dense": [
        conv(5, 3),
        RELU,
        {"type": "concat", "inputs": ["l1", "input"]},
        conv(7, 1),
        {"type": "concat", "inputs": ["l3", "l2"]},
        {"type": "sigmoid"},
    ],
    "u": [conv(7, 3), RELU, NORM, conv(2, 1), conv(7, 1), {"type": "mul", "inputs": ["l4", "l1"]}],
    # the longer checkpoint of l1 to l6 needs less than that of l1 to l4: what l6 handed on has gone when it begins
    "two outputs": [
        {"type": "dropout"},
        {"type": "max_pool2d", "kernel_size": 3, "stride": 1, "padding": 1, "inputs": ["input"]},
        OVERWRITING,
        {"type": "local_response_norm", "size": 3},
        {**conv(3, 3), "bias": False},
        {**conv(3, 3), "bias": False},
        {"type": "mul", "inputs": ["l1", "l4"]},
    ],
}


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("accumulation", [1, 2])
def test_branches_have_the_least_work_too(name: str, accumulation: int) -> None:
    check(network(BRANCHES[name]), accumulation=accumulation)


def test_a_budget_that_needs_no_checkpoint_gets_none() -> None:
    graph = network([conv(7, 3), NORM, RELU, conv(5, 3)])
    peak = timeline(graph).peak
    assert auto(graph, peak).segments == ()
    assert auto(graph, peak - 1).segments != ()


def test_one_of_three_activations_is_made_again() -> None:
    """Each silu keeps its input, 4 samples of 50 values, 800 bytes. A checkpoint of two holds that of the first, and
    runs the first again, but not the second, whose input is all that it keeps.
    """
    linear, silu = {"type": "linear", "out_features": 50}, {"type": "silu"}
    graph = network([linear, silu, silu, silu, {**linear, "out_features": 7}], batch=4, input=[3])
    budget = timeline(graph, Run(optimizer="none")).peak - 800
    line = auto(graph, budget, optimizer="none")
    assert (line.peak, line.segments) == (budget, (("l1", "l2"),))
    assert [line.program.ops[index].name for index in line.recomputed] == ["l1"]


@pytest.mark.parametrize("name", ["resnet18", "vgg_d"])
def test_less_work_than_blocks_in_the_same_memory(name: str) -> None:
    graph = build(load(name), 64)
    blocks = timeline(graph, Run(recompute="blocks"))
    line = auto(graph, blocks.peak)
    assert line.peak <= blocks.peak
    assert line.recomputed_flops < blocks.recomputed_flops / 10


def test_more_memory_never_costs_more_work() -> None:
    graph = build(load("resnet18"), 64)
    peak = timeline(graph).peak
    lines = [auto(graph, budget) for budget in range(peak, int(peak * 0.56), -peak // 15)]
    assert all(line.peak <= peak - index * (peak // 15) for index, line in enumerate(lines))
    work = [line.recomputed_flops for line in lines]
    assert work == sorted(work)
    assert work[0] == 0 < work[-1]


def test_of_a_long_network_some_boundaries_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose_checkpoints, "BOUNDARIES", 7)
    graph = network([conv(4 + place % 5, 1) if place % 2 else RELU for place in range(60)])
    budget = timeline(graph).peak * 3 // 4
    line = auto(graph, budget)
    assert line.peak <= budget
    assert 0 < len(line.segments) <= 7


def test_too_little_memory_says_how_much_is_needed() -> None:
    graph = build(load("vgg_d"), 64)
    with pytest.raises(OverBudgetError, match=r"no checkpoints bring the step within 1\.00 GiB") as refused:
        auto(graph, 2**30)
    least = refused.value.least
    assert refused.value.exit_code == 1
    assert auto(graph, least).peak <= least
    with pytest.raises(OverBudgetError):
        auto(graph, least - 1)


def test_kernels_of_their_own_memory_change_nothing() -> None:
    """What the CPU's kernels allocate for themselves is no tensor's."""
    graph = network([conv(7, 3), NORM, RELU, conv(5, 3), *HEAD])
    budget = timeline(graph).peak - 1
    settings = Run(recompute="auto")
    assert timeline(graph, settings, threads=2, budget=budget).segments == auto(graph, budget).segments != ()


def test_auto_needs_a_budget() -> None:
    with pytest.raises(ArchcostError, match="a budget in bytes"):
        timeline(network([RELU]), Run(recompute="auto"))


def test_what_a_checkpoint_holds_is_not_overwritten_behind_it() -> None:
    """l1 reads what l3 overwrites. Alone it keeps nothing, and is not computed again."""
    layers = [
        conv(3, 1),
        {"type": "add", "inputs": ["l0", "l0"]},
        {"type": "sigmoid"},
        {**OVERWRITING, "inputs": ["l0"]},
    ]
    graph = network(layers)
    program = timeline(graph, Run(recompute="l1, l2")).program
    with pytest.raises(ArchcostError, match="l3 overwrites what a checkpoint before it holds"):
        located(program, [("l1", "l2")])
    check(graph)
