"""What each layer reads: the one before it, or what it names, from inside blocks outwards."""

from __future__ import annotations

import pytest

import archcost
from archcost import ArchcostError, ModelSpec
from archcost.graph import Port
from archcost.layers import Linear
from archcost.spec import InputSpec, Repeat
from tests.graph.wiring import LINEAR, graph, wires

TWO = "{a: [4], b: [4]}"
POOL = "{type: max_pool1d, name: pool, kernel_size: 2, return_indices: true}"


def test_a_layer_reads_the_one_before_it_and_the_first_reads_the_first_input():
    assert wires(graph(f"[{LINEAR}, {{type: relu}}]", inputs=TWO)) == {"fc1": ["a"], "relu1": ["fc1"]}


def test_a_layer_reads_what_it_names():
    layers = "[{type: tanh, name: left}, {type: relu, name: right, inputs: [b]}, {type: add, inputs: [left, right]}]"
    assert wires(graph(layers, inputs=TWO))["add1"] == ["left", "right"]


def test_an_input_of_the_network_can_be_read_twice():
    assert wires(graph("[{type: add, inputs: [x, x]}]"))["add1"] == ["x", "x"]


def test_outputs_of_a_layer_are_told_apart():
    layers = f"[{POOL}, {{type: max_unpool1d, kernel_size: 2, inputs: [pool, pool:1]}}]"
    found = graph(layers, inputs="{x: [3, 8]}")
    assert wires(found)["unpool1"] == ["pool", "pool:1"]
    assert [tensor.dtype for tensor in found.nodes[1].input_types] == ["float32", "int64"]


def test_input_in_a_block_is_what_goes_into_it():
    blocks = f"{{residual: {{layers: [{LINEAR}, {{type: add, inputs: [fc1, input]}}]}}}}"
    found = wires(graph("[{type: relu}, {block: residual}, {block: residual}]", blocks=blocks))
    assert found["residual1.fc1"] == ["relu1"]
    assert found["residual1.add1"] == ["residual1.fc1", "relu1"]
    assert found["residual2.add1"] == ["residual2.fc1", "residual1.add1"]


def test_input_in_a_block_is_not_the_input_of_the_network_called_input():
    blocks = "{b: {layers: [{type: relu}, {type: add, inputs: [relu1, input]}]}}"
    found = wires(graph("[{type: tanh}, {block: b}]", blocks=blocks, inputs="{input: [4]}"))
    assert found["b1.add1"] == ["b1.relu1", "tanh1"]


def test_a_block_with_several_inputs():
    blocks = "{join: {layers: [{type: mul, inputs: [input, input:1]}, {type: add, inputs: [mul1, input:0]}]}}"
    found = wires(graph("[{block: join, inputs: [b, a]}]", blocks=blocks, inputs=TWO))
    assert found["join1.mul1"] == ["b", "a"]
    assert found["join1.add1"] == ["join1.mul1", "b"]


def test_the_first_layer_of_a_block_reads_the_first_of_its_inputs():
    blocks = f"{{b: {{layers: [{LINEAR}]}}}}"
    assert wires(graph("[{block: b, inputs: [b, a]}]", blocks=blocks, inputs=TWO))["b1.fc1"] == ["b"]


def test_the_second_output_of_a_layer_can_be_the_input_of_a_block():
    blocks = "{up: {layers: [{type: max_unpool1d, kernel_size: 2, inputs: [input, input:1]}]}}"
    layers = f"[{POOL}, {{block: up, inputs: [pool, pool:1]}}]"
    assert wires(graph(layers, blocks=blocks, inputs="{x: [3, 8]}"))["up1.unpool1"] == ["pool", "pool:1"]


def test_input_0_of_a_block_that_reads_a_second_output_is_that_output():
    blocks = "{b: {layers: [{type: identity, inputs: ['input:0']}]}}"
    layers = f"[{POOL}, {{block: b, inputs: ['pool:1']}}]"
    assert wires(graph(layers, blocks=blocks, inputs="{x: [3, 8]}"))["b1.identity1"] == ["pool:1"]


def test_the_name_of_a_block_is_the_output_of_its_last_layer():
    blocks = f"{{b: {{layers: [{LINEAR}, {{type: relu}}]}}}}"
    found = wires(
        graph("[{block: b, name: body}, {type: tanh, inputs: [x]}, {type: add, inputs: [tanh1, body]}]", blocks=blocks)
    )
    assert found["add1"] == ["tanh1", "body.relu1"]


def test_the_second_output_of_a_block_is_that_of_its_last_layer():
    blocks = "{down: {layers: [{type: relu}, {type: max_pool1d, kernel_size: 2, return_indices: true}]}}"
    layers = "[{block: down, name: d}, {type: max_unpool1d, kernel_size: 2, inputs: [d, d:1]}]"
    assert wires(graph(layers, blocks=blocks, inputs="{x: [3, 8]}"))["unpool1"] == ["d.pool1", "d.pool1:1"]


def test_the_output_of_blocks_in_blocks():
    blocks = f"{{inner: {{layers: [{LINEAR}]}}, outer: {{layers: [{{type: relu}}, {{block: inner}}]}}}}"
    found = wires(graph("[{block: outer, name: o}, {type: tanh}, {type: add, inputs: [o, tanh1]}]", blocks=blocks))
    assert found["tanh1"] == ["o.inner1.fc1"]
    assert found["add1"] == ["o.inner1.fc1", "tanh1"]


def test_a_block_of_nothing_passes_its_input_on():
    blocks = "{nothing: {layers: []}}"
    found = wires(
        graph("[{type: relu}, {block: nothing}, {type: tanh}, {type: add, inputs: [nothing1, tanh1]}]", blocks=blocks)
    )
    assert found["tanh1"] == ["relu1"]
    assert found["add1"] == ["relu1", "tanh1"]


def test_a_block_of_nothing_does_not_reach_for_the_networks_own_input():
    blocks = "{nothing: {layers: []}}"
    found = wires(graph("[{type: relu}, {block: nothing}, {type: tanh}]", blocks=blocks, inputs="{input: [4]}"))
    assert found["tanh1"] == ["relu1"]


def test_names_are_looked_up_from_the_inside_outwards():
    blocks = f"{{b: {{layers: [{LINEAR}, {{type: relu, name: act}}, {{type: add, inputs: [act, stem]}}]}}}}"
    found = wires(graph("[{type: relu, name: stem}, {type: relu, name: act}, {block: b}]", blocks=blocks))
    assert found["b1.add1"] == ["b1.act", "stem"]


def test_dotted_names_reach_into_blocks():
    blocks = f"{{b: {{layers: [{LINEAR}, {{type: relu}}]}}}}"
    found = wires(
        graph("[{block: b, name: one}, {block: b, name: two}, {type: add, inputs: [one.fc1, two]}]", blocks=blocks)
    )
    assert found["add1"] == ["one.fc1", "two.relu1"]


def test_input_of_a_named_repeat_is_that_of_its_round():
    round_ = f"[{LINEAR}, {{type: add, inputs: [input, fc1]}}]"
    layers = f"[{{repeat: 2, name: r, layers: {round_}}}, {{type: relu, inputs: [r1]}}]"
    found = wires(graph(layers))
    assert found["r1.add1"] == ["x", "r1.fc1"]
    assert found["r2.add1"] == ["r1.add1", "r2.fc1"]
    assert found["relu1"] == ["r1.add1"]


def test_frozen_layers_and_blocks():
    pair = f"[{LINEAR}, {{type: linear, out_features: 4, trainable: true}}]"
    blocks = f"{{b: {{layers: {pair}}}, o: {{layers: [{{block: b}}]}}}}"
    layers = (
        "[{type: linear, out_features: 4, trainable: false}, {block: b}, {block: o, name: frozen, trainable: false}]"
    )
    found = {node.name: node.trainable for node in graph(layers, blocks=blocks).nodes}
    assert found == {
        "fc1": False,
        "b1.fc1": True,
        "b1.fc2": True,
        "frozen.b1.fc1": False,
        "frozen.b1.fc2": False,
    }


def test_shared_weights_name_their_owner_from_inside_a_block():
    blocks = "{tied: {parameters: {of: null}, layers: [{type: linear, out_features: 7, weight: $of}]}}"
    found = graph(
        "[{type: linear, name: enc1, out_features: 4}, {block: tied, of: enc1.weight.T}]",
        blocks=blocks,
        inputs="{x: [7]}",
    )
    shared = found.nodes[1].shared
    assert shared is not None
    assert (shared.owner, shared.transposed) == ("enc1", True)
    # Only the bias is the tied layer's own.
    assert [weight.name for weight in found.nodes[1].own_weights] == ["bias"]


@pytest.mark.parametrize("weight", ["a.weight", "a.weight.T"])
def test_a_square_weight_can_be_shared_either_way(weight: str):
    found = graph(f"[{{type: linear, name: a, out_features: 4}}, {{type: linear, out_features: 4, weight: {weight}}}]")
    assert found.nodes[1].shared is not None


MATRIX = "{type: parameter, name: matrix, shape: [4, 4]}"


def test_a_layer_is_given_what_it_names():
    first = "{type: linear, name: fc, out_features: 4, inputs: [x], given: {bias: 'parts:1', weight: matrix}}"
    rows = "{type: parameter, name: rows, shape: [8]}"
    found = graph(f"[{MATRIX}, {rows}, {{type: split, name: parts, split_size: 4, dim: 0}}, {first}]").nodes[-1]
    assert {name: str(port) for name, port in found.given.items()} == {"weight": "matrix", "bias": "parts:1"}
    assert [str(port) for port in found.reads] == ["x", "parts:1", "matrix"]
    assert found.own_weights == ()


def test_a_block_is_given_a_weight_as_its_second_input():
    blocks = "{b: {layers: [{type: linear, out_features: 4, bias: false, given: {weight: 'input:1'}}]}}"
    found = graph(f"[{MATRIX}, {{block: b, inputs: [x, matrix]}}, {{block: b, inputs: [b1, matrix]}}]", blocks=blocks)
    assert [dict(node.given) for node in found.nodes[1:]] == [{"weight": Port("matrix")}] * 2
    assert archcost.cost(found).parameters == 4 * 4


def test_what_is_given_is_read():
    found = graph(f"[{MATRIX}, {{type: linear, out_features: 4, inputs: [x], given: {{weight: matrix}}}}]")
    assert found.outputs == (Port("fc1"),)
    assert found.nx.edges["matrix", "fc1"]["ports"] == (Port("matrix"),)


def test_a_shared_weight_beside_a_bias_that_is_given():
    shift = "{type: parameter, name: shift, shape: [4]}"
    first = "{type: linear, name: a, out_features: 4, bias: false, inputs: [x]}"
    second = "{type: linear, name: b, out_features: 4, weight: a.weight.T, given: {bias: shift}}"
    assert graph(f"[{shift}, {first}, {second}]").nodes[-1].own_weights == ()


def test_connections_of_weights_have_a_limit():
    many = {f"w{index}": "x" for index in range(1000)}
    layers = (Repeat(repeat=300, layers=(Linear(out_features=4, given=many),)),)
    with pytest.raises(ArchcostError, match="the network is too large"):
        archcost.build(ModelSpec(name="n", inputs={"x": InputSpec(shape=(4,))}, layers=layers))


def test_weights_cannot_be_shared_in_a_chain():
    first = "{type: linear, name: a, out_features: 4}"
    second = "{type: linear, name: b, out_features: 4, weight: a.weight}"
    layers = f"[{first}, {second}, {{type: linear, out_features: 4, weight: b.weight}}]"
    with pytest.raises(ArchcostError, match="shares the weight of a layer that has none of its own"):
        graph(layers)


TWO_STREAMS = """
name: two
input: [3]
blocks:
  both:
    outputs: [left, right]
    layers:
      - {type: linear, name: right, out_features: 5, inputs: ["input:1"]}
      - {type: linear, name: left, out_features: 2, inputs: [input]}
  begin:
    outputs: [input, "input:1"]
    layers: [{type: identity}]
layers:
  - {type: linear, name: wide, out_features: 7}
  - {block: begin, inputs: [wide, input]}
  - repeat: 2
    layers: [{block: both}]
  - {type: concat, name: joined, inputs: [both2, "both2:1"]}
"""


def test_a_block_that_returns_two_hands_both_to_the_next() -> None:
    """Left: 7, 2, 2 features; right: 3, 5, 5."""
    spec = archcost.loads(TWO_STREAMS)
    nodes = {node.name: node for node in archcost.build(spec).nodes}
    assert {name: sum(weight.numel for weight in nodes[name].weights) for name in nodes if nodes[name].weights} == {
        "wide": 28,  # 3*7 + 7
        "both1.right": 20,  # 3*5 + 5
        "both1.left": 16,  # 7*2 + 2
        "both2.right": 30,  # 5*5 + 5
        "both2.left": 6,  # 2*2 + 2
    }
    assert nodes["joined"].output_types[0].shape == (1, 7)
    assert archcost.loads(spec.to_yaml()) == spec


def test_a_block_returns_what_it_has() -> None:
    text = TWO_STREAMS.replace("outputs: [left, right]", "outputs: [left, write]")
    with pytest.raises(archcost.ArchcostError, match="write"):
        archcost.build(archcost.loads(text))
    with pytest.raises(archcost.ArchcostError, match="outputs"):
        archcost.loads(TWO_STREAMS.replace("outputs: [left, right]", "outputs: []"))
