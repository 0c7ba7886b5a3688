"""Networks whose layers have other names, aligned by what the layers are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.comparison.align import flow_order, longest_run, paired_layers
from archcost.comparison.compare import Comparison, side_by_side
from archcost.costs import ModelCost
from tests.report.networks import cost_of

# 2 maps of 5×5 → 3 maps → 7 maps → 7 means; each layer is of a kind or a size that no other has.
CHAIN = [
    "{name: a, type: conv2d, out_channels: 3, kernel_size: 3, padding: 1}",
    "{name: b, type: batch_norm2d}",
    "{name: c, type: relu}",
    "{name: d, type: conv2d, out_channels: 7, kernel_size: 1}",
    "{name: e, type: tanh}",
    "{name: f, type: adaptive_avg_pool2d, output_size: 1}",
    "{name: g, type: flatten}",
]


def chain(layers: list[str], name: str = "chain") -> ModelCost:
    return cost_of(f"name: {name}\ninput: [2, 5, 5]\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers))


def renamed(layers: list[str]) -> list[str]:
    """Capital letters in place of the small ones."""
    return [f"{{name: {layer[7].upper()}{layer[8:]}" for layer in layers]


def shown(comparison: Comparison) -> list[tuple[str | None, ...]]:
    assert comparison.aligned_by == "structure"
    return [row.names for row in comparison.differing]


def test_other_names_are_no_difference() -> None:
    comparison = side_by_side([chain(CHAIN), chain(renamed(CHAIN))])
    assert shown(comparison) == []
    assert [row.names for row in comparison.rows] == [(name, name.upper()) for name in "abcdefg"]
    assert comparison.same == 7


def test_half_of_the_names_decide() -> None:
    # of six layers three, of seven three
    assert side_by_side([chain(CHAIN[:6]), chain([*CHAIN[:3], *renamed(CHAIN[3:])])]).aligned_by == "name"
    assert side_by_side([chain(CHAIN), chain([*CHAIN[:3], *renamed(CHAIN[3:])])]).aligned_by == "structure"


def test_every_network_must_share_names() -> None:
    assert side_by_side([chain(CHAIN), chain(CHAIN), chain(renamed(CHAIN))]).aligned_by == "structure"


def test_an_added_layer() -> None:
    after = renamed(CHAIN)
    after.insert(3, "{name: X, type: dropout}")
    comparison = side_by_side([chain(CHAIN), chain(after)])
    assert shown(comparison) == [(None, "X")]
    assert [row.names for row in comparison.rows][2:5] == [("c", "C"), (None, "X"), ("d", "D")]


def test_a_removed_layer() -> None:
    after = renamed(CHAIN)
    del after[1]
    assert shown(side_by_side([chain(CHAIN), chain(after)])) == [("b", None)]


def test_a_moved_layer() -> None:
    # the norm of the 3 maps comes behind their relu
    after = renamed(CHAIN)
    after[1], after[2] = after[2], after[1]
    comparison = side_by_side([chain(CHAIN), chain(after)])
    assert len(shown(comparison)) == 1
    assert shown(comparison)[0] in [("b", "B"), ("c", "C")]
    assert comparison.differing[0].moved == (False, True)
    assert not comparison.differing[0].changed


def test_a_changed_layer() -> None:
    # 3·3·2·3 + 3 = 57 weights become 5·5·2·3 + 3 = 153; 25·3·18 = 1,350 MACs become 25·3·50 = 3,750
    after = renamed(CHAIN)
    after[0] = "{name: A, type: conv2d, out_channels: 3, kernel_size: 5, padding: 2}"
    (row,) = side_by_side([chain(CHAIN), chain(after)]).differing
    assert row.names == ("a", "A")
    assert [(facts.parameters, facts.macs) for facts in row.facts if facts] == [(57, 1350), (153, 3750)]


def test_another_type_at_the_same_place() -> None:
    after = renamed(CHAIN)
    after[4] = "{name: E, type: sigmoid}"
    after[6] = "{name: G, type: reshape, shape: [7]}"
    comparison = side_by_side([chain(CHAIN), chain(after)])
    assert shown(comparison) == [("e", "E"), ("g", "G")]
    assert [row in comparison.without_cost for row in comparison.differing] == [False, True]


def test_wider_layers_are_told_by_their_type() -> None:
    # 11 maps in place of 3: everything before d has another shape, and d other weights
    after = renamed(CHAIN)
    after[0] = "{name: A, type: conv2d, out_channels: 11, kernel_size: 3, padding: 1}"
    assert shown(side_by_side([chain(CHAIN), chain(after)])) == [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")]


def test_nothing_in_common() -> None:
    other = chain(["{name: z, type: linear, out_features: 3}"])
    comparison = side_by_side([chain(CHAIN), other])
    assert shown(comparison) == [(None, "z"), *((name, None) for name in "abcdefg")]
    assert comparison.same == 0


# A block's two branches; c3 and s are convolutions of 2 → 5 maps, so equal in all that is compared.
MAIN = [
    "{name: c1, type: conv2d, inputs: [x], out_channels: 2, kernel_size: 1}",
    "{name: r1, type: relu}",
    "{name: c3, type: conv2d, out_channels: 5, kernel_size: 1}",
    "{name: n3, type: batch_norm2d}",
]
SHORTCUT = [
    "{name: s, type: conv2d, inputs: [x], out_channels: 5, kernel_size: 1}",
    "{name: n, type: batch_norm2d}",
]
STEM, JOIN = "{name: x, type: tanh}", "{name: sum, type: add, inputs: [n, n3]}"
MAIN_FIRST = [STEM, *MAIN, *SHORTCUT, JOIN]
SHORTCUT_FIRST = [STEM, *SHORTCUT, *MAIN, JOIN.replace("n, n3", "n3, n")]


def capitals(layers: list[str]) -> list[str]:
    text = "\n".join(layers)
    for name in ("c1", "r1", "c3", "n3", "sum", "s", "n", "x"):
        text = text.replace(f"name: {name},", f"name: {name.upper()},")
    text = text.replace("[x]", "[X]").replace("[n, n3]", "[N, N3]").replace("[n3, n]", "[N3, N]")
    return text.split("\n")


def test_branches_in_another_order_keep_their_layers() -> None:
    before, after = chain(MAIN_FIRST), chain(capitals(SHORTCUT_FIRST))
    assert paired_layers(before, after) == {
        name.upper(): name for name in ("x", "c1", "r1", "c3", "n3", "s", "n", "sum")
    }
    comparison = side_by_side([before, after])
    assert shown(comparison) == [("s", "S"), ("n", "N")]
    assert not any(row.changed for row in comparison.differing)


def test_flow_does_not_tell_the_order_of_execution() -> None:
    assert [layer.name for layer in flow_order(chain(MAIN_FIRST))] == ["x", "c1", "r1", "c3", "n3", "s", "n", "sum"]
    assert [layer.name for layer in flow_order(chain(SHORTCUT_FIRST))] == ["x", "c1", "r1", "c3", "n3", "s", "n", "sum"]


def test_a_third_network_is_aligned_with_the_first() -> None:
    third = [layer.replace("name: ", "name: third_") for layer in CHAIN[:6]]
    comparison = side_by_side([chain(CHAIN), chain(renamed(CHAIN)), chain(third)])
    assert shown(comparison) == [("g", "G", None)]
    assert comparison.rows[3].names == ("d", "D", "third_d")


@pytest.mark.parametrize(
    ("before", "after", "run"),
    [
        ("", "", []),
        ("abc", "", []),
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "xyz", []),
        ("abc", "xabyc", [(0, 1), (1, 2), (2, 4)]),
        ("abcd", "bcda", [(1, 0), (2, 1), (3, 2)]),
        ("aab", "ab", [(0, 0), (2, 1)]),
        ("axbxc", "abc", [(0, 0), (2, 1), (4, 2)]),
    ],
)
def test_the_longest_run(before: str, after: str, run: list[tuple[int, int]]) -> None:
    assert longest_run(before, after) == run


def longest_length(before: str, after: str) -> int:
    """By the table of lengths, cell by cell."""
    above = [0] * (len(after) + 1)
    for old in before:
        row = [0]
        for j, new in enumerate(after):
            row.append(above[j] + 1 if old == new else max(above[j + 1], row[j]))
        above = row
    return above[-1]


letters = st.text("abc", max_size=40)


@given(letters, letters)
def test_a_run_is_common_in_order_and_as_long_as_can_be(before: str, after: str) -> None:
    run = longest_run(before, after)
    assert all(before[i] == after[j] for i, j in run)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(run))
    assert len(run) == longest_length(before, after)


def test_long_networks_take_no_quadratic_time() -> None:
    # 30,000 × 30,000 cells one by one would take minutes
    before, after = "abc" * 10_000, "acb" * 10_000
    assert len(longest_run(before, after)) >= 20_000
