"""Networks with experts, of transformers."""

from __future__ import annotations

from tests.large_programs.other_row import EXPERTS, GROUPED, NARROW, Fields, Other

QWEN3: Fields = {
    "vocab_size": 151936,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "norm_topk_prob": True,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
}
QWEN3_LESS: Fields = {**GROUPED, "head_dim": 8, "moe_intermediate_size": 24, "num_experts": 8, "num_experts_per_tok": 2}
QWEN3_SETTINGS = f"{EXPERTS} groups=2 features=8"
"""huggingface.co/Qwen/Qwen3-30B-A3B and Qwen3-235B-A22B, config.json."""

QWEN2: Fields = {"vocab_size": 151936, "norm_topk_prob": False, "rms_norm_eps": 1e-6, "tie_word_embeddings": False}
QWEN2_LESS: Fields = {
    **GROUPED,
    "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 40,
    "num_experts": 8,
    "num_experts_per_tok": 2,
}
QWEN2_SETTINGS = f"{EXPERTS} groups=2 shared_hidden=40"
"""huggingface.co/Qwen/Qwen2-57B-A14B and Qwen1.5-MoE-A2.7B, config.json."""

MIXTRAL: Fields = {
    "vocab_size": 32000,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "tie_word_embeddings": False,
}
MIXTRAL_LESS: Fields = {**GROUPED, "intermediate_size": 24}
"""huggingface.co/mistralai/Mixtral-8x7B-v0.1 and Mixtral-8x22B-v0.1, config.json."""

LATENT_LESS: Fields = {
    **NARROW,
    "num_hidden_layers": 3,
    "num_key_value_heads": 4,
    "first_k_dense_replace": 1,
    "intermediate_size": 48,
    "moe_intermediate_size": 24,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
}
LATENT_SETTINGS = f"{EXPERTS} dense=1 hidden=48 latent=16 features=4 still=8 value=8"

GPT_OSS: Fields = {
    "vocab_size": 201088,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
}
GPT_OSS_LESS: Fields = {
    **GROUPED,
    "head_dim": 8,
    "intermediate_size": 24,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention"],
}
GPT_OSS_SETTINGS = f"{EXPERTS} groups=2 features=8 window=8"
"""huggingface.co/openai/gpt-oss-20b and gpt-oss-120b, config.json."""

ROWS: tuple[Other, ...] = (
    Other(
        "mixtral_8x7b",
        "MixtralForCausalLM",
        "MixtralConfig",
        {
            **MIXTRAL,
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
        },
        {**MIXTRAL_LESS, "num_local_experts": 8},
        f"{EXPERTS} groups=2",
    ),
    Other(
        "mixtral_8x22b",
        "MixtralForCausalLM",
        "MixtralConfig",
        {
            **MIXTRAL,
            "hidden_size": 6144,
            "intermediate_size": 16384,
            "num_hidden_layers": 56,
            "num_attention_heads": 48,
        },
        {**MIXTRAL_LESS, "num_local_experts": 8},
        f"{EXPERTS} groups=2",
    ),
    Other(
        "qwen1_5_moe_a2_7b",
        "Qwen2MoeForCausalLM",
        "Qwen2MoeConfig",
        {
            **QWEN2,
            "hidden_size": 2048,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "moe_intermediate_size": 1408,
            "shared_expert_intermediate_size": 5632,
            "num_experts": 60,
            "num_experts_per_tok": 4,
        },
        QWEN2_LESS,
        QWEN2_SETTINGS,
    ),
    Other(
        "qwen2_57b_a14b",
        "Qwen2MoeForCausalLM",
        "Qwen2MoeConfig",
        {
            **QWEN2,
            "hidden_size": 3584,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "moe_intermediate_size": 2560,
            "shared_expert_intermediate_size": 20480,
            "num_experts": 64,
            "num_experts_per_tok": 8,
        },
        QWEN2_LESS,
        QWEN2_SETTINGS,
    ),
    Other(
        "qwen3_30b_a3b",
        "Qwen3MoeForCausalLM",
        "Qwen3MoeConfig",
        {
            **QWEN3,
            "hidden_size": 2048,
            "num_hidden_layers": 48,
            "num_attention_heads": 32,
            "moe_intermediate_size": 768,
        },
        QWEN3_LESS,
        QWEN3_SETTINGS,
    ),
    Other(
        "qwen3_235b_a22b",
        "Qwen3MoeForCausalLM",
        "Qwen3MoeConfig",
        {
            **QWEN3,
            "hidden_size": 4096,
            "num_hidden_layers": 94,
            "num_attention_heads": 64,
            "moe_intermediate_size": 1536,
        },
        QWEN3_LESS,
        QWEN3_SETTINGS,
    ),
    Other(  # huggingface.co/allenai/OLMoE-1B-7B-0924, config.json
        "olmoe_1b_7b",
        "OlmoeForCausalLM",
        "OlmoeConfig",
        {
            "vocab_size": 50304,
            "hidden_size": 2048,
            "intermediate_size": 1024,
            "num_hidden_layers": 16,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "num_experts": 64,
            "num_experts_per_tok": 8,
            "tie_word_embeddings": False,
        },
        {**GROUPED, "num_key_value_heads": 4, "intermediate_size": 24, "num_experts": 8, "num_experts_per_tok": 2}
        | {"pad_token_id": 1},
        f"{EXPERTS} groups=4",
    ),
    Other(  # huggingface.co/deepseek-ai/DeepSeek-V2-Lite, config.json
        "deepseek_v2_lite",
        "DeepseekV2ForCausalLM",
        "DeepseekV2Config",
        {
            "vocab_size": 102400,
            "hidden_size": 2048,
            "intermediate_size": 10944,
            "moe_intermediate_size": 1408,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "n_shared_experts": 2,
            "n_routed_experts": 64,
            "num_experts_per_tok": 6,
            "first_k_dense_replace": 1,
            "kv_lora_rank": 512,
            "q_lora_rank": None,
            "qk_rope_head_dim": 64,
            "qk_nope_head_dim": 128,
            "v_head_dim": 128,
            "topk_method": "greedy",
            "n_group": None,
            "topk_group": None,
            "tie_word_embeddings": False,
        },
        LATENT_LESS,
        LATENT_SETTINGS,
    ),
    Other(  # huggingface.co/deepseek-ai/DeepSeek-V3, config.json
        "deepseek_v3",
        "DeepseekV3ForCausalLM",
        "DeepseekV3Config",
        {
            "vocab_size": 129280,
            "hidden_size": 7168,
            "intermediate_size": 18432,
            "moe_intermediate_size": 2048,
            "num_hidden_layers": 61,
            "num_attention_heads": 128,
            "num_key_value_heads": 128,
            "n_shared_experts": 1,
            "n_routed_experts": 256,
            "num_experts_per_tok": 8,
            "n_group": 8,
            "topk_group": 4,
            "first_k_dense_replace": 3,
            "kv_lora_rank": 512,
            "q_lora_rank": 1536,
            "qk_rope_head_dim": 64,
            "qk_nope_head_dim": 128,
            "v_head_dim": 128,
            "tie_word_embeddings": False,
        },
        {**LATENT_LESS, "q_lora_rank": 12, "n_group": 4, "topk_group": 2},
        f"{LATENT_SETTINGS} query_latent=12 pools=4 best_pools=2",
    ),
    Other(
        "gpt_oss_20b",
        "GptOssForCausalLM",
        "GptOssConfig",
        {**GPT_OSS, "num_hidden_layers": 24, "num_local_experts": 32},
        GPT_OSS_LESS,
        GPT_OSS_SETTINGS,
    ),
    Other(
        "gpt_oss_120b",
        "GptOssForCausalLM",
        "GptOssConfig",
        {**GPT_OSS, "num_hidden_layers": 36, "num_local_experts": 128},
        GPT_OSS_LESS,
        GPT_OSS_SETTINGS,
    ),
)
