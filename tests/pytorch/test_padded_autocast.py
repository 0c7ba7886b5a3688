"""A convolution that pads by itself, under autocast: torch pads first, and casts what it has padded."""

from __future__ import annotations

import pytest

import archcost
from archcost.passes.run import Mode
from archcost.pytorch.crosscheck_memory import check_memory

TEXT = """
name: padded
inputs: {{x: {{shape: [4, 12, 14]}}}}
layers:
  - {{type: conv2d, out_channels: 7, kernel_size: {size}, padding: {padding}, padding_mode: {mode}}}
  - {{type: sigmoid}}
"""


@pytest.mark.parametrize(
    ("padding_mode", "padding", "size", "mode"),
    [("reflect", 2, 5, "train"), ("circular", 1, 3, "train"), ("replicate", 3, 3, "infer")],
)
def test_what_arrives_in_float32(padding_mode: str, padding: int, size: int, mode: Mode) -> None:
    spec = archcost.loads(TEXT.format(mode=padding_mode, padding=padding, size=size))
    run = archcost.Run(precision="amp-bf16", mode=mode, optimizer="sgd")
    checks = [check for check in check_memory(spec, run, batch=3) if check.quantity in ("saved_bytes", "peak_bytes")]
    assert [check for check in checks if check.archcost != check.witness] == []
    assert {check.scope for check in checks} >= {"total", "forward"}


def test_what_arrives_in_16_bits() -> None:
    """The CPU's reflection_pad2d asks for a copy in float32; CUDA's pads what is there, and nothing is cast."""
    text = TEXT.format(mode="reflect", padding=2, size=5)
    first = "layers:\n  - {type: conv2d, out_channels: 4, kernel_size: 1}"
    graph = archcost.build(archcost.loads(text.replace("layers:", first)), 3)
    raised: dict[str, list[str]] = {}
    for device in ("cpu", "cuda"):
        line = archcost.timeline(graph, archcost.Run(precision="amp-bf16"), device)
        assert [held.tensor.dtype for held in line.storages if held.what == "padded input"] == ["bfloat16"]
        raised[device] = [held.owner for held in line.storages if held.owner == "conv2 (input as float32)"]
    assert (len(raised["cpu"]) > 0, raised["cuda"]) == (True, [])
