"""Networks with experts, state spaces or diffusion that ship, and parameters that make each of them narrow."""

from __future__ import annotations

CHOSEN = {"experts": 6, "chosen": 3, "expert_hidden": 24}
EXPERTS = {"depth": 2, "width": 64, "heads": 4, "vocabulary": 97, "tokens": 40, **CHOSEN}
LATENT = {**EXPERTS, "dense": 1, "hidden": 80, "features": 8, "still": 16, "value": 24, "latent": 40}

SCANNED = {"width": 64, "vocabulary": 97, "tokens": 40, "scanned": 6, "head": 16, "states": 24, "chunk": 16}

NARROW_OTHERS: dict[str, dict[str, int]] = {
    **{name: {**EXPERTS, "groups": 2} for name in ("mixtral_8x7b", "mixtral_8x22b")},
    **{name: {**EXPERTS, "groups": 2, "shared_hidden": 56} for name in ("qwen2_57b_a14b", "qwen1_5_moe_a2_7b")},
    **{name: {**EXPERTS, "groups": 2, "features": 24} for name in ("qwen3_30b_a3b", "qwen3_235b_a22b")},
    **{name: {**EXPERTS, "groups": 2, "features": 24, "window": 16} for name in ("gpt_oss_20b", "gpt_oss_120b")},
    "olmoe_1b_7b": {**EXPERTS, "groups": 4},
    **{name: {**SCANNED, "depth": 2} for name in ("mamba2_130m", "mamba2_2_7b")},
    "mamba_codestral_7b": {**SCANNED, "depth": 2, "sharing": 2},
    "bamba_9b": {**SCANNED, "depth": 1, "between": 1, "behind": 1, "heads": 4, "groups": 2, "hidden": 80},
    "flux1_dev": {"depth": 1, "single": 1, "heads": 2, "features": 16, "text": 7, "side": 64, "told": 24},
    "stable_diffusion_1_5_unet": {"width": 16, "heads": 4, "groups": 8, "told": 24, "words": 7, "side": 64},
    "sdxl_unet": {"width": 16, "features": 8, "groups": 8, "told": 24, "words": 7, "side": 64, "many": 2},
    "deepseek_v2_lite": LATENT,
    "deepseek_v3": {**LATENT, "query_latent": 48, "pools": 3, "best_pools": 2},
}
