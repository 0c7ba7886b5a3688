"""Composites: one entry that torch writes out as several layers, in the graph under its name."""

from __future__ import annotations

import pytest

import archcost
from archcost import ArchcostError
from archcost.costs import cost
from archcost.graph.size import MOST_LAYERS
from archcost.layers import COMPOSITES, Composite, MultiHeadAttention
from archcost.planning.widths import widened
from tests.graph.wiring import graph, names

ATTENTION = "{type: multi_head_attention, name: attn, num_heads: 3}"
TOKENS = "{x: [5, 6]}"

SEVERAL = [
    MultiHeadAttention(num_heads=3),
    MultiHeadAttention(num_heads=3, batch_first=False),
    MultiHeadAttention(num_heads=3, inputs=("a", "b", "b")),
    MultiHeadAttention(num_heads=3, inputs=("a", "b", "c")),
    MultiHeadAttention(num_heads=3, inputs=("a", "b", "c"), batch_first=False, bias=False),
]
"""Of each composite every way in which it is written out."""


def test_its_parts_stand_under_its_name():
    found = graph(f"[{ATTENTION}, {{type: relu}}]", inputs=TOKENS)
    assert {"attn.in_proj", "attn.attention", "attn.out_proj"} <= {*names(found)}
    assert all(name.startswith("attn.") for name in names(found)[:-1])
    assert found.nodes[-1].inputs[0].producer == "attn.batch_first"
    assert found.nodes[-1].input_types[0].shape == (1, 5, 6)


def test_weights_and_products_are_counted_by_hand():
    found = cost(graph(f"[{ATTENTION}]", inputs=TOKENS, batch=2))
    amounts = {layer.name: (layer.parameters, layer.macs) for layer in found.layers if layer.macs}
    assert amounts == {
        "attn.in_proj": (6 * 18 + 18, 2 * 5 * 6 * 18),
        "attn.attention": (0, 2 * 2 * 5 * 5 * 6),  # scores, and means of the values
        "attn.out_proj": (6 * 6 + 6, 2 * 5 * 6 * 6),
    }


def test_parts_without_a_name_and_without_biases():
    found = cost(graph("[{type: multi_head_attention, num_heads: 2, bias: false}]", inputs=TOKENS))
    assert found.layers[1].name == "attn1.in_proj"
    assert (found.parameters, found.biases) == (6 * 18 + 6 * 6, 0)


def test_fields_may_be_expressions_and_blocks_may_hold_it():
    blocks = (
        "{b: {parameters: {heads: null}, layers: [{type: multi_head_attention, num_heads: $heads + 1},"
        " {type: add, inputs: [attn1, input]}]}}"
    )
    found = graph("[{repeat: 2, layers: [{block: b, heads: 2}]}]", blocks=blocks, inputs=TOKENS)
    assert {"b1.attn1.query", "b2.attn1.query", "b2.add1"} <= {*names(found)}
    heads = {node.name: node.output_types[0].shape for node in found.nodes if node.name.endswith("query")}
    assert heads == dict.fromkeys(("b1.attn1.query", "b2.attn1.query"), (1, 3, 5, 2))


def test_it_reads_what_inputs_name_and_a_part_can_be_read():
    layers = (
        "[{type: linear, name: a, out_features: 9}, {type: relu, name: b}, "
        "{type: multi_head_attention, name: attn, num_heads: 3, inputs: [a]}, "
        "{type: add, inputs: [attn, b]}, {type: relu, inputs: [attn.in_proj]}]"
    )
    found = graph(layers, inputs=TOKENS)
    by_name = {node.name: node for node in found.nodes}
    assert by_name["attn.positions"].inputs[0].producer == "a"
    assert by_name["relu1"].output_types[0].shape == (5, 1, 27)


def test_attending_to_another_it_has_as_many_weights():
    inputs = "{x: [5, 6], y: [7, 6], z: [7, 6]}"
    for three in ("[x, y, y]", "[x, y, z]"):
        found = cost(graph(f"[{{type: multi_head_attention, num_heads: 3, inputs: {three}}}]", inputs=inputs))
        assert found.parameters == 6 * 18 + 18 + 6 * 6 + 6
        assert found.macs == 5 * 6 * 6 + 2 * 7 * 6 * 6 + 2 * 5 * 7 * 6 + 5 * 6 * 6
        assert found.layers[-1].output_shapes == ((1, 5, 6),)


def test_one_name_three_times_is_itself():
    found = graph("[{type: multi_head_attention, num_heads: 3, inputs: [x, x, x]}]", inputs=TOKENS)
    assert names(found) == names(graph("[{type: multi_head_attention, num_heads: 3}]", inputs=TOKENS))


def test_frozen_it_has_no_trainable_weight():
    found = cost(graph("[{type: multi_head_attention, num_heads: 3, trainable: false}]", inputs=TOKENS))
    assert (found.parameters, found.trainable_parameters) == (6 * 18 + 18 + 6 * 6 + 6, 0)


def test_equal_parts_are_worked_out_once():
    blocks = "{b: {layers: [{type: multi_head_attention, num_heads: 3}]}}"
    found = graph("[{repeat: 2, layers: [{block: b}]}]", blocks=blocks, inputs=TOKENS)
    facts = {node.name: node.facts for node in found.nodes}
    assert facts["b1.attn1.in_proj"] is facts["b2.attn1.in_proj"]


@pytest.mark.parametrize("composite", SEVERAL, ids=repr)
def test_it_is_counted_before_it_is_written_out(composite: Composite):
    """The count may be too much and never too little; the sketch has the parts' names and wiring."""
    parts, sketch = composite.parts((2, 5, 6)), composite.sketch()
    assert [(part.type, part.name, part.inputs) for part in parts] == [
        (part.type, part.name, part.inputs) for part in sketch
    ]
    known = {"input", *(f"input:{index}" for index in range(3))}
    for part in parts:
        assert set(part.inputs) <= known
        known.add(part.name or "")


@pytest.mark.parametrize("type_", COMPOSITES)
def test_the_most_parts_are_those_of_some_way(type_: str):
    ways = [composite for composite in SEVERAL if composite.type == type_]
    assert max(len(composite.sketch()) for composite in ways) == COMPOSITES[type_].most_parts


def test_too_many_are_refused():
    rounds = MOST_LAYERS // MultiHeadAttention.most_parts + 1
    with pytest.raises(ArchcostError, match="the network is too large"):
        graph(f"[{{repeat: {rounds}, layers: [{{type: multi_head_attention, num_heads: 3}}]}}]", inputs=TOKENS)


def test_its_parts_follow_when_the_width_of_what_it_reads_varies():
    layers = "[{type: linear, name: wide, out_features: 12}, {type: multi_head_attention, name: attn, num_heads: 3}"
    spec = archcost.loads(f"name: net\ninput: [5, 6]\nlayers: {layers}, {{type: linear, out_features: 2}}]")
    twice = {node.name: node.output_types[0].shape[-1] for node in widened(spec, 1)(200).nodes}
    assert (twice["wide"], twice["attn.in_proj"], twice["attn.out_proj"], twice["fc1"]) == (24, 72, 24, 2)
