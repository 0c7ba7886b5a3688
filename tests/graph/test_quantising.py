"""Networks whose linear layers keep frozen weights in few bits: which layers, bytes by hand, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost.comparison.locks import parse, section, write
from archcost.comparison.recipe import Recipe
from archcost.errors import ArchcostError
from archcost.passes.run import Run
from archcost.spec.changes import Changes
from archcost.spec.quantized import quantized_of

NET = """
name: net
inputs: {x: {shape: [3, 128]}}
layers:
  - {name: enter, type: linear, out_features: 64}
  - {type: relu}
  - {name: leave, type: linear, out_features: 32, bias: false}
  - {name: head, type: linear, out_features: 10, bias: false}
"""


def graph(**changes: Any) -> archcost.ModelGraph:
    return archcost.build(archcost.adapt(archcost.loads(NET), **changes), 2)


def kinds(built: archcost.ModelGraph) -> dict[str, str]:
    return {node.name: node.layer.type for node in built.nodes if node.weights}


def weights_in(precision: str, **changes: Any) -> int:
    """Bytes by role, in inference."""
    run = Run(mode="infer", precision=precision)  # pyright: ignore[reportArgumentType]
    return archcost.timeline(graph(**changes), run).by_role["weights"]


def test_all_linear_layers_but_the_head() -> None:
    assert kinds(graph(weights="nf4")) == {"enter": "linear_4bit", "leave": "linear_4bit", "head": "linear"}
    assert kinds(graph(weights="int8:layers=leave,head")) == {
        "enter": "linear",
        "leave": "linear_8bit",
        "head": "linear_8bit",
    }
    mixed = graph(weights=["int4:layers=enter", "fp8:layers=head"])
    assert kinds(mixed) == {"enter": "hqq_linear", "leave": "linear", "head": "weight_only_linear"}
    assert kinds(graph(weights="fp4:exclude=enter"))["enter"] == "linear"


BYTES = [
    # enter 64×128 = 8192 values and 64 biases, leave 32×64 = 2048, head 10×32 = 320
    ("nf4", "bf16", 8192 // 2 + 128 * 4 + 64 + 64 * 2 + 2048 // 2 + 32 * 4 + 64 + 320 * 2),
    ("nf4:group=128", "fp32", 8192 // 2 + 64 * 4 + 64 + 64 * 4 + 2048 // 2 + 16 * 4 + 64 + 320 * 4),
    # scales of bytes: one float32 for 256 of them, tables of 16 and 256, the mean
    ("fp4:double", "bf16", 4096 + 128 + 64 + 4 + 1024 + 4 + 64 * 2 + 1024 + 32 + 64 + 4 + 1024 + 4 + 320 * 2),
    ("int8", "bf16", 8192 + 64 * 4 + 64 * 2 + 2048 + 32 * 4 + 320 * 2),
    ("fp8", "fp32", 8192 + 64 * 4 + 64 * 4 + 2048 + 32 * 4 + 320 * 4),
    # a scale and a zero point a group, in the dtype of the run
    ("int4", "bf16", 4096 + 128 * 2 * 2 + 64 * 2 + 1024 + 32 * 2 * 2 + 320 * 2),
    ("int4:group=32", "fp32", 4096 + 256 * 2 * 4 + 64 * 4 + 1024 + 64 * 2 * 4 + 320 * 4),
]


@pytest.mark.parametrize(("how", "precision", "nbytes"), BYTES)
def test_bytes(how: str, precision: str, nbytes: int) -> None:
    assert weights_in(precision, weights=how) == nbytes


def test_all_other_weights_may_stay_in_float32() -> None:
    """As PEFT's prepare_model_for_kbit_training makes them: the table and the head, and what comes of the table."""
    words = """
name: n
inputs: {tokens: {shape: [3], dtype: int64}}
layers:
  - {name: emb, type: embedding, num_embeddings: 61, embedding_dim: 64}
  - {name: q, type: linear, out_features: 64, bias: false}
  - {name: head, type: linear, out_features: 61, bias: false}
"""
    spec = archcost.adapt(archcost.loads(words), weights="nf4:others=float32")
    line = archcost.timeline(archcost.build(spec, 2), Run(mode="infer", precision="bf16"))
    assert line.by_role["weights"] == 2 * 61 * 64 * 4 + 64 * 64 // 2 + 64 * 4 + 64


def test_parameters_and_macs_are_those_of_floats() -> None:
    plain = archcost.cost(graph())
    for how in ("nf4:double", "int8", "fp8", "int4"):
        found = archcost.cost(graph(weights=how))
        assert (found.parameters, found.macs) == (plain.parameters, plain.macs)


def test_an_adapter_stands_beside_the_quantised_layer() -> None:
    built = graph(weights="nf4", lora={"r": 2, "targets": "all-linear"})
    found = kinds(built)
    assert found["enter.base_layer"] == found["leave.base_layer"] == "linear_4bit"
    assert found["enter.lora_A.default"] == found["head"] == "linear"
    assert archcost.cost(built).trainable_parameters == 2 * (128 + 64 + 64 + 32)
    assert built.thawed == ()


def test_peft_copies_what_a_layer_of_4_bits_gives_and_casts_before_it_adds() -> None:
    """peft/tuners/lora/bnb.py."""
    names = [node.name.removeprefix("enter.") for node in graph(weights="nf4", lora={"targets": ["enter"]}).nodes[:8]]
    assert names == ["base_layer", "clone1", "cast1", "lora_A.default", "lora_B.default", "scale1", "cast2", "add1"]
    eight = graph(weights="int8", lora={"targets": ["enter"]}).nodes
    assert [node.name for node in eight[:2]] == ["enter.base_layer", "enter.cast1"]


def test_what_trains_is_not_quantised() -> None:
    with pytest.raises(ArchcostError, match="quantised weights do not train: enter, leave"):
        archcost.timeline(graph(weights="nf4"), Run())
    with pytest.raises(ArchcostError, match="do not train: leave"):
        archcost.timeline(graph(weights="nf4", freeze="enter"), Run())
    with pytest.raises(ArchcostError, match=r"do not train: enter\.base_layer"):
        archcost.timeline(graph(weights="nf4", lora={"targets": ["enter"]}, train="enter.base_layer"), Run())
    assert archcost.timeline(graph(weights="nf4", freeze=["enter", "leave"]), Run()).peak
    assert archcost.timeline(graph(weights="nf4"), Run(mode="infer")).peak


def test_it_is_told() -> None:
    spec = archcost.adapt(archcost.loads(NET), weights={"type": "nf4", "group": 128, "double": True})
    assert spec.label == "net (weights nf4:group=128,double)"
    assert archcost.loads(NET + "weights: {type: nf4, group: 128, double: true}\n").weights == spec.weights
    assert archcost.loads(NET + "weights: 'nf4:group=128,double'\n").weights == spec.weights
    recipe = Recipe("lenet5", 1, changes=Changes(weights=("nf4:group=128,double",)))
    text = write([section(recipe, archcost.cost(graph(weights="nf4")))])
    assert parse(text, "net.lock")[0].recipe == recipe


@pytest.mark.parametrize(
    "text", ["nf4", "nf4:group=128,double,layers=a,b", "int8:exclude=a", "fp4:compute=float32", "nf4:double,keep_input"]
)
def test_it_is_written_as_it_is_read(text: str) -> None:
    assert str(quantized_of(text)) == text


WRONG = [
    ("nf5", "unknown format of weights.*try: 'nf4'"),
    ("NF4", "unknown format of weights.*try: 'nf4'"),
    ("nf4:group=0", "no such size of groups.*32, 64"),
    ("nf4:group=48", "no such size of groups"),
    ("nf4:group=many", "no such size of groups"),
    ("int4:group=0", "weights in int4 are told wrongly.*greater than or equal to 1"),
    ("int4:group=48", "enter: the weight cannot be divided into groups"),
    ("int8:double", "int8 has no option 'double'.*int8 has one scale for each row"),
    ("fp8:group=64", "fp8 has no option 'group'"),
    ("int4:double", "int4 has no option 'double'.*nf4 or fp4"),
    ("nf4:grup=64", "nf4 has no option 'grup'.*try: 'group'"),
    ("nf4:compute=int8", "weights in nf4 are told wrongly.*float32"),
    ("nf4:layers=entre", "layers means nothing.*try: 'enter'"),
    ("nf4:exclude=*", "no layer is left to be quantised"),
    ("nf4:group=64,group=32", "'group' stands twice"),
    ("nf4:", "an option without a value"),
    ("", "unknown format of weights"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_refused(text: str, told: str) -> None:
    with pytest.raises(ArchcostError, match=f"(?s){told}"):
        graph(weights=text)


def test_refused_networks() -> None:
    image = "name: n\ninput: [3, 8, 8]\nlayers: [{type: conv2d, out_channels: 4, kernel_size: 3}]\n"
    with pytest.raises(ArchcostError, match="weights means nothing"):
        archcost.adapt(archcost.loads(image), weights="nf4")
    tied = NET + "  - {name: again, type: linear, inputs: [x], out_features: 64, weight: enter.weight}\n"
    with pytest.raises(ArchcostError, match="its weight is that of another layer too"):
        archcost.adapt(archcost.loads(tied), weights="nf4:layers=enter")
    left = archcost.adapt(archcost.loads(tied), weights="nf4")
    assert kinds(archcost.build(left, 1)) == {
        "enter": "linear",
        "leave": "linear_4bit",
        "head": "linear_4bit",
        "again": "linear",
    }
    with pytest.raises(ArchcostError, match="two formats of one weight"):
        graph(weights=["nf4", "int8:layers=enter"])


def test_matrices_in_one_tensor_are_left_and_told() -> None:
    experts = """
name: n
inputs: {x: {shape: [3, 8]}}
layers:
  - {name: q, type: linear, out_features: 8}
  - {name: experts, type: parameter, shape: [4, 8, 8]}
  - {name: head, type: linear, inputs: [q], out_features: 8}
"""
    built = archcost.build(archcost.adapt(archcost.loads(experts), weights="nf4"), 1)
    [(told, names)] = built.assumptions.items()
    assert names == ("experts",)
    assert "stay in floats" in told
    assert archcost.build(archcost.loads(experts), 1).assumptions == {}
