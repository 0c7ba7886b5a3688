"""What holds of every timeline, over random small networks and settings."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archcost.costs.low_bit_states import low_bit
from archcost.costs.program import ROLES
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError
from archcost.graph import ModelGraph, build
from archcost.passes.optimizer import Optimizer, method
from archcost.passes.run import Mode, Precision, Run
from archcost.spec import ModelSpec
from archcost.terms.autograd import Device
from tests.graph.networks import LIMITS, branches, chains, channels, joined, spec_of, specs, stem

STAY = {"weights", "buffers", "inputs", "optimizer_state"}
optimizers = st.sampled_from([word for word in get_args(Optimizer) if word != "lion" and low_bit(method(word)) is None])


@st.composite
def runs(draw: st.DrawFn, **fixed: Any) -> Run:
    fields: dict[str, Any] = {
        "mode": draw(st.sampled_from(get_args(Mode))),
        "precision": draw(st.sampled_from(get_args(Precision))),
        "optimizer": draw(optimizers),
        "accumulation": draw(st.integers(1, 3)),
        "recompute": draw(st.sampled_from(["none", "blocks", "every:1", "every:3"])),
    }
    return Run(**fields | fixed)


devices: st.SearchStrategy[Device] = st.sampled_from(get_args(Device))


def played(spec: ModelSpec, run: Run, device: Device = "cpu", batch: int = 2, out_of_place: bool = False) -> Timeline:
    return of(build(spec, batch), run, device, out_of_place)


def of(graph: ModelGraph, run: Run, device: Device = "cpu", out_of_place: bool = False) -> Timeline:
    """Settings that do not suit the network are not what is asked here."""
    try:
        return timeline(graph, run, device, out_of_place=out_of_place)
    except ArchcostError:
        assume(False)
        raise


def levels(line: Timeline) -> list[int]:
    """Live bytes after each event."""
    return list(accumulate(line.sizes[event] if event >= 0 else -line.sizes[~event] for event in line.events))


def at_the_end_of_forward(line: Timeline) -> int:
    event = next(mark.event for mark in line.marks if mark.phase == "backward")
    return levels(line)[event - 1]


@settings(**LIMITS)
@given(specs(), runs(), devices)
def test_the_peak_lies_between_the_largest_tensor_and_all_of_them(spec: ModelSpec, run: Run, device: Device) -> None:
    line = played(spec, run, device)
    assert max(line.sizes) <= line.peak <= sum(line.sizes)
    assert line.peak == max(levels(line)) == max(moment.peak for moment in line.moments)
    assert sum(each.held.nbytes for each in line.alive) == line.peak


@settings(**LIMITS)
@given(specs(), runs(), devices)
def test_roles_add_up_at_every_moment(spec: ModelSpec, run: Run, device: Device) -> None:
    line = played(spec, run, device)
    assert all(sum(moment.roles) == moment.peak for moment in line.moments)
    assert {each.held.role for each in line.alive if each.held.nbytes} == {
        role for role, nbytes in line.by_role.items() if nbytes
    }
    weights = sum(weight.numel for node in line.graph.nodes for weight in node.own_weights if not weight.is_buffer)
    size = 2 if line.run.weight_dtype else 4
    assert {moment.roles[ROLES.index("weights")] for moment in line.moments[1:]} == {size * weights}


@settings(**LIMITS)
@given(specs(), runs(), devices)
def test_what_comes_goes_and_only_residents_stay(spec: ModelSpec, run: Run, device: Device) -> None:
    line = played(spec, run, device)
    living: set[int] = set()
    for event in line.events:
        if event >= 0:
            assert event not in living  # nothing is made that is there
            living.add(event)
        else:
            assert ~event in living  # nothing is freed that is not there
            living.remove(~event)
    assert living == {number for number, held in enumerate(line.storages) if held.role in STAY}


@settings(**LIMITS)
@given(specs(), runs(), devices)
def test_everything_is_affine_in_the_batch_and_never_falls(spec: ModelSpec, run: Run, device: Device) -> None:
    two, three, four = (played(spec, run, device, batch) for batch in (2, 3, 4))
    assert two.events == three.events == four.events
    for a, b, c in zip(two.sizes, three.sizes, four.sizes, strict=True):
        assert c - b == b - a >= 0
    assert [moment.name for moment in two.moments] == [moment.name for moment in four.moments]
    assert all(a.peak <= b.peak for a, b in zip(two.moments, three.moments, strict=True))


@settings(**LIMITS)
@given(specs(), runs(mode="train"), st.sampled_from(["blocks", "every:1", "every:2", "every:4"]))
def test_recomputing_only_adds_work(spec: ModelSpec, run: Run, recompute: str) -> None:
    graph = build(spec, 2)
    plain, again = of(graph, Run(recompute="none")), of(graph, Run(recompute=recompute))
    works = [work.forward for node in graph.nodes for work in node.facts.work]
    assert plain.recomputed_flops == 0
    assert 0 <= again.recomputed_flops <= sum(flops.contraction + flops.elementwise for flops in works)
    assert set(again.recomputed) <= set(range(len(again.program.ops)))


@settings(**LIMITS)
@given(chains, st.sampled_from(["every:1", "every:2", "every:4"]))
def test_on_a_trained_chain_recomputing_never_keeps_more(layers: list[dict[str, Any]], recompute: str) -> None:
    """Else it may: a checkpoint holds what it reads, be it two tensors for a sum, or one for a mask of bool."""
    thawed = [{key: value for key, value in layer.items() if key != "trainable"} for layer in layers]
    spec = spec_of({"type": "conv2d", "name": "first", "out_channels": 3, "kernel_size": 1}, *thawed)
    graph = build(spec, 2)
    plain, again = of(graph, Run(recompute="none")), of(graph, Run(recompute=recompute))
    assert at_the_end_of_forward(again) <= at_the_end_of_forward(plain)


@settings(**LIMITS)
@given(specs(), st.sampled_from(get_args(Precision)), devices)
def test_training_holds_no_less_than_inference(spec: ModelSpec, precision: Precision, device: Device) -> None:
    runs = [Run(mode=mode, precision=precision, optimizer="none") for mode in ("infer", "infer-autograd", "train")]
    without, keeping, training = (played(spec, run, device).peak for run in runs)
    assert without <= keeping <= training


@settings(**LIMITS)
@given(specs(), runs(mode="train", accumulation=1), devices)
def test_accumulation_never_lowers_the_peak(spec: ModelSpec, run: Run, device: Device) -> None:
    fields = {name: getattr(run, name) for name in ("precision", "optimizer", "recompute")}
    one, two, three = (played(spec, Run(accumulation=n, **fields), device).peak for n in (1, 2, 3))
    assert one <= two == three


@settings(**LIMITS)
@given(specs(), runs(mode="train"), devices)
def test_adding_out_of_place_never_holds_less(spec: ModelSpec, run: Run, device: Device) -> None:
    line, watched = played(spec, run, device), played(spec, run, device, out_of_place=True)
    assert line.peak <= watched.peak
    assert all(a.peak <= b.peak for a, b in zip(line.moments, watched.moments, strict=True))


@settings(**LIMITS)
@given(chains, runs(mode="train"))
def test_a_frozen_network_has_no_gradients_and_no_optimizer(layers: list[dict[str, Any]], run: Run) -> None:
    def frozen(layer: dict[str, Any]) -> dict[str, Any]:
        weighted = layer["type"].startswith(("conv", "batch_norm"))
        return layer | {"trainable": False} if weighted else layer

    line = played(spec_of(*map(frozen, layers)), run)
    assert {held.role for held in line.storages} & {"gradients", "optimizer_state"} == set()
    assert {mark.phase for mark in line.marks} == {"before", "forward", "after"}


@settings(**LIMITS)
@given(stem, branches, channels, st.sampled_from(["add", "concat"]), st.data())
def test_the_order_of_branches_changes_no_weight_and_no_gradient(
    first: dict[str, Any], parts: dict[str, list[int]], width: int, join: str, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(sorted(parts)))
    sorted_parts = {name: parts[name] for name in sorted(parts)}
    lines = [
        played(spec_of(first, *joined({name: parts[name] for name in names}, width, join)), Run())
        for names in (sorted_parts, order)
    ]
    assert max(lines[0].sizes) <= lines[0].peak
    for role in ("weights", "gradients", "optimizer_state", "inputs"):
        here, there = (sorted(held.nbytes for held in line.storages if held.role == role) for line in lines)
        assert here == there


@pytest.mark.parametrize(("recompute", "layers"), [("none", 10_000), ("every:100", 4_000)])
def test_a_long_chain_has_a_linear_number_of_events(recompute: str, layers: int) -> None:
    """One layer more is as many events and moments more, whatever went before."""

    def counts(length: int) -> tuple[int, int, int]:
        chain = [{"type": "conv2d", "out_channels": 3, "kernel_size": 1}, *[{"type": "sigmoid"}] * length]
        line = played(spec_of(*chain, size=(2, 2)), Run(optimizer="sgd", recompute=recompute))
        return len(line.events), len(line.moments), len(line.storages)

    short, twice, long = counts(1_000), counts(2_000), counts(layers)
    for a, b, c in zip(short, twice, long, strict=True):
        assert c - b == (layers // 1_000 - 2) * (b - a) > 0
