"""Every pass is held to its contract: what it ensures holds, what it requires is asked for, and what repeats does."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archcost
from archcost.errors import ArchcostError
from archcost.graph import ModelGraph, build
from archcost.passes.contract import Pass, RunGraph, applied
from archcost.passes.idle_casts import IDLE_CASTS
from archcost.passes.in_place import IN_PLACE
from archcost.passes.loss import ADD_LOSS
from archcost.passes.order import ORDER, prepared
from archcost.passes.precision import PRECISION
from archcost.passes.recompute import RECOMPUTE
from archcost.passes.run import Mode, Precision, Run
from archcost.spec import ModelSpec
from archcost.terms.autograd import Device
from tests.graph.networks import LIMITS, specs

SHIPPED = ("alexnet", "autoencoder_tied", "densenet121", "gpt2", "mobilenet_v2", "resnet18_lstm", "swin_t", "vae")
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"mode": "infer", "precision": "amp-fp16"},
    {"precision": "amp-bf16", "in_place": True, "recompute": "every:3"},
    {"precision": "bf16", "in_place": False, "recompute": "blocks"},
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    return Run(
        mode=draw(st.sampled_from(get_args(Mode))),
        precision=draw(st.sampled_from(get_args(Precision))),
        recompute=draw(st.sampled_from(["none", "blocks", "every:2"])),
        in_place=draw(st.sampled_from([None, True, False])),
    )


def hold_contract(graph: ModelGraph, run: Run, device: Device) -> None:
    """All that is known to hold after each pass does hold, and what is repeatable changes nothing."""
    made = RunGraph.of(graph, run, device)
    for each in ORDER:
        made = each(made)
        assert set(each.ensures) <= made.holds
        assert {
            str(condition): list(condition.broken(made)) for condition in made.holds if list(condition.broken(made))
        } == {}
        if each.repeatable:
            assert each(made) == made
        readable(made)


def readable(made: RunGraph) -> None:
    """Every port that is read, returned or kept is made by a layer or goes in, and before."""
    known = set(made.graph.inputs)
    for node in made.graph.nodes:
        assert {port.producer for port in (*node.reads, *node.holds)} <= known
        assert node.name not in known
        known.add(node.name)
    assert {port.producer for port in (*made.graph.outputs, *made.returned, *made.graph.state)} <= known


@given(specs(), runs(), st.sampled_from(get_args(Device)))
@settings(**LIMITS)
def test_what_passes_ensure_holds(spec: ModelSpec, run: Run, device: Device) -> None:
    hold_contract(build(spec, 2), run, device)


@pytest.mark.parametrize("network", SHIPPED)
def test_what_passes_ensure_holds_of_networks_that_ship(network: str) -> None:
    graph = build(archcost.load(network), 2)
    for fields in SETTINGS:
        for device in get_args(Device):
            hold_contract(graph, Run(**fields), device)


@given(specs(), runs(), st.sampled_from(get_args(Device)))
@settings(**LIMITS)
def test_what_is_handed_on_is_worked_out_once(spec: ModelSpec, run: Run, device: Device) -> None:
    made = prepared(build(spec, 2), run, device)
    assert made.walk is made.walk
    assert made.needs is made.walk.needs
    assert made.required is made.walk.required
    assert bool(made.needs) == run.trains
    for name, needs in made.needs.items():
        assert set(needs.operands) <= set(made.required[name].operands)


BF16 = Run(precision="bf16")


def small(*layers: dict[str, Any], **fields: Any) -> ModelGraph:
    return build(ModelSpec.model_validate({"name": "n", "inputs": {"x": (3, 4)}, "layers": layers, **fields}), 2)


RELU = small({"type": "linear", "name": "fc", "out_features": 4}, {"type": "relu", "name": "a"})
CAST = small({"type": "cast", "name": "c", "dtype": "float32"}, {"type": "relu", "name": "a"})


@pytest.mark.parametrize(
    ("passes", "graph", "text"),
    [
        (
            (ADD_LOSS, IN_PLACE),
            RELU,
            "the pass `activations in place` comes too early or too late\n"
            "  expected: no loss behind the network's outputs\n"
            "  found: a loss of a\n"
            "  try: the order of archcost.passes.order",
        ),
        ((ADD_LOSS, ADD_LOSS), RELU, "the pass `loss` comes"),
        ((ADD_LOSS, RECOMPUTE), RELU, "the pass `recompute` comes"),
        (
            (PRECISION, ADD_LOSS),
            RELU,
            "the pass `loss` comes too early or too late\n"
            "  expected: every tensor in the dtype that the spec declares\n"
            "  found: x in bfloat16",
        ),
        ((PRECISION, PRECISION), RELU, "the pass `precision` comes"),
        (
            (IDLE_CASTS,),
            CAST,
            "the pass `idle casts` comes too early or too late\n"
            "  expected: every layer reads what arrives, in the dtype of the run\n"
            "  found: x in float32",
        ),
    ],
)
def test_a_wrong_order_is_refused(passes: tuple[Pass, ...], graph: ModelGraph, text: str) -> None:
    with pytest.raises(ArchcostError) as raised:
        applied(passes, graph, BF16, "cuda")
    assert str(raised.value).startswith(text)


def test_a_recomputation_waits_for_activations_in_place() -> None:
    """Where its segments may begin depends on which layers overwrite what arrives."""
    overwriting = small(
        {"type": "linear", "name": "fc", "out_features": 4}, {"type": "relu", "name": "a", "inplace": True}
    )
    with pytest.raises(ArchcostError, match="the pass `recompute` comes too early or too late") as raised:
        applied((RECOMPUTE,), overwriting, Run(in_place=False, recompute="every:1"), "cpu")
    assert raised.value.found == "a overwrites its input"


def test_autocast_before_the_loss_is_refused() -> None:
    with pytest.raises(ArchcostError, match="the pass `loss` comes too early or too late") as raised:
        applied((PRECISION, ADD_LOSS), RELU, Run(precision="amp-bf16"), "cuda")
    assert raised.value.found == "autocast's copy for fc"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_caller_holds_a_cast_only_where_it_is_one(precision: Precision) -> None:
    """In float32 the cast hands out what arrives, and the caller holds that."""
    graph = small({"type": "relu", "name": "a"}, {"type": "cast", "name": "c", "dtype": "float32"})
    made = prepared(graph, Run(precision=precision), "cpu")
    assert [str(port) for port in made.returned] == ["a" if precision == "fp32" else "c", "(loss)"]


def test_a_scalar_that_the_network_returns_is_the_loss_itself() -> None:
    """Whatever layer stands last."""
    graph = small(
        {"type": "linear", "name": "fc", "out_features": 4},
        {"type": "sum", "name": "s", "dim": [0, 1, 2]},
        {"type": "argmax", "name": "best", "inputs": ["fc"]},
        outputs=["s"],
    )
    made = prepared(graph, Run(), "cpu")
    assert [str(port) for port in made.graph.outputs] == [str(port) for port in made.returned] == ["s"]
    assert made.graph.nodes == graph.nodes
