"""The worst moments of a timeline by phase, on networks whose tensors can be listed by hand. Bytes are float32."""

from __future__ import annotations

from typing import Any

import archcost
from archcost.costs.phases import by_phase, requested_by_phase
from archcost.costs.timeline import Timeline, timeline
from archcost.passes.run import Run


def played(layers: list[dict[str, Any]], width: int, run: Run, threads: int | None = None) -> Timeline:
    spec = archcost.ModelSpec.model_validate({"name": "n", "input": [width], "layers": layers})
    return timeline(archcost.build(spec, batch=2), run, threads=threads)


def peaks(line: Timeline) -> dict[str, int]:
    return {phase.name: phase.peak for phase in by_phase(line)}


def roles(line: Timeline, name: str) -> dict[str, int]:
    """Without those that hold nothing."""
    (found,) = (phase for phase in by_phase(line) if phase.name == name)
    assert sum(found.roles.values()) == found.peak
    return {role: nbytes for role, nbytes in found.roles.items() if nbytes}


LINEAR = [{"type": "linear", "name": "fc", "out_features": 5}]
"""3 → 5 for 2 samples: weights (5·3 + 5)·4 = 80, input 24, output 40, its sum 4."""


def test_each_phase_has_its_worst_moment() -> None:
    line = played(LINEAR, 3, Run(optimizer="sgd"))
    # backward adds the ones that it starts from, 4, and both gradients; the optimizer's step finds those and makes none
    assert peaks(line) == {"forward": 148, "backward": 148 + 84, "optimizer": 148 + 80}
    assert roles(line, "optimizer") == {"weights": 80, "inputs": 24, "activations": 44, "gradients": 80}


def test_without_a_step_there_is_no_such_phase() -> None:
    assert list(peaks(played(LINEAR, 3, Run(optimizer="none")))) == ["forward", "backward"]
    assert peaks(played(LINEAR, 3, Run(mode="infer"))) == {"forward": 144}


def test_all_that_is_requested_has_the_kernels_and_the_checkpoints() -> None:
    """A checkpoint keeps 5,056 bytes, the state of the random numbers, and as much again while it is recomputed."""
    layers = [*LINEAR, {"type": "sigmoid", "name": "a"}, {"type": "sigmoid", "name": "b"}]
    line = played(layers, 3, Run(optimizer="sgd", recompute="a"))
    # forward, while b runs: weights and input 104, fc's output (the checkpoint holds it), a's and b's
    assert peaks(line)["forward"] == 104 + 3 * 40
    assert requested_by_phase(line)["forward"] == 104 + 3 * 40 + 5056
    # while a is computed again: fc, a, b and the loss, the ones and b's gradient; then a's gradient beside them
    assert peaks(line)["backward"] == 104 + 3 * 40 + 4 + 4 + 2 * 40
    assert requested_by_phase(line)["backward"] == 104 + 3 * 40 + 4 + 4 + 40 + 2 * 5056


def test_parts_of_a_tied_weight_s_gradient_are_temporary() -> None:
    """encode 3 → 5 and decode 5 → 3 by the same weight, 60 bytes; what stays of two gradients is one."""
    tied = [
        {"type": "linear", "name": "encode", "out_features": 5, "bias": False},
        {"type": "linear", "name": "decode", "out_features": 3, "bias": False, "weight": "encode.weight.T"},
    ]
    line = played(tied, 3, Run(optimizer="sgd"))
    # the last moment: both gradients and their sum, of which the sum stays; the output 24 and the loss, the ones
    assert roles(line, "backward")["gradients"] == 60
    assert roles(line, "optimizer") == {"weights": 60, "inputs": 24, "activations": 28, "gradients": 60}


def test_the_optimizer_takes_parameters_in_the_network_s_order_whatever_autocast_copies_first() -> None:
    """Adam's loop still holds the quotient of the parameter before: weight 60, bias 20, weight 25·4, bias 20."""
    layers = [*LINEAR, {"type": "linear", "name": "fc2", "out_features": 5}]
    for precision in ("fp32", "amp-bf16"):
        line = played(layers, 3, Run(optimizer="adam", optimizer_impl="loop", precision=precision))
        worst = roles(line, "optimizer")["temporaries"]
        # at fc2's weight: its root and its quotient, and the quotient of fc's bias before it
        assert worst == 100 + 100 + 20
