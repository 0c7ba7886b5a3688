"""Networks that are frozen, trained again and adapted: names, weights and operations by hand."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost.comparison.locks import parse, section, write
from archcost.comparison.recipe import Recipe
from archcost.passes.order import prepared
from archcost.spec.changes import Changes

NET = """
name: net
input: [3, 7]
layers:
  - {name: enter, type: linear, out_features: 11}
  - {type: relu}
  - {name: leave, type: linear, out_features: 5, bias: false}
"""


def cost(**changes: Any) -> archcost.ModelCost:
    return archcost.cost(archcost.build(archcost.adapt(archcost.loads(NET), **changes), 2))


def by_name(found: archcost.ModelCost) -> dict[str, Any]:
    return {layer.name: layer for layer in found.layers}


def test_lora_is_two_products_beside_a_frozen_layer() -> None:
    found = cost(lora={"r": 2, "alpha": 4, "targets": ["enter"]})
    layers = by_name(found)
    assert [*layers] == [
        "enter.base_layer",
        "enter.cast1",
        "enter.lora_A.default",
        "enter.lora_B.default",
        "enter.scale1",
        "enter.add1",
        "enter.cast2",
        "relu1",
        "leave",
    ]
    assert layers["enter.lora_A.default"].parameters == 14  # 7*2
    assert layers["enter.lora_B.default"].parameters == 22  # 2*11
    assert found.parameters == 7 * 11 + 11 + 11 * 5 + 36
    assert found.trainable_parameters == 36
    assert layers["enter.lora_A.default"].macs == 2 * 3 * 7 * 2
    assert layers["enter.scale1"].node.layer.factor == 2  # 4 / 2
    assert layers["leave"].node.inputs[0].producer == "relu1"
    assert layers["relu1"].node.inputs[0].producer == "enter.cast2"


def test_frozen_products_skip_backward() -> None:
    """Two rows of three: the base of the first layer computes no gradient, that of the last only its input's."""
    layers = by_name(cost(lora={"r": 2, "targets": ["enter", "leave"]}))

    def backward(name: str) -> tuple[int, int]:
        flops = layers[name].flops
        return flops.backward_input.contraction, flops.backward_weight.contraction

    assert backward("enter.base_layer") == (0, 0)
    assert backward("enter.lora_A.default") == (0, 2 * 6 * 7 * 2)
    assert backward("enter.lora_B.default") == (2 * 6 * 2 * 11, 2 * 6 * 2 * 11)
    assert backward("leave.base_layer") == (2 * 6 * 11 * 5, 0)
    assert backward("leave.lora_A.default") == (2 * 6 * 11 * 2, 2 * 6 * 11 * 2)


def test_rank_stabilised_lora_has_another_scale() -> None:
    layers = by_name(cost(rslora={"r": 4, "alpha": 8, "targets": ["enter"]}))
    assert layers["enter.scale1"].node.layer.factor == 4  # 8 / √4


def test_what_is_trained() -> None:
    assert cost(freeze="enter").trainable_parameters == 55
    assert cost(freeze=["*"], train="leave").trainable_parameters == 55
    assert cost(lora={"r": 1, "targets": "enter"}, train="leave").trainable_parameters == 18 + 55
    assert cost(lora={"r": 1, "targets": "enter"}, freeze="lora_A").trainable_parameters == 11
    assert cost(lora={"r": 1, "targets": "all-linear"}).trainable_parameters == 18


def test_weights_of_an_adapter_stay_in_float32() -> None:
    run = archcost.Run(precision="bf16", optimizer="none")
    spec = archcost.loads(NET)
    wide = archcost.timeline(archcost.build(archcost.adapt(spec, lora={"r": 2, "targets": "enter"})), run)
    same = archcost.timeline(
        archcost.build(archcost.adapt(spec, lora={"r": 2, "targets": "enter", "dtype": "same"})), run
    )
    weights = [line.by_role["weights"] for line in (wide, same)]
    assert weights == [2 * 143 + 4 * 36, 2 * 143 + 2 * 36]


def test_a_product_of_two_dtypes_is_refused() -> None:
    spec = archcost.loads(NET.replace("out_features: 11", "out_features: 11, keep_float32: true"))
    with pytest.raises(archcost.ArchcostError, match="torch multiplies no two dtypes"):
        archcost.timeline(archcost.build(spec), archcost.Run(precision="bf16"))


@pytest.mark.parametrize("changes", [{"freeze": "*"}, {"freeze": "lora_*", "lora": {"r": 2, "targets": "enter"}}])
def test_a_step_in_which_nothing_trains_is_refused(changes: dict[str, Any]) -> None:
    graph = archcost.build(archcost.adapt(archcost.loads(NET), **changes))
    with pytest.raises(archcost.ArchcostError, match="nothing trains"):
        archcost.timeline(graph, archcost.Run())
    assert archcost.timeline(graph, archcost.Run(mode="infer")).peak


def test_changes_are_told() -> None:
    found = cost(freeze="leave", lora={"r": 2, "alpha": 4.5, "dropout": 0.25, "targets": "enter"})
    assert found.network == "net (freeze leave, adapt lora:r=2,alpha=4.5,dropout=0.25,targets=enter)"
    assert found.to_dict()["network"] == found.network


def test_changes_survive_yaml() -> None:
    spec = archcost.adapt(archcost.loads(NET), train="leave", lora={"r": 2, "targets": ["enter"]})
    assert archcost.loads(spec.to_yaml()) == spec
    written = NET + "adapt: 'lora:r=2,targets=enter'\ntrain: leave\n"
    assert archcost.loads(written).adapt == spec.adapt
    assert archcost.loads(written).label == spec.label


def test_a_lock_says_how_a_network_is_changed() -> None:
    recipe = Recipe("net.yaml", changes=Changes(("leave",), (), ("lora:r=2,targets=enter",)))
    assert str(recipe) == "network net.yaml --batch 1 --freeze leave --adapt lora:r=2,targets=enter"
    assert parse(write([section(recipe, cost())]), "x")[0].recipe == recipe


EVERY = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.mark.parametrize(
    ("changes", "trainable"),
    [
        ({"dora": {"r": 32}}, 9_289_728),
        ({"lora": {"r": 32}}, 9_175_040),
        ({"rslora": {"r": 64}}, 18_350_080),
        ({"ia3": {"targets": ["k_proj", "v_proj", "down_proj"], "feedforward": "down_proj"}}, 286_720),
        ({"ia3": {"targets": EVERY, "feedforward": ["gate_proj", "up_proj", "down_proj"]}}, 630_784),
        ({"freeze": "*", "train": ["input_layernorm", "post_attention_layernorm", "norm"]}, 175_104),
    ],
)
def test_published_parameters(changes: dict[str, Any], trainable: int) -> None:
    """Of Llama 3.2 3B in PEFT's own comparison of methods (huggingface/peft, method_comparison/MetaMathQA, 2026)."""
    spec = archcost.adapt("llama3_2_3b", **changes)
    assert archcost.cost(archcost.build(spec)).trainable_parameters == trainable


@pytest.mark.parametrize(
    ("changes", "problem", "hint"),
    [
        ({"freeze": "entre"}, "freeze means nothing", "'enter'"),
        ({"train": "relu1"}, "train means nothing", None),
        ({"lora": {"targets": ["leaf"]}}, "targets means nothing", "'leave'"),
        ({"lora": {"targets": ["relu1"]}}, "no adapter is put on relu", None),
        ({"lora": {}}, "no targets, and no names of queries and values that are known", "targets=all-linear"),
        ({"lora": {"r": 0, "targets": "enter"}}, "wrong value for 'r'", None),
        ({"lora": {"alpha": float("nan"), "targets": "enter"}}, "wrong value for 'alpha'", None),
        ({"lora": {"rank": 4, "targets": "enter"}}, "unknown field 'rank'", None),
        ({"lora": {"r": 8, "targets": "enter"}}, "r is larger than the layer", "a smaller r, or exclude this layer"),
        ({"lora": [{"targets": "enter", "r": 1}] * 2}, "two adapters on one layer", "exclude=…, in one of them"),
        ({"adapt": "lore:r=2"}, "unknown adapter 'lore'", "'lora' or 'rslora'"),
        ({"adapt": "lora:r"}, "an option without a value", None),
        ({"adapt": "lora:r=2,r=3"}, "r stands twice", None),
        ({"freeze": ""}, "freeze has no pattern", None),
        ({"ia3": {}}, "ia3 names no targets", "ia3:targets=k_proj,v_proj,down_proj,feedforward=down_proj"),
        ({"ia3": {"targets": "enter", "feedforward": "leave"}}, "feedforward means nothing", None),
        (
            {"dora": {"r": 2, "targets": "enter"}, "weights": "nf4"},
            "no rule for DoRA on a weight of few bits",
            "type lora",
        ),
        ({"ia3": {"targets": "enter"}, "weights": "nf4"}, "no rule for IA3 on a weight of few bits", None),
    ],
)
def test_mistakes_are_told(changes: dict[str, Any], problem: str, hint: str | None) -> None:
    with pytest.raises(archcost.ArchcostError) as told:
        cost(**changes)
    assert (told.value.problem, told.value.hint) == (problem, hint)


@pytest.mark.parametrize(("device", "copies"), [("cuda", 0), ("cpu", 1)])
def test_an_adapter_beside_few_bits_casts_where_no_autocast_is_on(device: Any, copies: int) -> None:
    """PEFT asks for a GPU's autocast: on a CPU what arrives in 16 bits is cast to the adapter's float32."""
    spec = archcost.adapt(archcost.loads(NET), weights="nf4:layers=leave", lora={"r": 2, "targets": ["leave"]})
    graph = archcost.build(spec)
    names = [node.name for node in prepared(graph, archcost.Run(precision="amp-bf16"), device).graph.nodes]
    assert names.count("leave.cast1") == copies
    assert "leave.cast1" in [node.name for node in prepared(graph, archcost.Run(precision="bf16"), device).graph.nodes]
