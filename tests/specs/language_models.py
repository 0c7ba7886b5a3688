"""The language models that ship, and parameters that make each of them narrow, for what is run."""

from __future__ import annotations

from tests.specs.other_models import NARROW_OTHERS

DECODER = {"depth": 2, "width": 48, "heads": 3, "vocabulary": 97, "tokens": 40}
WITHOUT_GROUPS = {"depth": 2, "width": 64, "heads": 4, "hidden": 80, "vocabulary": 97, "tokens": 40}
GROUPED = {"depth": 2, "width": 64, "heads": 4, "groups": 2, "hidden": 80, "vocabulary": 97, "tokens": 40}
READ_AND_WRITTEN = {**WITHOUT_GROUPS, "features": 16, "written": 24}
HEARD = {"depth": 1, "width": 64, "heads": 2, "vocabulary": 97, "tokens": 40}

LLAMAS = (
    *(f"llama{version}" for version in ("2_7b", "2_13b", "2_70b", "3_8b", "3_70b", "3_1_405b", "3_2_1b", "3_2_3b")),
    *("tinyllama_1_1b", "smollm2_135m", "smollm2_360m", "smollm2_1_7b", "mistral_7b"),
    *(f"qwen2_5_{size}" for size in ("0_5b", "1_5b", "3b", "7b", "14b", "32b", "72b")),
    *(f"olmo2_{size}" for size in ("1b", "7b", "13b", "32b")),
    "phi4",
)
WITH_HEADS = ("mistral_nemo_12b", *(f"qwen3_{size}" for size in ("0_6b", "1_7b", "4b", "8b", "14b", "32b")))
"""Whose heads are not as wide together as the network."""

NARROW: dict[str, dict[str, int]] = {
    **NARROW_OTHERS,
    **dict.fromkeys(LLAMAS, GROUPED),
    **{name: {**GROUPED, "features": 24} for name in WITH_HEADS},
    "mistral_7b_v0_1": {**GROUPED, "window": 16},
    "phi2": {**WITHOUT_GROUPS, "features": 16, "rotary": 8},
    "falcon_7b": {"depth": 2, "width": 64, "heads": 4, "features": 16, "vocabulary": 97, "tokens": 40},
    **{f"opt_{size}": WITHOUT_GROUPS for size in ("125m", "1_3b", "6_7b")},
    "phi3_mini": {**GROUPED, "window": 16},
    **{f"pythia_{size}": WITHOUT_GROUPS for size in ("160m", "410m", "1b", "1_4b", "2_8b", "6_9b", "12b")},
    **{f"gemma2_{size}": {**GROUPED, "features": 24, "window": 16} for size in ("2b", "9b", "27b")},
    **{f"gemma3_{size}": {**GROUPED, "depth": 8, "features": 24, "window": 16} for size in ("1b", "4b", "12b", "27b")},
    **dict.fromkeys(("bert_base", "bert_large", "roberta_base", "roberta_large", "distilbert_base"), DECODER),
    **{f"modernbert_{size}": {**WITHOUT_GROUPS, "depth": 5, "window": 8} for size in ("base", "large")},
    **{f"t5_{size}": READ_AND_WRITTEN for size in ("small", "base", "large", "3b")},
    **{f"flan_t5_{size}": READ_AND_WRITTEN for size in ("base", "large", "xl")},
    **dict.fromkeys(("whisper_base", "whisper_large_v3"), HEARD),
}
