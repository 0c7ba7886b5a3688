"""`$parameters`: where values come from, and what they may be."""

from __future__ import annotations

from typing import Any

import pytest

from archcost import ArchcostError
from tests.graph.wiring import graph, names


def features(found: Any) -> list[int]:
    return [node.output_types[0].shape[-1] for node in found.nodes]


def test_a_block_takes_its_defaults_and_what_its_use_says():
    blocks = "{b: {parameters: {width: 5, bias: true}, layers: [{type: linear, out_features: $width, bias: $bias}]}}"
    found = graph("[{block: b}, {block: b, width: 7}, {block: b, width: 3, bias: false}]", blocks=blocks)
    assert features(found) == [5, 7, 3]
    assert [len(node.weights) for node in found.nodes] == [2, 2, 1]


def test_the_networks_parameters_are_known_in_every_block():
    blocks = "{b: {layers: [{type: linear, out_features: $width}]}}"
    assert features(graph("[{block: b}]", blocks=blocks, parameters="{width: 6}")) == [6]


def test_a_block_hides_the_networks_parameter_of_its_name():
    blocks = "{b: {parameters: {width: 5}, layers: [{type: linear, out_features: $width}]}}"
    found = graph("[{block: b}, {type: linear, out_features: $width}]", blocks=blocks, parameters="{width: 6}")
    assert features(found) == [5, 6]


def test_parameters_of_the_block_around_are_not_known_inside():
    blocks = (
        "{outer: {parameters: {w: 5}, layers: [{block: inner}]}, inner: {layers: [{type: linear, out_features: $w}]}}"
    )
    with pytest.raises(ArchcostError, match=r"unknown parameter \$w"):
        graph("[{block: outer}]", blocks=blocks)


def test_values_are_handed_on_to_blocks_inside():
    blocks = (
        "{outer: {parameters: {w: null}, layers: [{block: inner, w: $w * 2}, {block: inner, w: $w}]},"
        " inner: {parameters: {w: 1}, layers: [{type: linear, out_features: $w + 1}]}}"
    )
    # 2*5 + 1 = 11 and 5 + 1 = 6
    assert features(graph("[{block: outer, w: 5}]", blocks=blocks)) == [11, 6]


def test_a_default_may_use_the_parameters_before_it():
    layers = "[{type: linear, out_features: $hidden}, {type: linear, out_features: $out}]"
    blocks = f"{{b: {{parameters: {{w: null, hidden: $w * $k, out: $hidden - 1}}, layers: {layers}}}}}"
    # 3*4 = 12 and 12 - 1 = 11; given hidden: 2 and 2 - 1 = 1
    found = graph(
        "[{block: b, w: 3}, {block: b, w: 3, hidden: 2}]", blocks=blocks, parameters="{half: 2, k: $half * 2}"
    )
    assert features(found) == [12, 11, 2, 1]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$w", 12),
        (" $w ", 12),
        ("$w * 2", 24),
        ("2*$w + $k", 29),
        ("($w - $k) * 2", 14),
        ("$w // $k", 2),
        ("$w % $k", 2),
        ("$w / 4", 3),
        ("-$k + $w", 7),
        ("$w - $k - 1", 6),
        ("make_divisible($w * 2, $k)", 25),
        ("$w + make_divisible(($w - 1) / 2, 4)", 20),  # 5.5 is nearer to 4, which would lose more than a tenth of it
    ],
)
def test_arithmetic(expression: str, value: int):
    layers = f"[{{type: linear, out_features: '{expression}'}}]"
    assert features(graph(layers, parameters="{w: 12, k: 5}")) == [value]


@pytest.mark.parametrize(
    "expression",
    [
        "$w$k",
        "$w k",
        "$w + k",
        "$w.real",
        "$w()",
        "f'{$w}'",
        "[$w]",
        "$w if 1 else 2",
        "$w ** 2",
        "$w <<1",
        "abs($w)",
        "$w + make_divisible",
    ],
)
def test_what_is_not_arithmetic(expression: str):
    with pytest.raises(ArchcostError, match="cannot work out an expression"):
        graph(f'[{{type: linear, out_features: "{expression}"}}]', parameters="{w: 12, k: 5}")


def test_expressions_inside_lists():
    found = graph("[{type: max_pool2d, kernel_size: [$k, 3], stride: 1}]", parameters="{k: 2}", inputs="{x: [1, 8, 8]}")
    # 8 - 2 + 1 = 7 and 8 - 3 + 1 = 6
    assert found.nodes[0].output_types[0].shape == (1, 1, 7, 6)


def test_a_parameter_may_be_a_list_a_word_or_a_truth():
    parameters = "{kernel: [3, 5], how: same, bias: false}"
    layer = "{type: conv2d, out_channels: 2, kernel_size: $kernel, padding: $how, bias: $bias}"
    found = graph(f"[{layer}]", parameters=parameters, inputs="{x: [1, 8, 8]}")
    assert found.nodes[0].weights[0].shape == (2, 1, 3, 5)
    assert len(found.nodes[0].weights) == 1


def test_true_and_one_are_told_apart():
    blocks = "{b: {parameters: {bias: null}, layers: [{type: linear, out_features: 4, bias: $bias}]}}"
    with pytest.raises(ArchcostError, match=r"b2\.fc1: wrong value for 'bias'"):
        graph("[{block: b, bias: true}, {block: b, bias: 1}]", blocks=blocks)


def test_a_repeat_by_a_parameter():
    blocks = "{b: {parameters: {depth: null}, layers: [{repeat: $depth - 1, layers: [{type: relu}]}]}}"
    assert names(graph("[{block: b, depth: 3}, {block: b, depth: 1}]", blocks=blocks)) == ["b1.relu1", "b1.relu2"]


@pytest.mark.parametrize("name", ["if", "2x", "größe", "a-b", "name", "block", "inputs", "trainable", ""])
def test_names_that_no_dollar_can_stand_before(name: str):
    with pytest.raises(ArchcostError, match="wrong name for a parameter"):
        graph("[{type: relu}]", parameters=f"{{'{name}': 1}}")
