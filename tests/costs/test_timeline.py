"""Timelines of networks so small that every moment is worked out by hand. Bytes are float32 unless said otherwise."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost.costs.timeline import Timeline
from archcost.passes.run import Run
from tests.costs.timelines import LINEAR, Entry, alive, fc, layer, moments, played, roles, worst


def two_layers(**relu: Any) -> tuple[Entry, ...]:
    """7 → 5 → 2 for 3 samples: weights 160 + (10 + 2)·4 = 208, input 84, outputs 60, 60, 24, loss 4."""
    return fc("fc1", 5), layer("relu", "relu", **relu), fc("fc2", 2)


def test_a_linear() -> None:
    line = played([3], LINEAR)
    assert moments(line) == [
        ("before", 80 + 24),
        ("forward fc", 104 + 40),
        ("forward (loss)", 144 + 4),
        ("backward (loss)", 148 + 4),  # the ones that it starts from; spread over the output without a copy
        ("backward fc", 152 + 60 + 20),
        ("after", 148 + 80),
    ]
    assert (line.peak, str(line.highest)) == (232, "backward fc")
    assert roles(line) == {"weights": 80, "gradients": 80, "inputs": 24, "activations": 44, "temporaries": 4}
    assert alive(line) == [
        ("fc weight", 60, "a weight"),
        ("fc gradient of weight", 60, "kept for the optimizer"),
        ("fc output", 40, "returned, and held by the caller"),
        ("x input", 24, "held by the caller"),
        ("fc bias", 20, "a weight"),
        ("fc gradient of bias", 20, "kept for the optimizer"),
        ("(loss) output", 4, "returned, and held by the caller"),
        ("(loss) gradient", 4, "gradient of (loss)'s output"),
    ]


def test_two_layers() -> None:
    line = played([7], *two_layers(), batch=3)
    assert moments(line) == [
        ("before", 208 + 84),
        ("forward fc1", 292 + 60),
        ("forward relu", 352 + 60),  # then fc1's output goes: relu keeps its own
        ("forward fc2", 352 + 24),
        ("forward (loss)", 376 + 4),
        ("backward (loss)", 380 + 4),
        ("backward fc2", 384 + 40 + 8 + 60),  # relu's output is still kept by relu
        ("backward relu", 492 + 60),  # then relu's output and the gradient that arrived go
        ("backward fc1", 432 + 140 + 20),
        ("after", 592 - 60 - 4),
    ]
    assert alive(line)[:3] == [
        ("fc1 weight", 140, "a weight"),
        ("fc1 gradient of weight", 140, "kept for the optimizer"),
        ("x input", 84, "held by the caller"),
    ]
    assert ("fc1 gradient", 60, "gradient of fc1's output") in alive(line)


def test_in_place_forward_holds_one_output_less() -> None:
    line = played([7], *two_layers(inplace=True), batch=3)
    assert moments(line)[1:5] == [
        ("forward fc1", 352),
        ("forward relu", 352),
        ("forward fc2", 376),
        ("forward (loss)", 380),
    ]
    assert line.peak == 592  # backward makes relu's gradient all the same
    assert played([7], *two_layers(), batch=3, run=Run(optimizer="sgd", in_place=True)).events == line.events


def test_a_frozen_layer_keeps_nothing_and_has_no_gradient() -> None:
    frozen, relu, last = two_layers()
    line = played([7], frozen | {"trainable": False}, relu, last, batch=3)
    # fc1's output goes when relu has read it; relu's output is fc2's to keep; then fc2's two gradients and the ones
    assert worst(line) == {"forward": 292 + 120, "backward": 292 + 60 + 24 + 4 + 48 + 4, "optimizer": 292 + 28 + 48}
    assert [str(moment) for moment in line.moments if moment.phase == "backward"] == ["backward (loss)", "backward fc2"]


def gradients_of(line: Timeline, owner: str) -> int:
    """How many tensors are made for the gradient of a layer's output."""
    return sum(held.owner == owner and held.what == "gradient" for held in line.storages)


FORK = (
    fc("fc", 5),
    layer("silu", "a"),
    layer("gelu", "b", "fc"),
    layer("softplus", "c", "fc"),
    layer("add", "sum", "a", "b", "c"),
)
"""1 → 5 for 2 samples, three readers that keep their input: weights 40, input 8, each output 40."""


def test_a_fork_adds_in_place() -> None:
    line = played([1], *FORK)
    # fc, a, b, c, their sum, a + b on the way
    # backward: fc, sum and loss; the ones; what c gave, and then what b and a give to be added to it
    assert worst(line) == {"forward": 48 + 6 * 40, "backward": 48 + 84 + 4 + 2 * 40, "optimizer": 48 + 44 + 40}
    assert gradients_of(line, "fc") == 3


def test_under_a_dispatch_mode_a_fork_adds_out_of_place() -> None:
    line = played([1], *FORK, out_of_place=True)
    assert worst(line)["backward"] == 48 + 84 + 4 + 3 * 40  # c's, b's and their sum
    assert gradients_of(line, "fc") == 5


def test_a_gradient_that_another_holds_is_not_added_to() -> None:
    """x + x: both summands get the tensor that arrived."""
    line = played([1], fc("fc", 5), layer("add", "twice", "fc", "fc"), layer("sigmoid", "s"))
    assert moments(line)[1:-1] == [
        ("forward fc", 48 + 40),
        ("forward twice", 48 + 80),
        ("forward s", 48 + 80),
        ("forward (loss)", 48 + 44),
        ("backward (loss)", 92 + 4),
        ("backward s", 96 + 40),
        ("backward twice", 136 + 40),
        ("backward fc", 136 + 40),  # what arrived at `twice` is gone; weight and bias, 20 each
    ]
    assert (gradients_of(line, "twice"), gradients_of(line, "fc")) == (1, 1)


def test_a_view_of_a_gradient_is_not_added_to() -> None:
    """3 → 5 for 2·2 rows: what flatten hands on is a view; weights 80, input 48, outputs 80."""
    layers = [fc("fc", 5), layer("gelu", "b"), layer("flatten", "flat", "fc"), layer("silu", "a")]
    line = played([2, 3], *layers)
    assert moments(line)[1:-1] == [
        ("forward fc", 128 + 80),
        ("forward b", 128 + 160),
        ("forward flat", 128 + 160),
        ("forward a", 128 + 240),
        ("forward (sum of b)", 368 + 4),
        ("forward (sum of a)", 368 + 8),
        ("forward (loss)", 368 + 12),  # then the two sums go
        ("backward (loss)", 372 + 4),
        ("backward (sum of a)", 376),
        ("backward (sum of b)", 376),
        ("backward a", 376 + 80),
        ("backward flat", 456),
        ("backward b", 456 + 80),  # then fc's output goes, and the sum of both gradients comes
        ("backward fc", 376 + 80),
    ]
    assert gradients_of(line, "flat") + gradients_of(line, "fc") == 1 + 2


def test_concat_hands_out_slices() -> None:
    """3 → 5 and 3 → 7 for 2 samples: weights 80 + 112, input 24, outputs 40 and 56, joined 96."""
    layers = [fc("fc1", 5), fc("fc2", 7, inputs=["x"]), layer("concat", "cat", "fc1", "fc2"), layer("sigmoid", "s")]
    line = played([3], *layers)
    assert moments(line)[1:-1] == [
        ("forward fc1", 216 + 40),
        ("forward fc2", 216 + 96),
        ("forward cat", 216 + 192),
        ("forward s", 216 + 192),
        ("forward (loss)", 216 + 100),
        ("backward (loss)", 316 + 4),
        ("backward s", 320 + 96),
        ("backward cat", 416),
        ("backward fc2", 416 + 112),
        ("backward fc1", 528 + 80),
    ]
    assert gradients_of(line, "fc1") + gradients_of(line, "fc2") == 0


def test_a_tied_weight() -> None:
    """3 → 5 → 3 by one weight of 60: the gradient of its transpose is a view, so that a third tensor is made."""
    line = played([3], fc("encode", 5, bias=False), fc("decode", 3, bias=False, weight="encode.weight.T"))
    assert moments(line)[1:] == [
        ("forward encode", 84 + 40),
        ("forward decode", 124 + 24),
        ("forward (loss)", 148 + 4),
        ("backward (loss)", 152 + 4),
        ("backward decode", 156 + 60 + 40),
        # encode's output went; its gradient goes before the sum comes beside both parts
        ("backward encode", 84 + 28 + 4 + 3 * 60),
        ("after", 84 + 28 + 60),
    ]
    assert roles(line) == {"weights": 60, "gradients": 60, "inputs": 24, "activations": 28, "temporaries": 4 + 120}


def test_a_weight_that_is_computed() -> None:
    """tanh of a parameter of 60 is the weight of 3 → 5: made in forward, and its gradient goes through tanh."""
    given = fc("fc", 5, bias=False, inputs=["x"], given={"weight": "t"})
    line = played([3], layer("parameter", "m", shape=[5, 3]), layer("tanh", "t"), given)
    assert moments(line) == [
        ("before", 60 + 24),
        ("forward m", 84),  # the parameter itself
        ("forward t", 84 + 60),
        ("forward fc", 144 + 40),
        ("forward (loss)", 184 + 4),
        ("backward (loss)", 188 + 4),
        ("backward fc", 192 + 60),
        ("backward t", 252 + 60),  # then its output and the gradient that arrived go
        ("after", 312 - 60 - 60 - 4),
    ]
    assert alive(line)[1] == ("t output", 60, "saved by t for its backward")


def test_a_parameter_that_is_returned() -> None:
    """Its gradient is one value spread out, of which the optimizer needs all: a copy of 12."""
    line = played([3], layer("parameter", "m", shape=[3]), fc("fc", 5, bias=False, inputs=["x"]))
    assert line.by_role["gradients"] == 12 + 60


def test_a_frozen_parameter_has_no_optimizer_state() -> None:
    """Adam's two moments and count of the linear layer's 15 + 5 weights alone."""
    frozen = layer("parameter", "m", shape=[7, 5], trainable=False)
    line = played([3], frozen, fc("fc", 5, inputs=["x"]), fc("last", 7, bias=False, given={"weight": "m"}), run=Run())
    assert line.by_role["optimizer_state"] == 2 * 4 * (15 + 5) + 2 * 4


def test_batch_norm() -> None:
    """Weights 80 + 40, buffers 20 + 20 + 8, input 24; the norm keeps its input, a mean and a deviation of 20 each."""
    line = played([3], LINEAR, layer("batch_norm1d", "bn"))
    assert moments(line)[1:-1] == [
        ("forward fc", 192 + 40),
        ("forward bn", 232 + 40 + 40),
        ("forward (loss)", 312 + 4),
        ("backward (loss)", 316 + 4),
        ("backward bn", 320 + 40 + 40),  # the input's gradient, scale's and shift's; then 80 that were kept go
        ("backward fc", 320 + 80),
    ]
    assert roles(line)["buffers"] == 48


def test_max_pool_keeps_its_input_and_indices() -> None:
    """4 → 6 for 2·3 rows: weights 120, input 96, output 144; pooled 72, indices 18·8 = 144."""
    line = played([3, 4], fc("fc", 6), layer("max_pool1d", "pool", kernel_size=2))
    assert moments(line)[1:-1] == [
        ("forward fc", 216 + 144),
        ("forward pool", 360 + 72 + 144),
        ("forward (loss)", 576 + 4),
        ("backward (loss)", 580 + 4),
        ("backward pool", 584 + 144),  # then input and indices go
        ("backward fc", 440 + 120),
    ]
    assert ("pool indices", 144, "saved by pool for its backward") in alive(line)
    assert ("fc output", 144, "saved by pool for its backward") in alive(line)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # the target 40, and a mean that lies in the storage of the squares; last the output's gradient and the weights'
        ("mse", {"forward": 184 + 40, "backward": 224 + 4 + 40 + 80, "optimizer": 224 + 80}),
        # the differences, kept, and the absolute values; backward the mean's gradient and signs beside their product
        ("l1", {"forward": 184 + 80 + 4, "backward": 184 + 40 + 4 + 4 + 3 * 40, "optimizer": 188 + 80}),
        # labels 16; log-probabilities 40 and a total weight 4 are kept; last the output's gradient and the weights'
        ("cross_entropy", {"forward": 160 + 44 + 4, "backward": 160 + 4 + 4 + 40 + 80, "optimizer": 164 + 80}),
        ("none", {"forward": 144}),
    ],
)
def test_losses(loss: str, expected: dict[str, int]) -> None:
    assert worst(played([3], LINEAR, loss=loss)) == expected


def test_an_output_that_nobody_reads_goes_when_the_network_returns() -> None:
    """3 → 5 for 2 samples, split into 2 and 3 columns, which are views: the first of them is never read."""
    line = played([3], LINEAR, layer("split", "cut", split_size=[2, 3]), layer("sigmoid", "s", "cut:1"))
    assert moments(line)[1:5] == [
        ("forward fc", 104 + 40),
        ("forward cut", 144),
        ("forward s", 144 + 24),  # then the second piece goes, but the first holds both
        ("forward (loss)", 104 + 24 + 4),
    ]


def test_equal_layers_of_which_one_gets_no_gradient() -> None:
    """Both are prepared for backward, and what is cut off behind the first leaves the second its gradients."""
    cut = (fc("a", 5, inputs=["x"]), layer("detach", "cut", "a"), fc("b", 5, inputs=["x"]))
    line = played([3], *cut, layer("add", "sum", "b", "cut"))
    assert roles(line)["gradients"] == (3 * 5 + 5) * 4


def test_backward_begins_at_the_loss_wherever_it_stands() -> None:
    """A buffer that nobody reads stands behind it, and gets no gradient."""
    layers = """
name: trained
input: [3]
outputs: [loss]
layers:
  - {type: linear, name: fc, out_features: 2}
  - {type: mse, name: loss, inputs: [fc, y]}
  - {type: buffer, name: unread, shape: [1000]}
"""
    spec = archcost.loads(layers.replace("input: [3]", "inputs: {x: {shape: [3]}, y: {shape: [2]}}"))
    line = archcost.timeline(archcost.build(spec, 5), archcost.Run(optimizer="none"), "cpu")
    assert [moment.name for moment in line.moments if moment.phase == "backward"] == ["loss", "fc"]
