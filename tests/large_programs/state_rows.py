"""Networks of state spaces, of transformers."""

from __future__ import annotations

from tests.large_programs.other_row import GROUPED, Fields, Other

MAMBA2: Fields = {
    "vocab_size": 50288,
    "state_size": 128,
    "head_dim": 64,
    "expand": 2,
    "n_groups": 1,
    "conv_kernel": 4,
    "chunk_size": 256,
    "residual_in_fp32": True,
    "tie_word_embeddings": True,
}
MAMBA2_LESS: Fields = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_heads": 8,
    "head_dim": 8,
    "state_size": 8,
    "chunk_size": 8,
}
SCANNED = "width=32 vocabulary=97 scanned=8 head=8 states=8"
"""huggingface.co/state-spaces/mamba2-130m and mamba2-2.7b, and mistralai/Mamba-Codestral-7B-v0.1, config.json."""

ROWS: tuple[Other, ...] = (
    Other(
        "mamba2_130m",
        "Mamba2ForCausalLM",
        "Mamba2Config",
        {**MAMBA2, "hidden_size": 768, "num_hidden_layers": 24, "num_heads": 24},
        MAMBA2_LESS,
        f"{SCANNED} depth=2 chunk=8",
    ),
    Other(
        "mamba2_2_7b",
        "Mamba2ForCausalLM",
        "Mamba2Config",
        {**MAMBA2, "hidden_size": 2560, "num_hidden_layers": 64, "num_heads": 80},
        MAMBA2_LESS,
        f"{SCANNED} depth=2 chunk=8",
    ),
    Other(
        "mamba_codestral_7b",
        "Mamba2ForCausalLM",
        "Mamba2Config",
        {
            **MAMBA2,
            "vocab_size": 32768,
            "hidden_size": 4096,
            "num_hidden_layers": 64,
            "num_heads": 128,
            "n_groups": 8,
            "tie_word_embeddings": False,
        },
        {**MAMBA2_LESS, "n_groups": 2},
        f"{SCANNED} depth=2 chunk=8 sharing=2",
    ),
    Other(  # huggingface.co/ibm-ai-platform/Bamba-9B, config.json
        "bamba_9b",
        "BambaForCausalLM",
        "BambaConfig",
        {
            "vocab_size": 128256,
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "attn_layer_indices": [9, 18, 27],
            "mamba_n_heads": 128,
            "mamba_d_head": 64,
            "mamba_d_state": 128,
            "mamba_n_groups": 1,
            "mamba_d_conv": 4,
            "mamba_expand": 2,
            "mamba_chunk_size": 256,
            "tie_word_embeddings": False,
        },
        {
            **GROUPED,
            "num_hidden_layers": 4,
            "attn_layer_indices": [2],
            "intermediate_size": 48,
            "mamba_n_heads": 8,
            "mamba_d_head": 8,
            "mamba_d_state": 8,
            "mamba_chunk_size": 8,
        },
        f"{SCANNED} chunk=8 depth=1 between=1 behind=1 heads=4 groups=2 hidden=48",
    ),
)
