"""The network with its sizes: what `build` refuses, its outputs, and the view for networkx."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

import archcost
from archcost import ArchcostError, ModelSpec
from archcost.errors import ShapeError
from archcost.graph import Port
from archcost.layers import Add, Linear, ReLU, Split
from archcost.spec import InputSpec, Repeat
from tests.graph.wiring import LINEAR, graph

BRANCHED = (
    f"[{{type: relu, name: stem}}, {LINEAR}, {{type: tanh, inputs: [stem]}}, {{type: add, inputs: [fc1, tanh1]}}]"
)


@pytest.mark.parametrize("batch", [0, -1, 2**31, 1.0, True, "2", None])
def test_a_batch_is_a_positive_integer(batch: Any):
    with pytest.raises(ArchcostError, match="wrong batch"):
        archcost.build(archcost.load("lenet5"), batch=batch)


def test_the_batch_is_the_first_axis_of_everything():
    found = graph(BRANCHED, batch=7)
    assert found.batch == 7
    assert found.inputs["x"].shape == (7, 4)
    assert all(node.output_types[0].shape == (7, 4) for node in found.nodes)


def test_equal_layers_are_worked_out_once():
    """Whatever they are called and read, as an imported network calls each of its layers something else."""
    found = graph(
        "[{type: linear, name: a, out_features: 4}, {type: linear, name: b, out_features: 4},"
        " {type: linear, name: wide, out_features: 5}, {type: linear, name: c, inputs: [a], out_features: 4}]"
    )
    a, b, wide, c = found.nodes
    assert a.facts is b.facts is c.facts
    assert wide.facts is not a.facts
    assert [node.name for node in found.nodes] == ["a", "b", "wide", "c"]
    assert [str(port) for node in found.nodes for port in node.inputs] == ["x", "a", "b", "a"]


def test_layers_are_equal_only_if_their_numbers_are_written_alike():
    """2 and 2.0 are equal to Python, and multiply integers into different dtypes."""
    scaled = "[{type: scale, name: a, factor: 2}, {type: scale, name: b, inputs: [x], factor: 2.0}]"
    found = graph(scaled, inputs="{x: {shape: [4], dtype: int64}}")
    assert [str(node.output_types[0]) for node in found.nodes] == ["1×4 int64", "1×4"]


def test_inputs_of_several_dtypes():
    inputs = "{image: {shape: [3, 8, 8], dtype: bfloat16}, labels: {shape: [], dtype: int64}, plain: [5]}"
    found = graph("[{type: relu}]", inputs=inputs, batch=2)
    assert {name: str(tensor) for name, tensor in found.inputs.items()} == {
        "image": "2×3×8×8 bfloat16",
        "labels": "2 int64",
        "plain": "2×5",
    }
    assert found.nodes[0].output_types[0].dtype == "bfloat16"


def test_outputs_are_what_nobody_reads():
    assert graph(BRANCHED).outputs == (Port("add1"),)
    two = graph(f"[{{type: relu, name: stem}}, {LINEAR}, {{type: tanh, inputs: [stem]}}]")
    assert two.outputs == (Port("fc1"), Port("tanh1"))


def test_a_pool_whose_indices_alone_are_read_is_no_output():
    layers = "[{type: max_pool1d, kernel_size: 2, return_indices: true}, {type: identity, inputs: ['pool1:1']}]"
    assert graph(layers, inputs="{x: [3, 8]}").outputs == (Port("identity1"),)


OUTPUTS = """
name: returning
input: [4, 6]
outputs: [stem, "pieces:1"]
layers:
  - {type: linear, name: stem, out_features: 5, bias: false}
  - {type: linear, name: top, out_features: 3, bias: false}
  - {type: split, name: pieces, split_size: 1, dim: 2}
  - {type: linear, name: nowhere, out_features: 7, bias: false, inputs: [stem]}
"""


def test_outputs_as_the_spec_names_them():
    found = archcost.build(archcost.loads(OUTPUTS), batch=2)
    assert found.outputs == (Port("stem"), Port("pieces", 1))
    assert [tensor.shape for tensor in found.returned] == [(2, 4, 5), (2, 4, 1)]
    nowhere = archcost.cost(found).layers[-1]
    assert nowhere.flops.forward.contraction == 2 * 8 * 5 * 7  # 2·4 rows
    assert nowhere.flops.backward.contraction == 0  # no loss reaches it


def test_an_output_of_a_block():
    text = """
name: returning
input: [4]
blocks: {twice: {layers: [{type: relu, name: first}, {type: tanh, name: second}]}}
outputs: [twice1, twice1.first]
layers: [{block: twice}, {type: sigmoid}]
"""
    assert archcost.build(archcost.loads(text)).outputs == (Port("twice1.second"), Port("twice1.first"))


def test_a_network_of_no_layers():
    found = graph("[]")
    assert found.nodes == ()
    assert archcost.cost(found).parameters == 0


def test_the_view_for_networkx():
    found = graph(BRANCHED)
    view = found.nx
    assert nx.is_directed_acyclic_graph(view)
    assert set(view.nodes) == {"x", "stem", "fc1", "tanh1", "add1"}
    assert set(view.edges) == {("x", "stem"), ("stem", "fc1"), ("stem", "tanh1"), ("fc1", "add1"), ("tanh1", "add1")}
    assert view.nodes["x"]["tensor"] is found.inputs["x"]
    assert view.nodes["fc1"]["node"] is found.nodes[1]
    assert next(iter(nx.topological_sort(view))) == "x"


def test_the_view_for_networkx_tells_which_outputs_are_read():
    pool = "{type: max_pool1d, kernel_size: 2, return_indices: true}"
    layers = f"[{pool}, {{type: max_unpool1d, kernel_size: 2, inputs: [pool1, pool1:1]}}]"
    view = graph(layers, inputs="{x: [3, 8]}").nx
    assert [str(port) for port in view.edges["pool1", "unpool1"]["ports"]] == ["pool1", "pool1:1"]
    assert [str(port) for port in graph("[{type: add, inputs: [x, x]}]").nx.edges["x", "add1"]["ports"]] == ["x", "x"]


def test_the_view_for_networkx_cannot_be_changed():
    view = graph(BRANCHED).nx
    with pytest.raises(nx.NetworkXError):
        view.add_node("another")
    with pytest.raises(nx.NetworkXError):
        view.remove_edge("x", "stem")


def test_a_graph_cannot_be_changed():
    found = graph(BRANCHED)
    with pytest.raises(AttributeError):
        found.batch = 3  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError):
        found.nodes[0].trainable = False  # pyright: ignore[reportAttributeAccessIssue]


def test_building_twice_gives_equal_graphs():
    spec = archcost.load("lenet5")
    assert archcost.build(spec, 3).nodes == archcost.build(spec, 3).nodes


def test_a_chain_of_a_hundred_thousand_layers():
    chain = Repeat(repeat=50_000, layers=(Linear(out_features=2), ReLU()))
    cost = archcost.cost(archcost.build(ModelSpec(name="chain", inputs={"x": InputSpec(shape=(2,))}, layers=(chain,))))
    assert len(cost.layers) == 100_000
    assert cost.layers[-1].name == "relu50000"
    # 2*2 + 2 = 6 weights and 2*2 = 4 products a layer
    assert (cost.parameters, cost.macs) == (300_000, 200_000)


def test_a_chain_written_out_in_python():
    layers = tuple(Linear(out_features=2, bias=False) for _ in range(20_000))
    cost = archcost.cost(archcost.build(ModelSpec(name="chain", inputs={"x": InputSpec(shape=(2,))}, layers=layers)))
    assert (len(cost.layers), cost.parameters) == (20_000, 80_000)


@pytest.mark.parametrize("layers", [100, 200, 400])
def test_rules_of_equal_layers_are_worked_out_once(layers: int, monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    rule = Linear.output_types

    def counted(self: Linear, inputs: Any) -> Any:
        asked.append(1)
        return rule(self, inputs)

    monkeypatch.setattr(Linear, "output_types", counted)
    assert len(graph(f"[{{repeat: {layers}, layers: [{LINEAR}]}}]").nodes) == layers
    assert len(asked) == 1


def test_pieces_and_connections_have_a_limit():
    many = Repeat(repeat=30, layers=(Linear(out_features=10_000), Split(split_size=1)))
    spec = ModelSpec(name="n", inputs={"x": InputSpec(shape=(4,))}, layers=(many,))
    with pytest.raises(ArchcostError, match="too many tensors"):
        archcost.build(spec)
    wide = Repeat(repeat=300, layers=(Add(inputs=("x",) * 1000),))
    with pytest.raises(ArchcostError, match="the network is too large"):
        archcost.build(ModelSpec(name="n", inputs={"x": InputSpec(shape=(4,))}, layers=(wide,)))


@pytest.mark.parametrize(
    ("loss", "layers", "suits"),
    [
        ("cross_entropy", "[{type: linear, out_features: 10}]", True),
        ("cross_entropy", "[{type: linear, out_features: 10}, {type: l1_penalty, inputs: [x]}]", True),
        ("cross_entropy", "[{type: linear, out_features: 10}, {type: relu, inputs: [x]}]", False),
        ("cross_entropy", "[{type: permute, dims: [1, 0]}]", False),
        ("cross_entropy", "[{type: l1_penalty}]", False),
        ("mse", "[{type: linear, out_features: 10}]", True),
        ("l1", "[{type: mean, dim: 1}]", True),
        ("cross_entropy", "[{type: mean, dim: 1}]", False),
        ("mse", "[{type: linear, out_features: 10}, {type: relu, inputs: [x]}]", False),
        ("sum", "[{type: linear, out_features: 10}, {type: relu, inputs: [x]}]", True),
        ("none", "[{type: l1_penalty}]", True),
    ],
)
def test_the_loss_suits_the_outputs(loss: str, layers: str, suits: bool):
    spec = archcost.loads(f"name: n\ninput: [4]\nloss: {loss}\nlayers: {layers.replace('[x]', '[input]')}\n")
    if suits:
        assert archcost.build(spec, 2).spec.loss == loss
        return
    with pytest.raises(ArchcostError, match=f"loss {loss} does not suit the outputs"):
        archcost.build(spec, 2)


def test_a_layer_that_lacks_an_input_is_told_so() -> None:
    layer = {"type": "opaque", "op": "f", "shapes": [[1]], "dtypes": ["float32"], "batch_dims": [0]}
    spec = archcost.ModelSpec.model_validate({"name": "n", "input": [2], "layers": [layer]})
    with pytest.raises(ShapeError, match="the last input must have a batch"):
        archcost.build(spec)


def test_no_rule_takes_complex_numbers() -> None:
    odd = "{type: opaque, name: odd, op: fft, inputs: [input], shapes: [[1, 4]], dtypes: [complex64], batch_dims: [0]}"
    spec = archcost.loads(f"name: n\ninput: [4]\nlayers:\n  - {odd}\n  - {{type: relu}}\n")
    with pytest.raises(ShapeError, match="no rule counts what relu does with complex numbers") as error:
        archcost.build(spec, 2)
    assert (error.value.expected, error.value.found) == ("floats, or a layer of type opaque", "2×4 complex64 (odd)")
    line = archcost.timeline(archcost.build(archcost.loads(f"name: n\ninput: [4]\nlayers:\n  - {odd}\n"), 2))
    assert line.peak >= 2 * 4 * 8
