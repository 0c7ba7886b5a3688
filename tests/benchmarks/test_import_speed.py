"""How long a module takes to import, and what an imported spec costs afterwards; skipped in the ordinary suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import archcost
from tests.benchmarks.test_speed import flop_counter, flop_counter_with_backward

NETWORK = "resnet50"


def imported() -> archcost.ModelSpec:
    import torch

    module = archcost.pytorch.build(archcost.load(NETWORK), device="meta").eval()
    return archcost.from_torch(module, torch.empty(1, 3, 224, 224, device="meta"))


def importing() -> Callable[[], object]:
    import torch

    module = archcost.pytorch.build(archcost.load(NETWORK), device="meta").eval()
    image = torch.empty(1, 3, 224, 224, device="meta")
    return lambda: archcost.from_torch(module, image)


TOOLS = {
    "FlopCounterMode, meta, forward only": lambda: flop_counter(NETWORK),
    "FlopCounterMode, meta, forward and backward": lambda: flop_counter_with_backward(NETWORK),
    "archcost.from_torch": importing,
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.benchmark(group="import of resnet50")
def test_importing(benchmark: Any, tool: str) -> None:
    benchmark.extra_info["tool"] = tool
    benchmark.pedantic(TOOLS[tool](), rounds=15, warmup_rounds=2)


def declared() -> archcost.ModelSpec:
    return archcost.load(NETWORK)


def saved() -> archcost.ModelSpec:
    return archcost.loads(imported().to_yaml())


SPECS = {"declared by hand": declared, "saved after import": saved}


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.benchmark(group="cost of an imported spec")
def test_cost_of_an_imported_spec(benchmark: Any, spec: str) -> None:
    benchmark.extra_info["tool"] = spec
    made = SPECS[spec]()
    benchmark.pedantic(lambda: archcost.cost(archcost.build(made)), rounds=30, warmup_rounds=2)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.benchmark(group="cost of an imported spec")
def test_first_cost_of_an_imported_spec(benchmark: Any, spec: str) -> None:
    """A spec that was never built before."""
    benchmark.extra_info["tool"] = f"{spec}, first build"
    made = SPECS[spec]()
    benchmark.pedantic(lambda: archcost.cost(archcost.build(made.model_copy())), rounds=30, warmup_rounds=2)
