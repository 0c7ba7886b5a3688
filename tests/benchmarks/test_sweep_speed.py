"""How many configurations a sweep answers in a second; skipped in the ordinary suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import archcost
from archcost.costs.timeline import timeline

NETWORK = "resnet50"
BATCHES = 125_000
DEVICES = ("nvidia-rtx-3090", "nvidia-rtx-4090", "nvidia-a100-sxm4-80gb", "nvidia-t4")
PRECISIONS = ("fp32", "amp-fp16")
CONFIGURATIONS = BATCHES * len(DEVICES) * len(PRECISIONS)
BATCH = 32


def sweep() -> Callable[[], object]:
    spec = archcost.load(NETWORK)
    return lambda: archcost.sweep(spec, range(1, BATCHES + 1), hardware=DEVICES, precision=PRECISIONS)


def estimate() -> Callable[[], object]:
    """Memory, verdict and time of one configuration."""
    spec = archcost.load(NETWORK)

    def one() -> object:
        found = archcost.estimate(spec, BATCH, hardware=DEVICES[0], precision=PRECISIONS[0])
        return found.peak, found.fits, found.time

    return one


TOOLS = {"archcost.estimate, one configuration": estimate, "archcost.sweep, a million configurations": sweep}
assert CONFIGURATIONS == 10**6


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.benchmark(group="sweep of resnet50")
def test_sweep(benchmark: Any, tool: str) -> None:
    benchmark.extra_info["tool"] = tool
    benchmark.pedantic(TOOLS[tool](), rounds=7, warmup_rounds=1)


def alone() -> Callable[[], object]:
    spec = archcost.load(NETWORK)
    return lambda: timeline(archcost.build(spec, BATCH), archcost.Run(), "cuda").peak


ESTIMATES = {"the timeline alone": alone, "archcost.estimate with the time": estimate}


@pytest.mark.parametrize("tool", ESTIMATES)
@pytest.mark.benchmark(group="estimate of resnet50")
def test_estimate_beside_its_timeline(benchmark: Any, tool: str) -> None:
    benchmark.extra_info["tool"] = tool
    benchmark.pedantic(ESTIMATES[tool](), rounds=25, warmup_rounds=2)
