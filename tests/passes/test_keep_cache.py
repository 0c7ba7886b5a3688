"""What a step of inference keeps for the next token."""

from __future__ import annotations

import pytest

import archcost
from archcost import Run

GPU = "nvidia-rtx-4090"


def test_llama2_7b_does_not_fit_with_its_cache() -> None:
    """Eight samples of 4,096 tokens: 16 GiB of keys and values beside 12.6 GiB of weights."""
    found = archcost.estimate("llama2_7b", batch=8, hardware=GPU, mode="infer", precision="bf16")
    assert found.verdict == "does not fit"
    assert found.by_role["kv_cache"] == 8 * 4096 * 32 * 2 * 4096 * 2 == 16 * 2**30
    assert sum(found.by_role.values()) == found.peak
    plain = archcost.estimate("llama2_7b", batch=8, hardware=GPU, mode="infer", precision="bf16", cache=False)
    assert (plain.verdict, plain.by_role["kv_cache"]) == ("fits", 0)


@pytest.mark.parametrize("name", ["bert_base", "vit_b_16", "resnet18"])
def test_what_makes_no_cache_needs_no_more(name: str) -> None:
    runs = (Run(mode="infer"), Run(mode="infer", cache=False))
    first, second = (archcost.timeline(archcost.build(archcost.load(name), 2), run, "cuda") for run in runs)
    assert first.events == second.events
    assert not first.keeps_cache


def test_training_keeps_none() -> None:
    found = archcost.timeline(archcost.build(archcost.load("gpt2"), 1), Run(), "cuda")
    assert not found.keeps_cache


def test_a_batch_more_is_a_line() -> None:
    """The largest batch of a network with a cache fits, and one more does not."""
    found = archcost.estimate("gpt2", batch=4, hardware="nvidia-t4", mode="infer", precision="fp16")
    largest = found.max_batch
    assert largest is not None
    for batch, verdict in ((largest, "fits"), (largest + 1, "tight")):
        again = archcost.estimate("gpt2", batch=batch, hardware="nvidia-t4", mode="infer", precision="fp16")
        assert again.verdict == verdict


def test_cross_attention_keeps_what_it_looks_at() -> None:
    line = archcost.timeline("whisper_base", Run(mode="infer", precision="fp16"), "cuda")
    kept = sum(held.nbytes for held in line.storages if held.role == "kv_cache")
    assert kept == 6 * 2 * 512 * (448 + 1500) * 2
    assert {alive.why for alive in line.alive if alive.held.role == "kv_cache"} <= {"kept for the next token"}


def test_reports_say_how_none_is_kept() -> None:
    text = archcost.estimate("gpt2", hardware=GPU, mode="infer").render("text")
    assert "kv cache" in text
    assert "--no-cache" in " ".join(text.split())
    assert "--no-cache" not in archcost.estimate("bert_base", hardware=GPU, mode="infer").render("text")
