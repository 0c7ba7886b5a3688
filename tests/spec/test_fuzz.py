"""Shipped specs with something wrong in them: a graph or a message, never another exception."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import archcost
from archcost.layers import LAYERS
from archcost.spec import zoo

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.sampled_from([10**6, 2**31, 2**62, 2**63, 10**30, 0.5, -1.0, 1e308, "", "$", "$a", "$width * 2", "$1", "1 / 0"]),
    st.sampled_from(
        ["same", "input", "input:1", "x:9999", "stage1", "stage1.weight.T", "a.b", "fc8", "none", "no", "*a"]
    ),
    st.sampled_from(sorted(LAYERS)),
    st.text(max_size=6),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
)
KEYS = [
    "type",
    "block",
    "repeat",
    "name",
    "inputs",
    "layers",
    "kernel_size",
    "parameters",
    "shape",
    "weight",
    "trainable",
    "dim",
]


@cache
def shipped(name: str) -> dict[str, Any]:
    return archcost.load(name).to_dict()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in keys for place in places(inner, (*path, key)))]


def mutate(tree: dict[str, Any], data: st.DataObject) -> None:
    """One node replaced, dropped, said twice, or given another key."""
    path = data.draw(st.sampled_from(places(tree)[1:]))
    around: Any = tree
    for step in path[:-1]:
        around = around[step]
    match data.draw(st.sampled_from(["replace", "replace", "drop", "double", "add"])):
        case "replace":
            around[path[-1]] = data.draw(VALUES)
        case "drop":
            del around[path[-1]]
        case "double" if isinstance(around, list):
            around.insert(path[-1], deepcopy(around[path[-1]]))
        case "add" if isinstance(around, dict):
            around[data.draw(st.sampled_from(KEYS))] = data.draw(VALUES)
        case _:
            pass


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.data())
def test_a_changed_spec_gives_a_graph_or_a_message(data: st.DataObject):
    tree = deepcopy(shipped(data.draw(st.sampled_from(zoo.names()))))
    for _ in range(data.draw(st.integers(1, 3))):
        if tree:
            mutate(tree, data)
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=data.draw(st.booleans()))
    check(text)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.data())
def test_a_changed_text_gives_a_graph_or_a_message(data: st.DataObject):
    text = archcost.load(data.draw(st.sampled_from(zoo.names()))).to_yaml()
    start = data.draw(st.integers(0, len(text)))
    end = min(len(text), start + data.draw(st.integers(0, 12)))
    check(text[:start] + data.draw(st.text(max_size=4) | st.sampled_from("{}[],:-#&*!|>'\"%@`\t\n$ ")) + text[end:])


def check(text: str) -> None:
    refusal: archcost.ArchcostError | None = None
    try:
        spec = archcost.loads(text)
        archcost.cost(archcost.build(spec)).to_dict()
    except archcost.ArchcostError as error:
        refusal = error
    else:
        assert archcost.loads(spec.to_yaml()) == spec
    if refusal is not None:
        assert refusal.exit_code == 2
        assert refusal.place is not None
        assert len(str(refusal)) < 3_000
