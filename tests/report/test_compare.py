"""Networks side by side, and which layers differ."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.comparison.compare import merge_orders, moved_keys, side_by_side
from archcost.report import render
from tests.report.networks import TINY, cost_of, tiny

WIDER = TINY.replace("name: tiny", "name: wider").replace(
    "{type: relu}", "{name: conv2, type: conv2d, out_channels: 2, kernel_size: 3, padding: 1}"
)

TEXT = """\
tiny and wider

                          tiny  wider
------------------------  ----  -----
batch                        1      1
layers                       5      5
parameters                  47     85
MACs                       312    888
FLOPs forward              624  1,776
FLOPs backward             672  2,976
published top-1 error, %  12.5   12.5
published top-5 error, %

Aligned by name, 2 layers differ in type, output shape, parameters, MACs or place; 4 are the same.

layer             quantity         tiny    wider
----------------  ------------  -------  -------
features_1.conv2  type             none   conv2d
features_1.conv2  output shape     none  1×2×4×4
features_1.conv2  parameters       none       38
features_1.conv2  MACs             none      576
features_1.relu1  type             relu     none
features_1.relu1  output shape  1×2×4×4     none
"""


def test_text() -> None:
    # conv2: 3·3·2·2 + 2 = 38 weights, 32 outputs of 18 products = 576 MACs, in place of the relu
    assert render(side_by_side([tiny(), cost_of(WIDER.replace("parameters: 47", "parameters: 85"))])) == TEXT


def test_every_format() -> None:
    comparison = side_by_side([tiny(), cost_of(WIDER.replace("parameters: 47", "parameters: 85"))])
    assert "| parameters               |     47 |      85 |" in render(comparison, "markdown")
    assert r"features\_1.conv2 & type" in render(comparison, "latex")
    assert "<td>features_1.conv2</td>" in render(comparison, "html")
    assert "MACs,312,888\n" in render(comparison, "csv")
    data = json.loads(comparison.to_json())
    assert data["schema"] == "archcost.compare/1"
    assert [network["parameters"] for network in data["networks"]] == [47, 85]
    assert data["same_layers"] == 4
    assert data["differing_layers"][1] == {
        "name": "features_1.relu1",
        "names": ["features_1.relu1", None],
        "layers": [{"type": "relu", "output_shapes": [[1, 2, 4, 4]], "parameters": 0, "macs": 0}, None],
        "moved": [False, False],
        "without_cost": False,
    }
    assert data["aligned_by"] == "name"
    assert data["aligned_names"][0] == ["features_1.conv1", "features_1.conv1"]


RENAMED = """\
tiny and renamed

                          tiny  renamed
------------------------  ----  -------
batch                        1        1
layers                       5        5
parameters                  47       56
MACs                       312      320
FLOPs forward              624      640
FLOPs backward             672      704
published top-1 error, %  12.5
published top-5 error, %

Fewer than half of the layers' names are shared, so layers are aligned by what they are, in the order in which values
  flow.

One layer with weights or operations differs in type, output shape, parameters or MACs; 1 without either; 3 are the
  same.

layer  quantity      tiny  renamed
-----  ------------  ----  -------
fc1    name           fc1        z
fc1    output shape   1×3      1×4
fc1    parameters      27       36
fc1    MACs            24       32

Which layer is which:

tiny              renamed  difference
----------------  -------  --------------------------------
features_1.conv1  v
features_1.relu1  w
features_1.pool   x
flatten1          y        type (no weights, no operations)
fc1               z        output shape, parameters, MACs
"""


def test_layers_of_other_names() -> None:
    # 8·4 + 4 = 36 weights in place of 8·3 + 3, 4 sums of 8 products; backward 2·32 FLOPs for each of two gradients
    layers = """
name: renamed
input: [1, 6, 6]
layers:
  - {name: v, type: conv2d, out_channels: 2, kernel_size: 3}
  - {name: w, type: relu}
  - {name: x, type: max_pool2d, kernel_size: 2, return_indices: true}
  - {name: y, type: reshape, shape: [8]}
  - {name: z, type: linear, out_features: 4}
"""
    comparison = side_by_side([tiny(), cost_of(layers)])
    assert render(comparison) == RENAMED
    data = json.loads(comparison.to_json())
    assert data["aligned_by"] == "structure"
    assert data["aligned_names"][-1] == ["fc1", "z"]
    assert [(row["name"], row["names"], row["without_cost"]) for row in data["differing_layers"]] == [
        ("flatten1", ["flatten1", "y"], True),
        ("fc1", ["fc1", "z"], False),
    ]
    assert "| features_1.pool  | x         |" in render(comparison, "markdown")
    assert "<td>features_1.pool " in render(comparison, "html")
    assert r"features\_1.pool " in render(comparison, "latex")
    assert "MACs,312,320\n" in render(comparison, "csv")


def test_the_same_network_twice() -> None:
    text = render(side_by_side([tiny(), tiny()]))
    assert "Aligned by name, all 5 layers are the same in type, output shape, parameters, MACs and order.\n" in text


def test_a_moved_layer_differs() -> None:
    before = "{name: p, type: identity}, {name: q, type: identity}"
    after = "{name: q, type: identity}, {name: p, type: identity}"
    text = "name: moved\ninput: [2]\nlayers: [{}]\n"
    comparison = side_by_side([cost_of(text.replace("{}", before)), cost_of(text.replace("{}", after))])
    assert len(comparison.differing) == 1
    assert "place" in render(comparison)


@pytest.mark.parametrize(
    ("orders", "merged"),
    [
        (["abc", "abc"], "abc"),
        (["ac", "abc"], "abc"),  # a new one after the one before it
        (["abc", "ac"], "abc"),
        (["bc", "abc"], "abc"),  # a new one in front
        (["ab", "xy"], "xyab"),  # nothing shared: the later network's come first, in order
        (["ad", "abd", "acd"], "acbd"),
        ([""], ""),
    ],
)
def test_merged_order(orders: list[str], merged: str) -> None:
    assert "".join(merge_orders(orders)) == merged


def test_moved_keys_are_the_fewest() -> None:
    assert moved_keys("abcdef", "abcdef") == set()
    assert moved_keys("abcdef", "bcdefa") == {"a"}
    assert moved_keys("abcdef", "fabcde") == {"f"}
    assert moved_keys("abc", "xay") == set()  # names that are not shared do not move
    assert len(moved_keys("abcdef", "fedcba")) == 5


@given(st.permutations("abcdefgh"), st.permutations("abcdefgh"))
def test_what_has_not_moved_stands_in_one_order(before: list[str], after: list[str]) -> None:
    moved = moved_keys(before, after)
    assert [name for name in before if name not in moved] == [name for name in after if name not in moved]
