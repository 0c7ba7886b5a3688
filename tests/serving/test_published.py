"""What engines reach beside what is said of them."""

from __future__ import annotations

import statistics

import pytest

import archcost
from archcost.serving.memory import CacheSize
from archcost.serving.steps import Steps
from tests.serving.published import predicted, ratios, rows, within

ROWS = list(rows())


def test_no_run_of_tensorrt_llm_is_above_the_bound() -> None:
    assert len(ROWS) == 156
    assert max(row.measured / predicted(row).bound for row in ROWS) < 0.75


def test_most_runs_of_tensorrt_llm_lie_in_the_band() -> None:
    found = ratios(ROWS)
    assert within(found) >= 0.9
    assert 0.9 < statistics.median(found) < 1.1


GIB = 2**30


def test_vllm_s_tokens_are_what_its_log_leaves_for_them() -> None:
    """Llama 3 8B in bf16 (vLLM PR 10511): 14.96 GiB of weights, and 53.29 GiB of cache beside them of 0.9 * 79.22 GiB,
    1.26 of activations and 1.79 of all else. Ours: the weights, and that cache's tokens.
    """
    found = archcost.serve("llama3_8b", hardware="nvidia-h100-sxm5-80gb", prompt=2000, new=48)
    assert found.memory.weights / GIB == pytest.approx(14.96, rel=0.001)
    left = 0.9 * 79.22 * GIB - found.memory.weights - 1.26 * GIB - 1.79 * GIB
    assert left / GIB == pytest.approx(53.29, rel=0.001)


@pytest.mark.parametrize("blocks", [7351, 7449])
def test_vllm_s_blocks_of_llama2_7b(blocks: int) -> None:
    """vLLM PR 2031, an A100 of 80 GB in fp16 with 0.90 of the memory, blocks of 16, before and after a change of its
    profiling: what is left beside weights and a step of 2,560 tokens, its default of that time, which no row states.
    """
    steps = Steps(archcost.load("llama2_7b"))
    size = CacheSize(steps.caches.attentions, steps.times, "fp16")
    asked = {"prompt": 2560, "new": 16, "precision": "fp16", "chunk": 2560}
    found = archcost.serve("llama2_7b", hardware="nvidia-a100-sxm4-80gb", **asked)
    left = 0.9 * found.hardware.memory.capacity - found.memory.weights - found.activations - found.workspace
    assert left // size.of(16) == pytest.approx(blocks, rel=0.03)


def test_serving_tells_what_an_engine_makes_of_many_requests() -> None:
    """On one device, of networks whose table of tokens is not their head: 22,714 tokens a second were measured."""
    found = archcost.serve(
        "llama3_8b", hardware="nvidia-h100-sxm5-80gb", prompt=128, new=2048, weights="fp8", cache="fp8"
    ).many_requests
    assert found is not None
    assert found.band[0] < 22_714 < found.band[1] < found.bound * 1.0001
    assert archcost.serve("llama3_8b", hardware="amd-epyc-9654", prompt=128, new=128).many_requests is None
