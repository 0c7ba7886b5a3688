"""Names given by hand and names given by counting, in every scope of its own."""

from __future__ import annotations

import pytest

from archcost import ArchcostError
from tests.graph.wiring import LINEAR, graph, names


def test_unnamed_layers_are_counted_by_kind():
    layers = f"[{LINEAR}, {{type: relu}}, {LINEAR}, {{type: relu6}}, {{type: leaky_relu}}]"
    assert names(graph(layers)) == ["fc1", "relu1", "fc2", "relu2", "relu3"]


def test_names_given_by_hand_are_left_out_of_the_count():
    layers = "[{type: relu, name: relu1}, {type: relu}, {type: relu, name: relu3}, {type: relu}]"
    assert names(graph(layers)) == ["relu1", "relu2", "relu3", "relu4"]


def test_a_name_given_by_hand_after_the_count_came_to_it_stands_twice():
    with pytest.raises(ArchcostError, match="the name 'relu1' stands twice"):
        graph("[{type: relu}, {type: relu, name: relu1}]")


def test_every_block_counts_for_itself():
    blocks = f"{{pair: {{layers: [{LINEAR}, {LINEAR}]}}}}"
    found = names(graph(f"[{LINEAR}, {{block: pair}}, {{block: pair}}, {{block: pair, name: last}}]", blocks=blocks))
    assert found == ["fc1", "pair1.fc1", "pair1.fc2", "pair2.fc1", "pair2.fc2", "last.fc1", "last.fc2"]


def test_blocks_in_blocks_have_dotted_names():
    blocks = f"{{inner: {{layers: [{LINEAR}]}}, outer: {{layers: [{{block: inner}}, {{block: inner, name: tail}}]}}}}"
    assert names(graph("[{block: outer, name: body}]", blocks=blocks)) == ["body.inner1.fc1", "body.tail.fc1"]


def test_a_repeat_without_a_name_goes_on_counting():
    assert names(graph(f"[{LINEAR}, {{repeat: 2, layers: [{LINEAR}, {{type: relu}}]}}, {LINEAR}]")) == [
        *("fc1", "fc2", "relu1", "fc3", "relu2", "fc4"),
    ]


def test_a_repeat_with_a_name_counts_its_rounds():
    layers = f"[{{repeat: 2, name: unit, layers: [{LINEAR}, {{type: relu, name: act}}]}}]"
    assert names(graph(layers)) == ["unit1.fc1", "unit1.act", "unit2.fc1", "unit2.act"]


def test_repeats_in_repeats():
    layers = f"[{{repeat: 2, name: a, layers: [{{repeat: 2, name: b, layers: [{LINEAR}]}}]}}]"
    assert names(graph(layers)) == ["a1.b1.fc1", "a1.b2.fc1", "a2.b1.fc1", "a2.b2.fc1"]


@pytest.mark.parametrize("name", ["unit", ""])
def test_a_repeat_of_zero_leaves_nothing(name: str):
    named = f"name: {name}, " if name else ""
    assert names(graph(f"[{LINEAR}, {{repeat: 0, {named}layers: [{{type: relu}}]}}, {{type: tanh}}]")) == [
        "fc1",
        "tanh1",
    ]


def test_names_of_other_scripts_are_names():
    assert names(graph("[{type: relu, name: Schicht_ä.層1}]")) == ["Schicht_ä.層1"]


@pytest.mark.parametrize(
    "pair", ["[{type: relu, name: a}, {type: relu, name: a.b}]", "[{type: relu, name: a.b}, {type: relu, name: a}]"]
)
def test_a_layer_is_not_a_scope(pair: str):
    with pytest.raises(ArchcostError, match="a layer's name is the beginning of another's"):
        graph(pair)
