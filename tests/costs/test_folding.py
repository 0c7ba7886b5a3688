"""What an inference engine runs: amounts by hand."""

from __future__ import annotations

from typing import Any

from archcost.costs.kernel import Kernel
from archcost.costs.kernels import kernels
from archcost.costs.timeline import timeline
from archcost.graph import build
from archcost.passes.run import Run
from archcost.spec import ModelSpec


def forward(layers: list[dict[str, Any]], shape: list[int]) -> dict[str, tuple[Kernel, ...]]:
    spec = ModelSpec.model_validate({"name": "small", "input": shape, "layers": layers})
    step = kernels(timeline(build(spec, batch=1), Run(mode="infer"), "cpu", 1), ("attention", "weights"))
    return {layer.name: layer.forward for layer in step.layers if layer.forward}


def test_a_batch_norm_and_a_clip_after_a_convolution_are_gone():
    found = forward(
        [
            {"name": "conv", "type": "conv2d", "out_channels": 7, "kernel_size": 5, "padding": 2, "bias": False},
            {"name": "bn", "type": "batch_norm2d"},
            {"name": "relu", "type": "relu"},
            {"name": "silu", "type": "silu"},
        ],
        [11, 3, 2],
    )
    assert list(found) == ["conv", "silu"]
    computing, moving = found["conv"]
    assert (computing.kind, computing.launches, moving.launches) == ("convolution", 1, 0)
    assert computing.flops == 2 * 7 * 6 * 11 * 25  # products of 7 channels at 6 places with 11 channels of 5 x 5
    assert computing.nbytes == moving.flops == 0
    assert moving.nbytes == 4 * (11 * 6 + 7 * 6) + 2 * 7 * 11 * 25  # values in 4 bytes, weights in 2
    (silu,) = found["silu"]
    assert (silu.flops, silu.nbytes, silu.launches) == (0, 4 * 2 * 7 * 6, 1)  # read and written


def test_winograd_moves_values_five_times():
    found = forward([{"name": "conv", "type": "conv2d", "out_channels": 7, "kernel_size": 3, "padding": 1}], [11, 3, 2])
    assert found["conv"][1].nbytes == 5 * 4 * (11 * 6 + 7 * 6) + 2 * (7 * 11 * 9 + 7)


def test_a_batch_norm_before_a_convolution_stays():
    found = forward(
        [
            {"name": "bn", "type": "batch_norm2d"},
            {"name": "relu", "type": "relu"},
            {"name": "conv", "type": "conv2d", "out_channels": 7, "kernel_size": 1},
        ],
        [11, 3, 2],
    )
    assert list(found) == ["bn", "relu", "conv"]


def test_a_batch_norm_of_a_sum_stays():
    found = forward(
        [
            {"name": "conv", "type": "conv2d", "out_channels": 11, "kernel_size": 1},
            {"name": "add", "type": "add", "inputs": ["input", "conv"]},
            {"name": "bn", "type": "batch_norm2d"},
        ],
        [11, 3, 2],
    )
    assert list(found) == ["conv", "add", "bn"]


def test_groups_are_what_one_of_them_is():
    kinds = {
        kernel: forward(
            [{"name": "conv", "type": "conv2d", "out_channels": 6, "kernel_size": kernel, "groups": 3}], [9, 5, 5]
        )["conv"][0].kind
        for kernel in (1, 3)
    }
    assert kinds == {1: "convolution 1x1", 3: "convolution"}


def test_torch_runs_all_of_it():
    spec = ModelSpec.model_validate(
        {
            "name": "small",
            "input": [11, 3, 2],
            "layers": [{"type": "conv2d", "out_channels": 7, "kernel_size": 1}, {"type": "batch_norm2d"}],
        }
    )
    step = kernels(timeline(build(spec, batch=1), Run(mode="infer"), "cpu", 1))
    assert [len(layer.forward) for layer in step.layers] == [1, 1]
