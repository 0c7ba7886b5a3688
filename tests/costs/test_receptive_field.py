"""Receptive fields by hand: r + (k − 1)·d·j seen, s·j apart, P + p·j over the edge (jump j, stride s, padding p)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

import archcost
from archcost.costs.receptive_field import Field
from tests.costs.networks import Entry, by_name, conv, cost_of


def field(*layers: Entry, of: str | None = None, **fields: Any) -> Field | None:
    """Of the last layer, or of the one named."""
    result = cost_of(*layers, **{"input": (3, 32, 32), **fields})
    return by_name(result)[of].field if of else result.layers[-1].field


def seen(found: Field | None) -> tuple[Any, ...]:
    """Size, jump and padding of an axis, all axes being equal."""
    assert found is not None
    (axis,) = {(axis.size, axis.jump, axis.padding) for axis in found.axes}
    return axis


def test_vgg_d() -> None:
    """3×3 convolutions add 2·jump, 2×2 pools jump and double it; fc6 sees 7×7 positions 32 apart."""
    layers = archcost.cost(archcost.build(archcost.load("vgg_d"))).layers
    sizes = [seen(layer.field)[0] for layer in layers if layer.type in ("conv2d", "max_pool2d")]
    assert sizes == [3, 5, 6, 10, 14, 16, 24, 32, 40, 44, 60, 76, 92, 100, 132, 164, 196, 212]
    named = {layer.name: seen(layer.field) for layer in layers if layer.field}
    assert named["stage5.pool"] == (212, 32, 90)  # padding: 2*1 + 2*2 + 3*4 + 3*8 + 3*16
    assert named["fc6"] == (404, 0, 90)  # 212 + 6*32
    assert named["fc8"] == (404, 0, 90)


def test_the_first_layers_of_a_residual_network() -> None:
    layers = (
        conv("a", 5, 7, stride=2, padding=3),  # 7, 2, 3
        {"type": "max_pool2d", "name": "b", "kernel_size": 3, "stride": 2, "padding": 1},  # 7 + 2*2, 4, 3 + 2
        conv("c", 5, 3, padding=1),  # 11 + 2*4, 4, 5 + 4
    )
    assert [seen(field(*layers, of=name)) for name in "abc"] == [(7, 2, 3), (11, 4, 5), (19, 4, 9)]


def test_axes_are_told_apart() -> None:
    found = field(conv("a", 5, (3, 5), stride=(1, 2), padding=(1, 0)), conv("b", 5, 3))
    assert found is not None
    assert (found.size, found.jump, found.padding) == ((5, 9), (1, 2), (1, 0))  # 3 + 2*1, 5 + 2*2


def test_dilation() -> None:
    """3 + 2*2 = 7, 7 + 2*4 = 15; padding 1 + 2 + 4."""
    layers = tuple(conv(f"c{d}", 5, 3, padding=d, dilation=d) for d in (1, 2, 4))
    assert seen(field(*layers)) == (15, 1, 7)


def test_an_even_kernel_with_padding_same_hangs_over_less_in_front() -> None:
    assert seen(field(conv("a", 5, 4, padding="same"))) == (4, 1, 1)  # 1 before, 2 after


@pytest.mark.parametrize("join", ["add", "concat"])
def test_branches_join_to_the_larger_view(join: str) -> None:
    layers = (
        conv("a", 5, 3, padding=1),
        conv("b", 5, 5, padding=2, inputs=("a",)),  # 3 + 4 = 7
        conv("c", 5, 1, inputs=("a",)),
        {"type": join, "name": "join", "inputs": ("b", "c")},
        conv("d", 5, 3, padding=1),  # 7 + 2
    )
    assert seen(field(*layers, of="join")) == (7, 1, 3)
    assert seen(field(*layers)) == (9, 1, 4)


def test_branches_that_look_past_each_other() -> None:
    """One looks at o to o + 2, the other at o − 4 to o: together 7."""
    layers = (
        conv("ahead", 5, (1, 3)),
        {"type": "pad", "name": "shift", "pad": (4, 0), "inputs": ("input",)},
        conv("behind", 5, (1, 5), inputs=("shift",)),
        {"type": "pad", "name": "fill", "pad": (0, 2), "inputs": ("ahead",)},
        {"type": "add", "name": "join", "inputs": ("fill", "behind")},
    )
    found = field(*layers)
    assert found is not None
    assert (found.size, found.padding) == ((1, 7), (0, 4))


def test_replication() -> None:
    up = {"type": "upsample", "name": "up", "scale_factor": 2}
    assert seen(field(up)) == (1, Fraction(1, 2), 0)
    # A 3x3 window over replicated values covers 2 inputs: −1, 0, 0 for the first output, 0, 0, 1 for the second.
    assert seen(field(up, conv("a", 5, 3, padding=1))) == (2, Fraction(1, 2), 1)


def test_interpolation() -> None:
    """Doubled, output o lies at o/2 − 1/4 between two inputs, or for cubic weights between four."""
    up = {"type": "upsample", "scale_factor": 2}
    assert seen(field({**up, "mode": "bilinear"})) == (2, Fraction(1, 2), 1)
    assert seen(field({**up, "mode": "bicubic"})) == (4, Fraction(1, 2), 2)
    # With aligned corners output o of 63 lies at o·31/62, so every other one between two.
    aligned = {"type": "upsample", "size": 63, "mode": "bilinear", "align_corners": True}
    found = field(aligned)
    assert found is not None
    assert (found.size, found.jump) == ((2, 2), (Fraction(1, 2), Fraction(1, 2)))


def test_transposed_convolution() -> None:
    up = {"type": "conv_transpose2d", "name": "up", "out_channels": 5, "stride": 2}
    assert seen(field({**up, "kernel_size": 2})) == (1, Fraction(1, 2), 0)
    # o = 2i − 1 + tap: output 0 takes input 0 at tap 1 and input −1 at tap 3.
    assert seen(field({**up, "kernel_size": 4, "padding": 1})) == (2, Fraction(1, 2), 1)


def test_down_and_up_is_a_bound_from_outside() -> None:
    """Each output sees the 2 inputs of its pool; the interval, blind to which of a pair it is, holds 3."""
    down = {"type": "avg_pool2d", "name": "down", "kernel_size": 2}
    assert seen(field(down, {"type": "upsample", "name": "up", "scale_factor": 2}))[:2] == (3, 1)


def test_global_pooling_sees_everything() -> None:
    layers = (conv("a", 5, 3, padding=1), {"type": "adaptive_avg_pool2d", "output_size": 1})
    assert seen(field(*layers)) == (34, 0, 1)  # 32 positions, and 1 over either edge
    assert seen(field(layers[0], {"type": "mean", "dim": (2, 3)})) == (34, 0, 1)
    assert seen(field(*layers, {"type": "flatten"}, {"type": "linear", "out_features": 5})) == (34, 0, 1)


def test_adaptive_pooling() -> None:
    """7 into 3: windows 0 to 2, 2 to 4, 4 to 6."""
    pool = {"type": "adaptive_avg_pool2d", "output_size": 3}
    assert seen(field(pool, input=(3, 7, 7))) == (3, Fraction(7, 3), 0)
    assert seen(field(pool, input=(3, 6, 6))) == (2, 2, 0)


def test_excited_channels_see_everything() -> None:
    """A squeeze looks at the whole map, and what is multiplied by it has seen the whole map."""
    layers = (
        conv("a", 5, 3, padding=1),
        {"type": "mean", "name": "squeeze", "dim": (2, 3), "keepdim": True},
        {"type": "mul", "name": "excite", "inputs": ("a", "squeeze")},
    )
    assert seen(field(*layers)) == (34, 1, 1)  # the map itself still moves


def test_a_linear_on_a_map_mixes_its_last_axis() -> None:
    found = field(conv("a", 5, 3, padding=1), {"type": "linear", "out_features": 7})
    assert found is not None
    assert (found.size, found.jump) == ((3, 34), (1, 0))


@pytest.mark.parametrize(
    "layer",
    [
        {"type": "batch_norm2d"},
        {"type": "relu"},
        {"type": "local_response_norm", "size": 5},
        {"type": "softmax", "dim": 1},
        {"type": "group_norm", "num_groups": 1},
        {"type": "instance_norm2d"},
        {"type": "layer_norm", "normalized_shape": (32, 32)},
    ],
    ids=lambda layer: layer["type"],
)
def test_statistics_are_no_sight(layer: Entry) -> None:
    """Values stay where they are; the mean and variance of a map are not counted."""
    assert seen(field(conv("a", 5, 3, padding=1), layer)) == (3, 1, 1)


def test_a_softmax_over_positions_sees_its_axis() -> None:
    found = field(conv("a", 5, 3, padding=1), {"type": "softmax", "dim": 3})
    assert found is not None
    assert (found.size, found.jump) == ((3, 34), (1, 0))


@pytest.mark.parametrize(
    "layer",
    [
        {"type": "permute", "dims": (0, 2, 3, 1)},
        {"type": "flatten", "start_dim": 2},
        {"type": "reshape", "shape": (12, 16, 32)},
        {"type": "concat", "dim": 2, "inputs": ("a", "a")},
        {"type": "mean", "dim": 2},
    ],
    ids=lambda layer: layer["type"],
)
def test_unknown_where_axes_cannot_be_told_apart(layer: Entry) -> None:
    layers = (conv("a", 6, 3, padding=1), {**layer, "name": "mixed"})
    assert field(*layers) is None
    assert field(*layers, {"type": "relu"}) is None


def test_an_unknown_branch_makes_the_join_unknown() -> None:
    layers = (
        conv("a", 3, 3, padding=1),
        {"type": "permute", "name": "turned", "dims": (0, 1, 3, 2), "inputs": ("input",)},
        {"type": "add", "inputs": ("a", "turned")},
    )
    assert field(*layers) is None


def test_features_have_no_field() -> None:
    assert field({"type": "linear", "out_features": 5}, input=(7,)) is None


def test_nobody_looks_at_indices() -> None:
    """Values go where the indices say; what they were made of came through the values."""
    layers = (
        {"type": "max_pool2d", "name": "pool", "kernel_size": 2, "return_indices": True},
        {"type": "max_unpool2d", "name": "up", "kernel_size": 2, "inputs": ("pool", "pool:1")},
    )
    assert seen(field(*layers, of="pool")) == (2, 2, 0)
    assert field(*layers) is not None


def test_two_inputs_are_seen_separately() -> None:
    """The field is told with regard to the input that the first branch comes from."""
    inputs = {"left": (3, 32, 32), "right": (3, 32, 32)}
    layers = (
        conv("a", 5, 3, padding=1, inputs=("left",)),
        conv("b", 5, 5, padding=2, inputs=("right",)),
        {"type": "add", "name": "join", "inputs": ("b", "a")},
    )
    result = by_name(cost_of(*layers, inputs=inputs))["join"].field
    assert result is not None
    assert (result.source, result.size) == ("right", (5, 5))
