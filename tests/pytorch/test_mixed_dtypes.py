"""Tensors of two dtypes in one layer: the timeline holds what torch holds, to the byte and in every phase."""

from __future__ import annotations

import pytest
import torch

import archcost
from archcost.costs.timeline import timeline
from archcost.passes.run import Run
from tests.pytorch.test_timeline_random import predicted, watched

SPEC = """
name: mixed
inputs: {{x: {{shape: [3, 8, 8]}}}}
layers:
  - {{type: conv2d, name: c, inputs: [x], out_channels: 6, kernel_size: 3, padding: 1}}
  - {{type: parameter, name: p, shape: [6, 8, 8]}}
  - {{type: parameter, name: q, shape: [2, 6, 8, 8]}}
  - {{type: parameter, name: one, shape: []}}
  - {{type: buffer, name: b, shape: [6, 1, 1]}}
  {middle}
  - {{type: gelu, name: g}}
  - {{type: conv2d, name: head, out_channels: 4, kernel_size: 3}}
"""
"""Under autocast c is in 16 bits, parameters and the buffer in 32."""

PAIRS = ("c, p", "q, c", "c, b", "c, one")
OUT_OF_PLACE = ("add", "mul", "div", "remainder", "maximum", "clamp_tensor")
BOUNDS = {"clamp_tensor": ", bounds: max"}

LAYERS = [
    *(f"{{type: {kind}, inputs: [{pair}]{BOUNDS.get(kind, '')}}}" for kind in OUT_OF_PLACE for pair in PAIRS),
    *(f"{{type: {kind}, inputs: [c, {by}], inplace: true}}" for kind in ("add", "sub", "mul", "div") for by in "pqb"),
    "{type: sub, inputs: [c, q]}",
    "{type: fmod, inputs: [c, p]}",
    "{type: minimum, inputs: [b, c]}",
    "{type: add, inputs: [c, q], alpha: 0.5, inplace: true}",
    "{type: add, inputs: [c, p, b]}",
    "{type: clamp_tensor, inputs: [c, p, b]}",
    "{type: concat, inputs: [c, q]}",
    "{type: cumsum, inputs: [c], dim: 1}",
    "{type: pad, inputs: [c], pad: [1, 1, 1, 1], mode: reflect}",
]
IN_TURN = [
    ["{type: gt, inputs: [c, p]}", "{type: where, inputs: [gt1, q, c]}"],
    ["{type: gt, inputs: [c, p]}", "{type: masked_fill, inputs: [c, gt1], value: 0.0}"],
    ["{type: stack, inputs: [q, c], dim: 1}", "{type: flatten, start_dim: 1, end_dim: 2}"],
    ["{type: clone, inputs: [c]}", "{type: write, inputs: [clone1, q]}"],
    ["{type: mul, inputs: [c, q]}", "{type: cast_like, inputs: [mul1, c]}"],
    ["{type: mul, inputs: [c, p]}", "{type: add, inputs: [mul1, c]}", "{type: relu, inplace: true}"],
    ["{type: add, inputs: [c, p], inplace: true}", "{type: relu, inplace: true}", "{type: sub, inputs: [relu1, q]}"],
]


@pytest.mark.parametrize("middle", [*([layer] for layer in LAYERS), *IN_TURN], ids=" ".join)
def test_the_timeline_holds_what_torch_holds(middle: list[str]) -> None:
    graph = archcost.build(archcost.loads(SPEC.format(middle="\n  ".join(f"- {layer}" for layer in middle))), batch=2)
    run = Run(precision="amp-bf16", optimizer="none")
    line = timeline(graph, run, out_of_place=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        tracked, _, _ = watched(graph, run, line)
    finally:
        torch.set_num_threads(threads)
    assert tracked == predicted(line)
