"""The checkpoints that `recompute: auto` finds, run by torch: the peak of a real step is that of the timeline."""

from __future__ import annotations

from typing import Any

import pytest

from archcost.costs.timeline import timeline
from archcost.graph import ModelGraph, build
from archcost.passes.run import Run
from archcost.pytorch.measure import measure
from archcost.spec import ModelSpec, load


def residual() -> ModelGraph:
    conv: dict[str, Any] = {"type": "conv2d", "out_channels": 7, "kernel_size": 3, "padding": "same"}
    layers: list[dict[str, Any]] = [
        {**conv, "name": "a"},
        {"type": "batch_norm2d", "name": "b"},
        {"type": "relu", "name": "c"},
        {**conv, "name": "d"},
        {"type": "add", "name": "e", "inputs": ["d", "a"]},
        {"type": "silu", "name": "f"},
        {**conv, "name": "g"},
    ]
    spec = {"name": "residual", "input": (3, 11, 11), "loss": "sum", "layers": layers}
    return build(ModelSpec.model_validate(spec), batch=3)


@pytest.mark.parametrize(("name", "share"), [("residual", 0.95), ("residual", 0.9), ("resnet18", 0.8)])
def test_torch_stays_within_the_budget(name: str, share: float) -> None:
    graph = residual() if name == "residual" else build(load(name), batch=4)
    run = Run(optimizer="none")
    budget = int(timeline(graph, run, out_of_place=True).peak * share)
    line = timeline(graph, Run(optimizer="none", recompute="auto"), out_of_place=True, budget=budget)
    assert line.segments
    assert measure(graph, run, line.segments).peak == line.peak <= budget
