"""How long the answers about large models take; skipped in the ordinary suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import archcost
from archcost import hardware
from archcost.costs.timeline import timeline
from archcost.planning import fit

TRAINED, SERVED = "llama2_7b", "llama3_70b"
CARD, SERVER = "nvidia-rtx-4090", "nvidia-h200-sxm"
CONTEXTS = tuple(2**power for power in range(5, 13))
CARDS = 20


def a_timeline() -> Callable[[], object]:
    spec = archcost.load(TRAINED)
    return lambda: timeline(archcost.build(spec), device="cuda")


def all_remedies() -> Callable[[], object]:
    spec = archcost.load(TRAINED)
    return lambda: fit(spec, hardware=CARD)


def one_card() -> Callable[[], object]:
    spec = archcost.load(SERVED)
    return lambda: archcost.serve(spec, hardware=SERVER, prompt=1024, new=256, concurrency=8).to_dict()


def many_cards() -> Callable[[], object]:
    """Those of most memory, each with every context."""
    spec = archcost.load(SERVED)
    profiles = [hardware.load(name) for name in hardware.names()]
    largest = sorted(profiles, key=lambda profile: -profile.memory.capacity)[:CARDS]
    return lambda: [
        archcost.serve(spec, hardware=card, prompt=context, new=256).to_dict()
        for card in largest
        for context in CONTEXTS
    ]


TRAINING = {"a timeline": a_timeline, f"archcost fit, all remedies on {CARD}": all_remedies}
SERVING = {
    f"archcost serve on {SERVER}": one_card,
    f"archcost serve, {CARDS} cards × {len(CONTEXTS)} contexts": many_cards,
}


@pytest.mark.parametrize("tool", TRAINING)
@pytest.mark.benchmark(group=f"remedies of {TRAINED}")
def test_remedies(benchmark: Any, tool: str) -> None:
    benchmark.extra_info["tool"] = tool
    benchmark.pedantic(TRAINING[tool](), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("tool", SERVING)
@pytest.mark.benchmark(group=f"serving {SERVED}")
def test_serving(benchmark: Any, tool: str) -> None:
    benchmark.extra_info["tool"] = tool
    benchmark.pedantic(SERVING[tool](), rounds=3, warmup_rounds=1)
