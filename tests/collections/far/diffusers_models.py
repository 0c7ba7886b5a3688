"""U-nets, autoencoders and transformers of diffusers, with a few channels."""

from __future__ import annotations

from typing import Any

import torch

from tests.collections.far.member import Member, floats, ids, made_of

STEP = ids()
"""The time step of each sample."""

ATTENDING = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 12,
    "attention_head_dim": 4,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
}
WIDE = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2}
UPSAMPLED = {**ATTENDING, "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")}
NEXT = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
CODED = {
    **NEXT,
    "down_block_types": ("DownEncoderBlock2D", "DownEncoderBlock2D"),
    "up_block_types": ("UpDecoderBlock2D", "UpDecoderBlock2D"),
}
TEXT = floats(5, 12)
IMAGE = floats(4, 16, 16)
VIDEO = floats(4, 4, 8, 8)
"""Channels, frames, height, width."""

PLACES = {"img_ids": torch.zeros(16, 3), "txt_ids": torch.zeros(5, 3)}
TOKENS = {"hidden_states": floats(16, 16), "encoder_hidden_states": TEXT, "timestep": floats()}


def _of(
    name: str, fields: dict[str, Any], *inputs: Any, unbatched: dict[str, Any] | None = None, **named: Any
) -> Member:
    apart = unbatched or {}
    return Member(made_of("diffusers", name, **fields), inputs, {**named, **apart}, tuple(apart))


MODELS = {
    "UNet2DModel": _of(
        "UNet2DModel",
        {
            **NEXT,
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        },
        floats(3, 16, 16),
        STEP,
    ),
    "UNet2DModel scale and shift": _of(
        "UNet2DModel",
        {
            **NEXT,
            "down_block_types": ("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "ResnetUpsampleBlock2D"),
            "resnet_time_scale_shift": "scale_shift",
            "num_class_embeds": 7,
        },
        floats(3, 16, 16),
        STEP,
        class_labels=ids(),
    ),
    "UNet2DConditionModel": _of("UNet2DConditionModel", UPSAMPLED, IMAGE, STEP, TEXT),
    "UNet2DConditionModel linear, upcast": _of(
        "UNet2DConditionModel",
        {**UPSAMPLED, "use_linear_projection": True, "upcast_attention": True, "transformer_layers_per_block": 2},
        IMAGE,
        STEP,
        TEXT,
    ),
    "UNet2DConditionModel text and time": _of(
        "UNet2DConditionModel",
        {
            **UPSAMPLED,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 4,
            "projection_class_embeddings_input_dim": 4 * 6 + 10,
        },
        IMAGE,
        STEP,
        TEXT,
        added_cond_kwargs={"text_embeds": floats(10), "time_ids": floats(6)},
    ),
    "UNet1DModel": _of(
        "UNet1DModel",
        {"sample_size": 32, "block_out_channels": (32, 32, 64), "extra_in_channels": 64},
        floats(2, 64),
        STEP,
    ),
    "UNet3DConditionModel": _of(
        "UNet3DConditionModel",
        {
            **NEXT,
            "cross_attention_dim": 12,
            "attention_head_dim": 4,
            "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
            "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
        },
        VIDEO,
        STEP,
        TEXT,
    ),
    "ControlNetModel": _of(
        "ControlNetModel",
        {**ATTENDING, "conditioning_embedding_out_channels": (8, 16)},
        IMAGE,
        STEP,
        TEXT,
        floats(3, 32, 32),
    ),
    "T2IAdapter": _of("T2IAdapter", {"channels": [8, 8, 16, 16], "num_res_blocks": 1}, floats(3, 64, 64)),
    "AutoencoderKL": _of("AutoencoderKL", CODED, floats(3, 16, 16)),
    "AsymmetricAutoencoderKL": _of(
        "AsymmetricAutoencoderKL",
        {
            "down_block_types": ("DownEncoderBlock2D", "DownEncoderBlock2D"),
            "down_block_out_channels": (8, 16),
            "up_block_types": ("UpDecoderBlock2D", "UpDecoderBlock2D"),
            "up_block_out_channels": (8, 16),
            "norm_num_groups": 4,
        },
        floats(3, 16, 16),
    ),
    "AutoencoderTiny": _of(
        "AutoencoderTiny",
        {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4},
        floats(3, 32, 32),
    ),
    "AutoencoderDC": _of(
        "AutoencoderDC",
        {
            "latent_channels": 4,
            "attention_head_dim": 4,
            "encoder_block_types": ("ResBlock", "EfficientViTBlock"),
            "decoder_block_types": ("ResBlock", "EfficientViTBlock"),
            "encoder_block_out_channels": (8, 16),
            "decoder_block_out_channels": (8, 16),
            "encoder_layers_per_block": (1, 1),
            "decoder_layers_per_block": (1, 1),
            "encoder_qkv_multiscales": ((), (5,)),
            "decoder_qkv_multiscales": ((), (5,)),
        },
        floats(3, 16, 16),
    ),
    "AutoencoderOobleck": _of(
        "AutoencoderOobleck",
        {
            "encoder_hidden_size": 8,
            "downsampling_ratios": [2, 4],
            "channel_multiples": [1, 2],
            "decoder_channels": 8,
            "decoder_input_channels": 4,
        },
        floats(2, 64),
    ),
    "VQModel": _of("VQModel", {**CODED, "num_vq_embeddings": 16}, floats(3, 16, 16)),
    "DiTTransformer2DModel": _of(
        "DiTTransformer2DModel",
        {**WIDE, "sample_size": 8, "num_embeds_ada_norm": 10},
        floats(4, 8, 8),
        STEP,
        ids(),
    ),
    "Transformer2DModel": _of(
        "Transformer2DModel",
        {**WIDE, "in_channels": 8, "norm_num_groups": 4, "cross_attention_dim": 12},
        floats(8, 8, 8),
        TEXT,
    ),
    "PixArtTransformer2DModel": _of(
        "PixArtTransformer2DModel",
        {
            **WIDE,
            "sample_size": 8,
            "cross_attention_dim": 16,
            "caption_channels": 12,
            "use_additional_conditions": False,
        },
        floats(4, 8, 8),
        TEXT,
        STEP,
        added_cond_kwargs={"resolution": None, "aspect_ratio": None},
    ),
    "SD3Transformer2DModel": _of(
        "SD3Transformer2DModel",
        {
            **WIDE,
            "sample_size": 8,
            "in_channels": 4,
            "joint_attention_dim": 12,
            "caption_projection_dim": 16,
            "pooled_projection_dim": 10,
            "out_channels": 4,
            "pos_embed_max_size": 8,
            "qk_norm": "rms_norm",
            "dual_attention_layers": (0,),
        },
        floats(4, 8, 8),
        TEXT,
        floats(10),
        STEP,
    ),
    "FluxTransformer2DModel": _of(
        "FluxTransformer2DModel",
        {
            **WIDE,
            "in_channels": 16,
            "num_single_layers": 2,
            "joint_attention_dim": 12,
            "pooled_projection_dim": 10,
            "axes_dims_rope": (4, 2, 2),
        },
        **TOKENS,
        pooled_projections=floats(10),
        unbatched=PLACES,
    ),
    "ChromaTransformer2DModel": _of(
        "ChromaTransformer2DModel",
        {
            **WIDE,
            "in_channels": 16,
            "num_single_layers": 2,
            "joint_attention_dim": 12,
            "axes_dims_rope": (4, 2, 2),
            "approximator_num_channels": 8,
            "approximator_hidden_dim": 16,
            "approximator_layers": 1,
        },
        **TOKENS,
        unbatched=PLACES,
    ),
    "AuraFlowTransformer2DModel": _of(
        "AuraFlowTransformer2DModel",
        {
            "sample_size": 8,
            "num_mmdit_layers": 1,
            "num_single_dit_layers": 1,
            "attention_head_dim": 8,
            "num_attention_heads": 2,
            "joint_attention_dim": 12,
            "caption_projection_dim": 16,
            "pos_embed_max_size": 16,
        },
        floats(4, 8, 8),
        TEXT,
        floats(),
    ),
    "SanaTransformer2DModel": _of(
        "SanaTransformer2DModel",
        {
            **WIDE,
            "in_channels": 4,
            "out_channels": 4,
            "num_cross_attention_heads": 2,
            "cross_attention_head_dim": 8,
            "cross_attention_dim": 16,
            "caption_channels": 12,
            "sample_size": 8,
        },
        floats(4, 8, 8),
        TEXT,
        STEP,
    ),
    "LatteTransformer3DModel": _of(
        "LatteTransformer3DModel",
        {
            **WIDE,
            "in_channels": 4,
            "out_channels": 4,
            "patch_size": 2,
            "sample_size": 8,
            "cross_attention_dim": 16,
            "caption_channels": 12,
            "num_embeds_ada_norm": 10,
            "norm_type": "ada_norm_single",
            "norm_elementwise_affine": False,
            "attention_bias": True,
            "video_length": 4,
        },
        VIDEO,
        STEP,
        TEXT,
    ),
    "CogVideoXTransformer3DModel": _of(
        "CogVideoXTransformer3DModel",
        {
            **WIDE,
            "in_channels": 4,
            "out_channels": 4,
            "time_embed_dim": 8,
            "text_embed_dim": 12,
            "sample_width": 8,
            "sample_height": 8,
            "sample_frames": 13,
            "max_text_seq_length": 5,
        },
        floats(4, 4, 8, 8),
        TEXT,
        STEP,
    ),
    "WanTransformer3DModel": _of(
        "WanTransformer3DModel",
        {
            **WIDE,
            "attention_head_dim": 12,
            "in_channels": 4,
            "out_channels": 4,
            "text_dim": 12,
            "freq_dim": 16,
            "ffn_dim": 32,
            "rope_max_seq_len": 32,
        },
        VIDEO,
        STEP,
        TEXT,
    ),
    "LTXVideoTransformer3DModel": _of(
        "LTXVideoTransformer3DModel",
        {**WIDE, "in_channels": 8, "out_channels": 8, "cross_attention_dim": 16, "caption_channels": 12},
        floats(32, 8),
        TEXT,
        STEP,
        floats(5),
        num_frames=2,
        height=4,
        width=4,
    ),
    "StableCascadeUNet": _of(
        "StableCascadeUNet",
        {
            "in_channels": 4,
            "out_channels": 4,
            "timestep_ratio_embedding_dim": 8,
            "conditioning_dim": 16,
            "block_out_channels": (16, 16),
            "num_attention_heads": (2, 2),
            "down_num_layers_per_block": (1, 1),
            "up_num_layers_per_block": (1, 1),
            "clip_text_in_channels": 12,
            "clip_text_pooled_in_channels": 10,
            "clip_image_in_channels": 10,
        },
        IMAGE,
        floats(),
        floats(1, 10),
        floats(5, 12),
        floats(1, 10),
    ),
    "PriorTransformer": _of(
        "PriorTransformer",
        {**WIDE, "embedding_dim": 12, "num_embeddings": 5},
        floats(12),
        STEP,
        floats(12),
        TEXT,
    ),
    "StableAudioDiTModel": _of(
        "StableAudioDiTModel",
        {
            "sample_size": 8,
            "in_channels": 4,
            "num_layers": 1,
            "attention_head_dim": 8,
            "num_attention_heads": 2,
            "num_key_value_attention_heads": 2,
            "out_channels": 4,
            "cross_attention_dim": 12,
            "time_proj_dim": 8,
            "global_states_input_dim": 10,
            "cross_attention_input_dim": 12,
        },
        floats(4, 8),
        floats(),
        TEXT,
        floats(1, 10),
    ),
}
