"""Why a tensor is alive, at moments of a small step that are named by phase and layer."""

from __future__ import annotations

import archcost
from archcost.costs.timeline import Timeline
from archcost.passes.run import Run

FORK = """
name: fork
input: [4]
layers:
  - {name: a, type: linear, out_features: 4}
  - {name: t, type: tanh}
  - {name: p, type: sigmoid, inputs: [t]}
  - {name: q, type: sigmoid, inputs: [t]}
  - {name: r, type: sigmoid, inputs: [t]}
  - {name: s, type: add, inputs: [p, q, r]}
"""


def played(run: Run, batch: int = 3) -> Timeline:
    return archcost.timeline(archcost.build(archcost.loads(FORK), batch), run, "cuda")


def reasons(line: Timeline, phase: str, name: str) -> dict[str, str]:
    """What lives at the end of the moment, and why. A gradient is told from what it is the gradient of by its words."""
    index = next(i for i, mark in enumerate(line.marks) if (mark.phase, mark.name) == (phase, name))
    alive = line.alive_at(line.marks[index + 1].event - 1)
    return {f"{each.held.owner} {each.held.what}": each.why for each in alive}


def test_in_training() -> None:
    line = played(Run(optimizer="sgd-momentum"))
    assert reasons(line, "forward", "q") == {
        "input input": "held by the caller",
        "a weight": "a weight",
        "a bias": "a weight",
        "a momentum of weight": "kept from step to step",
        "a momentum of bias": "kept from step to step",
        "t output": "saved by t for its backward",
        "p output": "saved by p for its backward",
        "q output": "saved by q for its backward",
    }
    # An addition keeps nothing; its output is the network's, and it hands its gradient on as it is.
    back = reasons(line, "backward", "r")
    assert back["s output"] == "returned, and held by the caller"
    assert "p output" in back
    assert "r output" not in back
    assert reasons(line, "backward", "a")["a gradient of weight"] == "kept for the optimizer"


def test_without_autograd_a_tensor_waits_for_its_readers() -> None:
    line = played(Run(mode="infer"))
    assert reasons(line, "forward", "t") == {
        "input input": "held by the caller",
        "a weight": "a weight",
        "a bias": "a weight",
        "t output": "read by p, q and 1 more",
    }
    assert reasons(line, "forward", "q")["t output"] == "read by r"


def test_several_layers_may_keep_a_tensor() -> None:
    text = FORK.replace("type: sigmoid, inputs: [t]", "type: silu, inputs: [t]")
    line = archcost.timeline(archcost.build(archcost.loads(text), 3), Run(optimizer="sgd"), "cuda")
    assert reasons(line, "forward", "q")["t output"] == "saved by t, p and 1 more for their backward"
    assert reasons(line, "forward", "p")["t output"] == "saved by t and p for their backward"


def test_autocast_holds_copies_of_weights_until_forward_ends() -> None:
    # Nobody keeps the copy of a first layer's weight: its input needs no gradient.
    line = played(Run(optimizer="sgd", precision="amp-bf16"))
    assert reasons(line, "forward", "t")["a weight as bfloat16"] == "in autocast's cache until forward ends"


def test_checkpoints() -> None:
    """t and p are computed again, each by itself: t's checkpoint holds a's output, p's that of t."""
    line = played(Run(optimizer="sgd", recompute="t,p"))
    assert reasons(line, "forward", "t")["a output"] == "held by the checkpoint that begins at t"
    forward = reasons(line, "forward", "p")
    assert forward["t output"] == "held by the checkpoint that begins at p"
    assert forward["p output"] == "read by s"
    assert reasons(line, "recompute", "p")["p output"] == "saved by p for its backward"
    assert reasons(line, "recompute", "t")["t output"] == "saved by t for its backward"
