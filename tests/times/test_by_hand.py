"""Seconds worked out by hand.

Two samples through a linear layer of 4 to 8, with a bias: 2·2·4·8 = 128 FLOPs; it reads 2·4 values and 40 weights and
writes 16: 64 values, 256 B. At 1 GFLOP/s and 4 GB/s it computes for 128 ns and moves for 64. ReLU reads and writes
16 values: 128 B, 128 ns at 1 GB/s. The loss reads 16 and writes one: 68 B, 34 ns at 2 GB/s.

Backward: of the input nobody needs a gradient, so the weight's is the one product, 128 ns; the bias's adds up 16
values, 64 B, 32 ns; ReLU's reads the gradient and its output and writes a gradient: 192 B. The loss gives a
view of one. SGD reads weight and gradient and writes the weight: 3·160 = 480 B.
"""

from __future__ import annotations

import pytest

from archcost.hardware.calibration import Pace
from archcost.times import StepTime
from tests.times.made_up import CPU, GPU, NET, calibration, timed

FORWARD, BACKWARD, OPTIMIZER = (128 + 128 + 34) * 1e-9, (192 + 128 + 32) * 1e-9, 480e-9
LAUNCH = 1e-6


def phases(time: StepTime) -> dict[str, tuple[float, str]]:
    return {phase.name: (phase.seconds, phase.roof) for phase in time.phases}


def test_a_cpu_does_one_then_the_other() -> None:
    """Three launches forward, three backward; the loop of SGD launches once a parameter."""
    time = timed(CPU)
    assert time.forward == pytest.approx(FORWARD + 3 * LAUNCH)
    assert time.backward == pytest.approx(BACKWARD + 3 * LAUNCH)
    assert time.optimizer == pytest.approx(OPTIMIZER + 2 * LAUNCH)
    assert time.step == pytest.approx(FORWARD + BACKWARD + OPTIMIZER + 8 * LAUNCH)
    assert (time.launches, time.dispatch) == (8, pytest.approx(8e-6))
    assert {roof for _, roof in phases(time).values()} == {"dispatch"}
    assert time.samples_per_second == pytest.approx(2 / (FORWARD + BACKWARD + OPTIMIZER + 8 * LAUNCH))


def test_each_layer() -> None:
    fc, act, loss = timed(CPU).layers  # flat is a view, and runs nothing
    assert (fc.name, fc.kind, fc.roof) == ("fc", "product", "matrix")
    assert (fc.forward, fc.backward_input) == (pytest.approx(128e-9), 0)
    assert fc.backward_weight == pytest.approx(160e-9)
    assert (act.name, act.kind, act.roof) == ("act", "elementwise", "bandwidth")
    assert (act.forward, act.backward_input, act.backward_weight) == (pytest.approx(128e-9), pytest.approx(192e-9), 0)
    assert (loss.kind, loss.seconds) == ("reduction", pytest.approx(34e-9))
    forward = fc.parts[0]
    assert (forward.flops, forward.nbytes, forward.intensity, forward.launches) == (128, 256, 0.5, 1)


def test_a_gpu_works_while_the_host_runs_ahead() -> None:
    """A slow host is what counts, one that takes no time does not."""
    slow = timed(GPU, basis=calibration(GPU, dispatch=1e-3))
    assert phases(slow) == {name: (pytest.approx(seconds), "dispatch") for name, seconds in SLOW.items()}
    fast = timed(GPU, basis=calibration(GPU, dispatch=0.0))
    fc, act, loss = fast.layers
    assert fast.forward == pytest.approx(fc.forward + act.forward + loss.forward)
    assert (act.forward, loss.forward) == (pytest.approx(128e-9), pytest.approx(34e-9))
    assert phases(fast)["forward"][1] == "matrix"
    assert fast.optimizer == pytest.approx(OPTIMIZER)


SLOW = {"forward": 3e-3, "backward": 3e-3, "optimizer": 1e-3}
"""Three kernels, three, and one of foreach."""


def test_inference_is_forward_alone() -> None:
    """Without a loss."""
    time = timed(CPU, mode="infer")
    assert time.step == time.forward == pytest.approx(256e-9 + 2 * LAUNCH)
    assert (time.backward, time.optimizer, time.trains) == (0, 0, False)


def test_what_is_recomputed_runs_again() -> None:
    """Of the linear layer nothing that backward needs is lost, of ReLU its output."""
    time = timed(CPU, recompute="fc,act")
    assert time.forward == pytest.approx(FORWARD + 3 * LAUNCH)
    assert time.backward == pytest.approx(BACKWARD + 128e-9 + 4 * LAUNCH)
    assert time.flops == timed(CPU).flops == 2 * 128


def test_accumulation_runs_all_but_the_optimizer_again() -> None:
    one, three = timed(CPU), timed(CPU, accumulation=3)
    assert three.forward == pytest.approx(3 * (one.forward or 0))
    assert three.optimizer == pytest.approx(one.optimizer)
    assert three.samples_per_second == pytest.approx(6 / (three.step or 0))


def test_in_place_is_read_and_written_once() -> None:
    assert timed(CPU, in_place=True).step == pytest.approx(timed(CPU).step)


def test_copies_of_autocast_take_time() -> None:
    """Weight, bias and input are cast, and the layers work on half the bytes: ReLU on 64."""
    copying = {"copy": Pace(bandwidth=1e9), "product": Pace(rate=1e9, bandwidth=4e9)}
    basis = calibration(CPU, precision="amp-bf16")
    time = timed(CPU, basis=basis.model_copy(update={"classes": {**basis.classes, **copying}}), precision="amp-bf16")
    copies = [layer for layer in time.layers if layer.kind == "copy"]
    assert [layer.name for layer in copies] == [f"fc ({what} as bfloat16)" for what in ("bias", "weight", "input")]
    assert all(layer.forward > 0 for layer in copies)
    [act] = [layer for layer in time.layers if layer.name == "act"]
    assert act.forward == pytest.approx(64e-9)


def test_a_class_that_was_not_calibrated_is_told() -> None:
    """It counts as no time, and whoever sums is told."""
    basis = calibration(CPU)
    classes = {name: pace for name, pace in basis.classes.items() if name != "elementwise"}
    time = timed(CPU, basis=basis.model_copy(update={"classes": classes}))
    assert time.unknown == ("act",)
    assert "the calibration has nothing of elementwise: counted as no time" in time.notes
    assert time.forward == pytest.approx(FORWARD - 128e-9 + 3 * LAUNCH)


def test_equal_layers_take_equal_times() -> None:
    twice = NET.replace("input: [4]", "input: [8]").replace(
        "  - {name: act", "  - {name: fc2, type: linear, out_features: 8}\n  - {name: act"
    )
    first, second = [layer for layer in timed(CPU, twice).layers if layer.kind == "product"]
    assert first.forward == second.forward
    assert (first.backward_input, second.backward_input > 0) == (0, True)
