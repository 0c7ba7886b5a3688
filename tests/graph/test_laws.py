"""Laws that every network obeys, tried on random small ones. No torch: the formulas against themselves."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archcost
from archcost.costs import ModelCost
from archcost.spec import ModelSpec, zoo
from tests.graph.networks import (
    LIMITS,
    Entry,
    branches,
    chains,
    channels,
    convolutions,
    cost_of,
    flags,
    joined,
    spec_of,
    specs,
)

laws = settings(**LIMITS)


def figures(result: ModelCost) -> dict[str, Any]:
    """Every total of a network, columns and halves apart."""
    return result.to_dict()["totals"]


def flat(tree: dict[str, Any]) -> dict[str, int]:
    leaves = {name: value for name, value in tree.items() if isinstance(value, int)}
    for name, value in tree.items():
        if isinstance(value, dict):
            leaves |= {f"{name}.{key}": inner for key, inner in flat(value).items()}
    return leaves


@laws
@given(specs(), st.integers(2, 7))
def test_work_is_linear_in_the_batch_and_weights_constant(spec: ModelSpec, batch: int) -> None:
    one, many = flat(figures(cost_of(spec))), flat(figures(cost_of(spec, batch)))
    for name, value in one.items():
        weights = name in ("parameters", "biases", "trainable_parameters", "buffers")
        assert many[name] == (value if weights else batch * value), name


@laws
@given(specs())
def test_the_receptive_field_does_not_depend_on_the_batch(spec: ModelSpec) -> None:
    assert [layer.field for layer in cost_of(spec).layers] == [layer.field for layer in cost_of(spec, 5).layers]


@laws
@given(convolutions(), chains)
def test_groups_of_one_are_no_groups(conv: Entry, rest: list[Entry]) -> None:
    assert figures(cost_of(spec_of({**conv, "groups": 1}, *rest))) == figures(cost_of(spec_of(conv, *rest)))


@laws
@given(convolutions(), st.sampled_from([2, 3, 4]), st.sampled_from([1, 2]), flags)
def test_groups_are_convolutions_side_by_side(conv: Entry, groups: int, width: int, bias: bool) -> None:
    """A grouped convolution is one convolution for each piece of the channels, laid next to each other."""
    stem = {"type": "conv2d", "name": "stem", "out_channels": 12, "kernel_size": 1}
    grouped = {**conv, "bias": bias, "out_channels": groups * width, "groups": groups}
    part = {**conv, "bias": bias, "out_channels": width}
    parts = [{**part, "name": f"part{i}", "inputs": (f"pieces:{i}",)} for i in range(groups)]
    split = {"type": "split", "name": "pieces", "split_size": 12 // groups}
    apart = spec_of(stem, split, *parts, {"type": "concat", "inputs": tuple(entry["name"] for entry in parts)})
    assert figures(cost_of(apart)) == figures(cost_of(spec_of(stem, grouped)))


@laws
@given(channels, channels, flags, st.integers(1, 3))
def test_a_pointwise_convolution_is_a_linear_on_moved_axes(width: int, out: int, bias: bool, batch: int) -> None:
    stem = {"type": "conv2d", "name": "stem", "out_channels": width, "kernel_size": 3}
    conv = {"type": "conv2d", "out_channels": out, "kernel_size": 1, "bias": bias}
    moved = (
        {"type": "permute", "dims": (0, 2, 3, 1)},
        {"type": "linear", "out_features": out, "bias": bias},
        {"type": "permute", "dims": (0, 3, 1, 2)},
    )
    assert figures(cost_of(spec_of(stem, conv), batch)) == figures(cost_of(spec_of(stem, *moved), batch))


@laws
@given(chains, branches, channels, st.sampled_from(["add", "concat"]), st.randoms(use_true_random=False))
def test_totals_do_not_depend_on_the_order_of_independent_branches(
    chain: list[Entry], given_branches: dict[str, list[int]], width: int, join: str, random: Any
) -> None:
    stem = {"type": "conv2d", "name": "stem", "out_channels": 4, "kernel_size": 3, "padding": 2}
    shuffled = list(given_branches)
    random.shuffle(shuffled)
    first, second = (
        cost_of(spec_of(*chain, stem, *joined({name: given_branches[name] for name in order}, width, join)))
        for order in (sorted(given_branches), shuffled)
    )
    assert figures(first) == figures(second)
    assert {layer.name: layer.to_dict() for layer in first.layers} == {
        layer.name: layer.to_dict() for layer in second.layers
    }


@laws
@given(specs())
def test_parts_add_up_to_their_parent(spec: ModelSpec) -> None:
    result = cost_of(spec)
    parts = [flat({key: value for key, value in layer.to_dict().items() if key != "jump"}) for layer in result.layers]
    for name, total in flat(figures(result)).items():
        values = [part[name] for part in parts]
        assert sum(values) == total, name
        assert max(values) <= total, name
        assert min(values) >= 0, name


@laws
@given(specs())
def test_backward_is_at_most_twice_forward_in_contractions(spec: ModelSpec) -> None:
    """Each operand costs as much as forward again, and nothing costs more."""
    flops = cost_of(spec).flops
    assert flops.backward_input.contraction <= flops.forward.contraction
    assert flops.backward_weight.contraction <= flops.forward.contraction


@laws
@given(chains)
def test_freezing_all_leaves_forward_and_takes_backward_away(chain: list[Entry]) -> None:
    free = cost_of(spec_of({"block": "body"}, blocks={"body": {"layers": chain}}))
    frozen = cost_of(spec_of({"block": "body", "trainable": False}, blocks={"body": {"layers": chain}}))
    assert frozen.flops.forward == free.flops.forward
    assert frozen.parameters == free.parameters
    assert frozen.trainable_parameters == 0
    assert frozen.flops.backward.contraction == frozen.flops.backward.elementwise == 0


@laws
@given(chains)
def test_the_receptive_field_never_shrinks_along_a_chain(chain: list[Entry]) -> None:
    fields = [layer.field for layer in cost_of(spec_of(*chain)).layers]
    for before, after in pairwise(fields):
        assert before is not None
        assert after is not None
        assert all(a <= b for a, b in zip(before.size, after.size, strict=True))


@laws
@given(chains)
def test_a_branch_sees_at_least_as_much_as_each_of_its_parts(chain: list[Entry]) -> None:
    """Joined with something that sees one position of the same stride, nothing is lost."""
    layers = [*chain, {"type": "identity", "name": "left"}, {"type": "relu", "name": "right", "inputs": ("left",)}]
    *_, left, _, join = cost_of(spec_of(*layers, {"type": "add", "inputs": ("left", "right")})).layers
    assert join.field == left.field


@laws
@given(specs())
def test_what_is_written_loads_back_equal(spec: ModelSpec) -> None:
    cost = cost_of(spec).to_dict()
    for text in (spec.to_yaml(), json.dumps(spec.to_dict())):
        loaded = archcost.loads(text)
        assert loaded == spec
        assert cost_of(loaded).to_dict() == cost
        assert loaded.to_yaml() == spec.to_yaml()


@pytest.mark.parametrize("network", zoo.names())
def test_a_shipped_network_loads_back_equal(network: str) -> None:
    spec = archcost.load(network)
    assert archcost.loads(spec.to_yaml()) == spec
