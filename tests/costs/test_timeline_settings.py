"""What a run's settings change in the timelines of tiny networks, by hand. Bytes are float32 unless said otherwise."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost.passes.run import Run
from tests.costs.timelines import CHAIN, LINEAR, alive, layer, moments, played, roles, worst


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


def test_a_cast_that_is_none_held_by_another_that_is_none() -> None:
    """Float32 cast to float32 is the tensor itself: what is held is the one before them."""
    text = """
name: idle
input: [4]
layers:
  - {type: linear, name: fc, out_features: 3}
  - {type: cast, name: first, dtype: float32}
  - {type: cast, name: second, dtype: float32, inputs: [fc]}
  - {type: relu, name: relu}
holds: {second: [first]}
outputs: [relu]
"""
    plain = "\n".join(line for line in text.splitlines() if "cast" not in line and "holds" not in line)
    with_casts, without = (archcost.timeline(archcost.build(archcost.loads(each), 2)) for each in (text, plain))
    assert with_casts.peak == without.peak


@pytest.mark.parametrize("run", [Run(optimizer="sgd"), Run(mode="infer")], ids=["train", "infer"])
def test_a_cast_that_is_none_is_returned(run: Run) -> None:
    """What is returned then is what it was given."""
    fc = "name: logits\ninput: [4]\nlayers:\n  - {type: linear, name: fc, out_features: 3}\n"
    cast = "  - {type: cast, name: last, dtype: float32}\n"
    peaks = [archcost.timeline(archcost.build(archcost.loads(text), 2), run).peak for text in (fc, fc + cast)]
    assert peaks[0] == peaks[1]
