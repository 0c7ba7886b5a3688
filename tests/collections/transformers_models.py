"""Families of transformers at small sizes: encoders, decoders, both, vision, audio, experts, state spaces."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tests.collections import finding
from tests.collections.compare import Subject
from tests.collections.compiled import declare_operators

PRECISIONS = finding.PRECISIONS
RUNS = 10**12
"""FLOPs forward up to which a model is also run: all are small."""

IDS = torch.zeros(1, 16, dtype=torch.int64)
NOTHING: Mapping[str, Tensor] = {}
DECODED = {"decoder_input_ids": torch.zeros(1, 8, dtype=torch.int64)}


class Family(NamedTuple):
    """A configuration with fields smaller than its own, the head it is made with, and what it is run on."""

    config: str
    fields: dict[str, Any]
    inputs: tuple[Tensor, ...] = (IDS,)
    named: Mapping[str, Tensor] = NOTHING
    auto: str = "AutoModel"


def _pixels(size: int) -> tuple[Tensor, ...]:
    return (torch.zeros(1, 3, size, size),)


SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 97,
}
GROUPED = {**SMALL, "num_key_value_heads": 2, "max_position_embeddings": 64}
BOTH = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "vocab_size": 97,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
}
TEXT_TO_TEXT = {
    "d_model": 32,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "d_kv": 8,
    "d_ff": 64,
    "vocab_size": 97,
}
IMAGES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
WAVES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (8, 8),
    "conv_stride": (5, 2),
    "conv_kernel": (10, 3),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
N_STYLE = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 97, "n_positions": 64}
STATES = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 97, "state_size": 8}
WINDOWS = {"image_size": 64, "patch_size": 4, "embed_dim": 16, "depths": [1, 2], "num_heads": [2, 4], "window_size": 4}
EXPERTS = {**GROUPED, "num_experts": 4, "num_experts_per_tok": 2}
CAUSAL = "AutoModelForCausalLM"

ENCODERS: dict[str, dict[str, Any]] = {
    "Bert": {},
    "Roberta": {},
    "Albert": {"embedding_size": 16},
    "Electra": {"embedding_size": 16},
    "DebertaV2": {},
    "Deberta": {},
    "MPNet": {},
    "XLMRoberta": {},
    "Camembert": {},
    "Ernie": {},
    "Nystromformer": {},
    "RoFormer": {},
    "SqueezeBert": {"embedding_size": 32},
    "MobileBert": {"embedding_size": 32, "intra_bottleneck_size": 32},
    "ConvBert": {},
    "LayoutLM": {},
    "FNet": {},
    "IBert": {},
    "MegatronBert": {},
    "ModernBert": {"pad_token_id": 0},
    "Yoso": {},
    "Canine": {},
    "BigBird": {},
    "RemBert": {},
    "Esm": {"pad_token_id": 1, "mask_token_id": 2, "max_position_embeddings": 64},
    "Longformer": {"attention_window": 4},
}
DECODERS: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("Llama", "Mistral", "Qwen2", "Phi", "StableLm", "Olmo", "Olmo2", "Cohere", "Granite")},
    **{
        name: {}
        for name in ("Starcoder2", "GPTNeoX", "Persimmon", "Ernie4_5", "Nemotron", "Apertus", "Arcee", "SeedOss")
    },
    **{name: {"head_dim": 8} for name in ("Qwen3", "Gemma", "Gemma2", "Helium", "Gemma3Text")},
    "Glm": {"head_dim": 8, "pad_token_id": 0},
    **{name: {"pad_token_id": 0} for name in ("Phi3", "SmolLM3")},
    "Exaone4": {},
}
FAMILIES = {
    **{name: Family(name, {**SMALL, **fields}) for name, fields in ENCODERS.items()},
    "DistilBert": Family("DistilBert", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "vocab_size": 97}),
    "XLM": Family("XLM", {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "vocab_size": 97}),
    "XLNet": Family("XLNet", {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64, "vocab_size": 97}),
    "Funnel": Family(
        "Funnel",
        {
            "d_model": 32,
            "n_head": 4,
            "d_head": 8,
            "d_inner": 64,
            "vocab_size": 97,
            "block_sizes": [1, 1, 1],
            "block_repeats": [1, 1, 1],
            "architectures": ["FunnelModel"],
        },
    ),
    **{name: Family(name, {**GROUPED, **fields}, auto=CAUSAL) for name, fields in DECODERS.items()},
    **{name: Family(name, N_STYLE, auto=CAUSAL) for name in ("GPT2", "GPTBigCode")},
    **{name: Family(name, {**N_STYLE, "rotary_dim": 4}, auto=CAUSAL) for name in ("GPTJ", "CodeGen")},
    "CTRL": Family("CTRL", {**N_STYLE, "dff": 64}, auto=CAUSAL),
    "GPTNeo": Family(
        "GPTNeo",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "vocab_size": 97,
            "attention_types": [[["global", "local"], 1]],
            "max_position_embeddings": 64,
        },
        auto=CAUSAL,
    ),
    "OPT": Family("OPT", {**GROUPED, "ffn_dim": 64, "word_embed_proj_dim": 32}, auto=CAUSAL),
    "Bloom": Family("Bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 97}, auto=CAUSAL),
    "Falcon": Family("Falcon", SMALL, auto=CAUSAL),
    "Mpt": Family(
        "Mpt", {"d_model": 32, "n_heads": 4, "n_layers": 2, "vocab_size": 97, "max_seq_len": 64}, auto=CAUSAL
    ),
    **{name: Family(name, {**GROUPED, "num_local_experts": 4}, auto=CAUSAL) for name in ("Mixtral", "GraniteMoe")},
    "Phimoe": Family("Phimoe", {**GROUPED, "num_local_experts": 4}, auto=CAUSAL),
    "GptOss": Family(
        "GptOss", {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8}, auto=CAUSAL
    ),
    "Olmoe": Family("Olmoe", EXPERTS, auto=CAUSAL),
    "Qwen2Moe": Family(
        "Qwen2Moe",
        {**EXPERTS, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32},
        auto=CAUSAL,
    ),
    "Qwen3Moe": Family("Qwen3Moe", {**EXPERTS, "moe_intermediate_size": 32, "head_dim": 8}, auto=CAUSAL),
    "DeepseekV2": Family(
        "DeepseekV2",
        {
            **GROUPED,
            "num_key_value_heads": 4,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "q_lora_rank": 16,
            "kv_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 4,
            "v_head_dim": 8,
            "moe_intermediate_size": 16,
            "n_group": 1,
            "topk_group": 1,
        },
        auto=CAUSAL,
    ),
    "Mamba": Family("Mamba", STATES, auto=CAUSAL),
    "FalconMamba": Family("FalconMamba", STATES, auto=CAUSAL),
    "Mamba2": Family(
        "Mamba2",
        {**STATES, "num_heads": 8, "head_dim": 8, "expand": 2, "n_groups": 1, "chunk_size": 8},
        auto=CAUSAL,
    ),
    "Rwkv": Family(
        "Rwkv",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "vocab_size": 97,
            "attention_hidden_size": 32,
            "context_length": 64,
        },
        auto=CAUSAL,
    ),
    "RecurrentGemma": Family(
        "RecurrentGemma",
        {**SMALL, "num_hidden_layers": 3, "lru_width": 32, "head_dim": 8, "num_key_value_heads": 1},
        auto=CAUSAL,
    ),
    "Jamba": Family(
        "Jamba",
        {
            **GROUPED,
            "num_experts": 2,
            "use_mamba_kernels": False,
            "mamba_d_state": 8,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
        },
        auto=CAUSAL,
    ),
    **{
        name: Family(name, BOTH, named=DECODED)
        for name in ("Bart", "MBart", "Pegasus", "Marian", "Blenderbot", "BlenderbotSmall", "M2M100", "PLBart")
    },
    "LED": Family("LED", {**BOTH, "attention_window": 4}, named=DECODED),
    "BigBirdPegasus": Family("BigBirdPegasus", BOTH, named=DECODED),
    **{
        name: Family(name, TEXT_TO_TEXT, named=DECODED)
        for name in ("T5", "MT5", "LongT5", "UMT5", "SwitchTransformers")
    },
    "ProphetNet": Family(
        "ProphetNet",
        {
            "hidden_size": 32,
            "num_encoder_layers": 2,
            "num_decoder_layers": 2,
            "num_encoder_attention_heads": 4,
            "num_decoder_attention_heads": 4,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "vocab_size": 97,
            "max_position_embeddings": 64,
        },
        named=DECODED,
    ),
    **{
        name: Family(name, IMAGES, _pixels(32))
        for name in ("ViT", "DeiT", "Beit", "ViTMAE", "ViTMSN", "Dinov2", "Data2VecVision", "IJepa")
    },
    **{name: Family(name, IMAGES, _pixels(32)) for name in ("Dinov2WithRegisters", "CLIPVision", "SiglipVision")},
    "Yolos": Family("Yolos", {**IMAGES, "image_size": [32, 32]}, _pixels(32)),
    **{name: Family(name, WINDOWS, _pixels(64)) for name in ("Swin", "Swinv2")},
    **{name: Family(name, STAGES, _pixels(64)) for name in ("ConvNext", "ConvNextV2", "PoolFormer")},
    "Segformer": Family("Segformer", {**STAGES, "num_attention_heads": [1, 2, 4, 8]}, _pixels(64)),
    "PvtV2": Family("PvtV2", {**STAGES, "num_attention_heads": [1, 2, 4, 8]}, _pixels(64)),
    "ResNet": Family("ResNet", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}, _pixels(64)),
    "RegNet": Family(
        "RegNet", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "groups_width": 4}, _pixels(64)
    ),
    "MobileNetV2": Family("MobileNetV2", {}, _pixels(64)),
    "MobileViT": Family("MobileViT", {"image_size": 64}, _pixels(64)),
    "Levit": Family("Levit", {"image_size": 64}, _pixels(64)),
    "Cvt": Family("Cvt", {}, _pixels(64)),
    "EfficientNet": Family("EfficientNet", {}, _pixels(64)),
    "Bit": Family("Bit", {"embedding_size": 32, "hidden_sizes": [128, 256], "depths": [1, 1]}, _pixels(64)),
    "FocalNet": Family(
        "FocalNet",
        {"image_size": 64, "embed_dim": 8, "depths": [1, 1], "focal_levels": [2, 2], "focal_windows": [3, 3]},
        _pixels(64),
    ),
    "DPT": Family(
        "DPT", {**IMAGES, "backbone_out_indices": [0, 1, 1, 1], "neck_hidden_sizes": [8, 8, 8, 8]}, _pixels(32)
    ),
    **{
        name: Family(name, WAVES, (torch.zeros(1, 400),))
        for name in ("Wav2Vec2", "Hubert", "WavLM", "UniSpeech", "Data2VecAudio", "Wav2Vec2Conformer")
    },
    "SEW": Family("SEW", {**WAVES, "squeeze_factor": 2}, (torch.zeros(1, 400),)),
    "Whisper": Family(
        "Whisper",
        {
            **BOTH,
            "num_mel_bins": 8,
            "max_source_positions": 15,
            "max_target_positions": 16,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "decoder_start_token_id": 2,
        },
        (torch.zeros(1, 8, 30),),
        DECODED,
    ),
    "AST": Family(
        "AST",
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "patch_size": 8,
            "max_length": 32,
            "num_mel_bins": 16,
            "frequency_stride": 8,
            "time_stride": 8,
        },
        (torch.zeros(1, 32, 16),),
    ),
    "Encodec": Family(
        "Encodec",
        {"num_filters": 4, "hidden_size": 16, "codebook_size": 16, "codebook_dim": 16},
        (torch.zeros(1, 1, 640),),
    ),
}


def names() -> list[str]:
    return list(FAMILIES)


def _make(name: str) -> nn.Module:
    declare_operators()
    warnings.filterwarnings("ignore")
    import transformers

    transformers.logging.set_verbosity_error()
    family = FAMILIES[name]
    config = getattr(transformers, f"{family.config}Config")(**family.fields)
    if hasattr(config, "use_cache"):
        config.use_cache = False  # a cache of keys is for generating, not for a step
    for dropped in ("layerdrop", "encoder_layerdrop", "decoder_layerdrop"):
        if hasattr(config, dropped):
            setattr(config, dropped, 0.0)  # each step would be another network
    model = getattr(transformers, family.auto).from_config(config)
    for module in model.modules():
        if hasattr(module, "_requires_grad"):
            module._requires_grad = False  # else a wave's encoder asks for the gradient of the network's input
    return model


def subject(name: str) -> Subject:
    return Subject(name, partial(_make, name), FAMILIES[name].inputs, FAMILIES[name].named)
