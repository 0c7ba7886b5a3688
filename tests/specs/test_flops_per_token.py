"""FLOPs of training for a token, as those who publish the speed of training divide by: our counts under their rule.

NVIDIA's Megatron Bridge and NeMo AutoModel count 6 FLOPs for each weight but those of the table of tokens, and half of
attention's products, since a causal mask hides the other half. Training an adapter alone, AutoModel counts two thirds:
frozen weights have no gradient.
"""

from __future__ import annotations

import pytest

import archcost
from tests.specs.variants import macs, variant

STATED = {"llama3_8b": 51.5, "llama3_70b": 449.2, "llama3_1_405b": 2524}
"""GFLOP for a token of 8,192: published TFLOP/s over tokens/s of pretraining (Megatron Bridge,
docs/performance-summary.md and its archive, containers 25.09 to 26.08)."""

PRETRAINING = ((37556, 1933), (36108, 1858), (31508, 1622))
"""Llama 3 8B, 8,192 tokens: tokens/s and TFLOP/s of one GPU, in Megatron Bridge's container 25.11."""

ADAPTERS = (
    ("llama3_8b", 12472.87, 402),
    ("qwen2_5_7b", 14110.05, 423),
    ("llama3_70b", 1091.85, 316),
    ("qwen2_5_32b", 2250.31, 301),
    ("llama3_70b", 984.85, 285),
    ("qwen2_5_32b", 2072.89, 277),
)
"""LoRA at 4,096 tokens: tokens/s and TFLOP/s of one GPU, the last two on two nodes (NeMo AutoModel,
docs/performance-summary.mdx, October 2025)."""


def flops_per_token(network: str, tokens: int, passes: int = 3) -> float:
    """Forward, and as much again for each gradient; of attention's products half."""
    cost = archcost.cost(archcost.build(variant(network, tokens=tokens)))
    attention = macs([layer for layer in cost.layers if layer.type == "scaled_dot_product_attention"])
    return passes * (2 * cost.macs - attention) / tokens


@pytest.mark.parametrize("network", STATED)
def test_pretraining(network: str) -> None:
    """Norms are the only weights that multiply nothing here: 0.004 % of 6 FLOPs each."""
    assert flops_per_token(network, 8192) / 1e9 == pytest.approx(STATED[network], rel=1e-3)


@pytest.mark.parametrize(("tokens_per_second", "tera"), PRETRAINING)
def test_rows_of_pretraining(tokens_per_second: int, tera: int) -> None:
    assert flops_per_token("llama3_8b", 8192) * tokens_per_second / 1e12 == pytest.approx(tera, abs=1)


@pytest.mark.parametrize(("network", "tokens_per_second", "tera"), ADAPTERS)
def test_rows_of_adapters(network: str, tokens_per_second: float, tera: int) -> None:
    """Within what their rounding leaves, and the adapters, which they count and this does not: 0.5 %."""
    assert flops_per_token(network, 4096, passes=2) * tokens_per_second / 1e12 == pytest.approx(tera, rel=5e-3)


def test_a_step_as_it_runs_has_more() -> None:
    """All of attention's products, and in backward once more those of its scores, which fused attention works out anew.

    Llama 3 8B at 8,192: 7,504,658,432 weights of linear layers and head · 6 = 45,027,950,592; scores and weighed
    values 32 · 2 · 8,192 · 4,096 = 2,147,483,648 MACs a token: 2 FLOPs each forward, twice in backward, and half again.
    """
    cost = archcost.cost(archcost.build(variant("llama3_8b", tokens=8192)))
    linear = sum(layer.parameters for layer in cost.layers if layer.type == "linear")
    assert linear == 7_504_658_432
    assert cost.flops.total.contraction == 8192 * (6 * linear + 7 * 2_147_483_648)
