"""Why peaks are further off than they may be, where it is known."""

from __future__ import annotations

from collections.abc import Mapping

ROWS = "diffusers copies to row-major where the batch is 64 or more, and the import runs the module with 1,009 samples"
CONSTANTS = "what forward makes of constants alone is not on the record, and lives as long as its last reader"
COMPOSED = "torch composes it of products that autocast lowers one by one, where we know one layer"

EXPLAINED: Mapping[tuple[str, str], str] = {
    ("far", "diffusers: AutoencoderKL"): ROWS,
    ("far", "diffusers: AsymmetricAutoencoderKL"): ROWS,
    ("far", "torchaudio: WaveRNN (amp-bf16)"): f"nn.GRU: {COMPOSED}",
    ("transformers", "DebertaV2 (amp-bf16)"): CONSTANTS,
    ("transformers", "XLNet (bf16)"): CONSTANTS,
}
"""By collection and model, and where precisions differ with the precision behind the model."""


def explained(collection: str, model: str, precision: str) -> str:
    return EXPLAINED.get((collection, f"{model} ({precision})")) or EXPLAINED.get((collection, model), "")
