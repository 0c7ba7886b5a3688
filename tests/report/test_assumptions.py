"""What numbers rest on beside what is declared is told with them, in every form."""

from __future__ import annotations

import archcost
from archcost.report import render
from archcost.report.explain import explain
from archcost.report.grouping import Folded
from tests.report.networks import cost_of, tiny

ROUTED = """
name: routed
input: [4, 3]
layers:
  - {type: linear, name: router, out_features: 2}
  - {type: topk, name: best, k: 1}
  - {type: expert_route, name: route, num_experts: 2, inputs: ["best:1"]}
  - {type: flatten, name: tokens, start_dim: 0, end_dim: 1, inputs: [input]}
  - {type: index, dims: [0], inputs: [tokens, route]}
  - {type: expert_route, name: again, num_experts: 4, inputs: ["best:1"]}
"""
ASSUMED = "every expert is chosen equally often, whatever the values"


def test_the_table_names_the_layers() -> None:
    cost = cost_of(ROUTED)
    assert f"\n\nAssumed for route, again: {ASSUMED}.\n\n" in render(Folded(cost, None))
    assert cost.to_dict()["assumptions"] == [{"assumed": ASSUMED, "layers": ["route", "again"]}]


def test_most_networks_assume_nothing() -> None:
    assert tiny().to_dict()["assumptions"] == []
    assert "Assumed" not in render(Folded(tiny(), None))


def test_a_layers_working_tells_it_first() -> None:
    explanation = explain(cost_of(ROUTED), "route")
    lines = render(explanation).splitlines()
    assert lines[2] == "route (expert_route): best:1 1×4×1 int64 → 2×2 int64, 1×4×1 int64"
    assert lines[3] == f"  assumed: {ASSUMED}"
    assert f"- assumed: {ASSUMED}" in render(explanation, "markdown")
    assert f"  &\\text{{assumed: {ASSUMED}}}" in render(explanation, "latex")
    assert explanation.to_dict()["layers"][0]["assumption"] == ASSUMED
    assert explain(tiny(), "fc1").to_dict()["layers"][0]["assumption"] is None


def test_an_estimate_is_exact_under_it() -> None:
    told = archcost.estimate(archcost.loads(ROUTED), hardware="nvidia-rtx-4090").render()
    assert ASSUMED in " ".join(told.split())
