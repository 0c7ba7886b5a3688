"""Timelines of networks so small that every moment is worked out by hand. Bytes are float32 unless said otherwise."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost.costs.phases import by_phase
from archcost.costs.run import Run
from archcost.costs.timeline import Timeline, timeline
from archcost.keeping import Device

Entry = dict[str, Any]
SGD = Run(optimizer="sgd")


def fc(name: str, out_features: int, **fields: Any) -> Entry:
    return {"type": "linear", "name": name, "out_features": out_features, **fields}


def layer(type: str, name: str, *inputs: str, **fields: Any) -> Entry:
    return {"type": type, "name": name, **({"inputs": inputs} if inputs else {}), **fields}


def played(
    shape: list[int],
    *layers: Entry,
    run: Run = SGD,
    batch: int = 2,
    loss: str = "sum",
    device: Device = "cpu",
    out_of_place: bool = False,
) -> Timeline:
    spec = archcost.ModelSpec.model_validate({"name": "n", "inputs": {"x": shape}, "loss": loss, "layers": layers})
    return timeline(archcost.build(spec, batch), run, device, out_of_place=out_of_place)


def moments(line: Timeline) -> list[tuple[str, int]]:
    return [(str(moment), moment.peak) for moment in line.moments]


def worst(line: Timeline) -> dict[str, int]:
    return {phase.name: phase.peak for phase in by_phase(line)}


def roles(line: Timeline) -> dict[str, int]:
    """At the peak, without those that hold nothing."""
    assert sum(line.by_role.values()) == line.peak
    return {role: nbytes for role, nbytes in line.by_role.items() if nbytes}


def alive(line: Timeline) -> list[tuple[str, int, str]]:
    return [(f"{each.held.owner} {each.held.what}", each.held.nbytes, each.why) for each in line.alive]


LINEAR = fc("fc", 5)
"""3 → 5 for 2 samples: weights (5·3 + 5)·4 = 80, input 24, output 40; its sum 4."""

CHAIN = (fc("fc", 5), layer("sigmoid", "block.a"), layer("sigmoid", "block.b"), layer("sigmoid", "c"))
"""7 → 5 for 3 samples: weights (35 + 5)·4 = 160, input 84, each output 60. A sigmoid keeps its output."""


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


def test_inference() -> None:
    without, keeping = (played([7], *CHAIN, batch=3, run=Run(mode=mode)) for mode in ("infer", "infer-autograd"))
    assert moments(without) == [
        ("before", 244),
        ("forward fc", 244 + 60),
        *[(f"forward {name}", 244 + 120) for name in ("block.a", "block.b", "c")],  # one in, one out
        ("after", 244 + 60),
    ]
    assert moments(keeping)[2:5] == [
        ("forward block.a", 244 + 120),
        ("forward block.b", 244 + 120),  # fc's output went, as a linear's input needs no gradient to be kept
        ("forward c", 244 + 180),
    ]
    assert alive(without)[2:4] == [("fc output", 60, "in use by block.a"), ("block.a output", 60, "read by block.b")]
    assert alive(keeping)[2:5] == [
        ("block.a output", 60, "saved by block.a for its backward"),
        ("block.b output", 60, "saved by block.b for its backward"),
        ("c output", 60, "saved by c for its backward"),
    ]


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


def test_accumulation() -> None:
    """In the second pass gradients, output and loss of the first are there; new gradients come beside the old."""
    line = played([3], LINEAR, run=Run(optimizer="sgd", accumulation=2))
    assert moments(line)[5:] == [
        ("forward fc", 104 + 80 + 44 + 40),  # then the name `out` is bound anew
        ("forward (loss)", 104 + 80 + 4 + 44),
        ("backward (loss)", 104 + 80 + 44 + 4),
        ("backward fc", 232 + 80),
        ("after", 104 + 80 + 44),
    ]
    assert roles(line) == {"weights": 80, "gradients": 80, "inputs": 24, "activations": 44, "temporaries": 84}


@pytest.mark.parametrize(
    ("optimizer", "impl", "state", "bursts"),
    [
        ("sgd-momentum", None, 80, []),
        # two moments and a step count each; a root and its quotient, and the quotient of the weight before the bias
        ("adam", "loop", 168, [("optimizer fc.weight", 120), ("optimizer fc.bias", 60 + 40)]),
        ("adam", "foreach", 168, [("optimizer", 80)]),
        ("adam", "fused", 168, []),
    ],
)
def test_optimizers(optimizer: Any, impl: Any, state: int, bursts: list[tuple[str, int]]) -> None:
    line = played([3], LINEAR, run=Run(optimizer=optimizer, optimizer_impl=impl))
    end = 104 + state + 44 + 80
    assert moments(line)[5:] == [*[(name, end + nbytes) for name, nbytes in bursts], ("after", end)]


def test_master_weights() -> None:
    """Everything in 2 bytes: weights 40, input 12, output 20, loss 2; masters 80, and in the step their gradients."""
    line = played([3], LINEAR, run=Run(optimizer="sgd", precision="bf16", master_weights=True))
    assert moments(line)[-2] == ("optimizer", 40 + 80 + 12 + 22 + 40 + 80)
    assert roles(line)["optimizer_state"] == 80


def test_pure_bf16_is_half_of_it_all() -> None:
    line = played([3], LINEAR, run=Run(optimizer="sgd", precision="bf16"))
    assert [peak for _, peak in moments(line)] == [52, 72, 74, 76, 116, 114]


def test_autocast() -> None:
    """Copies in 2 bytes of bias, weight and input, in this order; the first two live until forward ends."""
    line = played([3], LINEAR, run=Run(optimizer="sgd", precision="amp-bf16"))
    assert moments(line)[1:] == [
        ("forward fc (bias as bfloat16)", 104 + 10),
        ("forward fc (weight as bfloat16)", 114 + 30),
        ("forward fc (input as bfloat16)", 144 + 12),
        ("forward fc", 156 + 20),
        ("forward (loss)", 176 + 2),
        ("backward (loss)", 178 - 40 + 2),
        ("backward fc", 140 + 40),  # gradients of the copies; then the input's copy goes
        ("backward fc (weight as bfloat16)", 168 + 60),
        ("backward fc (bias as bfloat16)", 198 + 20),
        ("after", 104 + 22 + 80),
    ]
    infer = played([3], LINEAR, run=Run(mode="infer", precision="amp-bf16"))
    assert ("fc weight as bfloat16", 30, "in autocast's cache until forward ends") in alive(infer)


def test_a_block_computed_again() -> None:
    line = played([7], *CHAIN, batch=3, run=Run(optimizer="sgd", recompute="block"))
    assert moments(line)[1:-1] == [
        ("forward fc", 244 + 60),
        ("forward block.a", 244 + 120),
        ("forward block.b", 244 + 180),  # then a's output goes; the checkpoint holds fc's
        ("forward c", 244 + 180),  # then b's goes
        ("forward (loss)", 244 + 124),
        ("backward (loss)", 368 + 4),
        ("backward c", 372 + 60),
        ("recompute block.a", 432 + 60),
        ("recompute block.b", 492 + 60),
        ("backward block.b", 552 + 60),  # then b's second output and what arrived go
        ("backward block.a", 492 + 60),  # then a's, what arrived and fc's output
        ("backward fc", 372 + 160),
    ]
    assert line.recomputed_flops == 2 * 15 * 4  # of a and of b, four operations a value
    assert ("block.a output", 60, "saved by block.a for its backward") in alive(line)


def test_every_two_layers_computed_again() -> None:
    line = played([7], *CHAIN, batch=3, run=Run(optimizer="sgd", recompute="every:2"))
    assert moments(line)[1:-1] == [
        ("forward fc", 244 + 60),
        ("forward block.a", 244 + 120),
        ("forward block.b", 244 + 120),
        ("forward c", 244 + 180),
        ("forward (loss)", 244 + 124),
        ("backward (loss)", 368 + 4),
        ("recompute block.b", 372 + 60),
        ("recompute c", 432 + 60),
        ("backward c", 492 + 60),  # then c's second output goes
        ("backward block.b", 492 + 60),  # then b's, what arrived, and a's output, which the checkpoint held
        ("recompute fc", 372 + 60),
        ("recompute block.a", 432 + 60),  # then fc's goes
        ("backward block.a", 432 + 60),
        ("backward fc", 372 + 160),
    ]
    assert line.recomputed_flops == (2 * 105 + 15) + 3 * 60  # 3·7·5 MACs and a bias; three sigmoids


def test_on_cuda_a_mask_is_bool_and_a_step_count_costs_nothing() -> None:
    layers = [LINEAR, layer("dropout", "drop")]
    cpu, cuda = (played([3], *layers, run=Run(), device=device) for device in ("cpu", "cuda"))
    assert worst(cuda)["forward"] == 104 + 160 + 40 + 40 + 10  # two moments of Adam; fc, dropped, and the mask
    assert worst(cpu)["forward"] == 104 + 168 + 40 + 40 + 40
    assert moments(cuda)[-2] == ("optimizer", 104 + 160 + 44 + 80 + 80)  # lists are torch's choice there
