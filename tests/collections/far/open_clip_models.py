"""Pairs of an image's and a text's tower, as open_clip puts them together, with few layers."""

from __future__ import annotations

from typing import Any

from tests.collections.far.member import Member, floats, ids, made_of

IMAGES = {"layers": 2, "width": 32, "head_width": 8, "patch_size": 8, "image_size": 32}
TEXTS = {"context_length": 12, "vocab_size": 97, "width": 32, "heads": 4, "layers": 2}
SPECIAL = {"qk_norm": True, "scaled_cosine_attn": False, "scale_heads": True, "scale_attn": True, "scale_fc": True}


def _of(kind: str, images: dict[str, Any], texts: dict[str, Any], **fields: Any) -> Member:
    make = made_of("open_clip", kind, embed_dim=16, vision_cfg=images, text_cfg=texts, **fields)
    size = images["image_size"]
    return Member(make, (floats(3, size, size), ids(12)))


MODELS = {
    "CLIP ViT": _of("CLIP", IMAGES, TEXTS),
    "CLIP ViT quick gelu": _of("CLIP", IMAGES, TEXTS, quick_gelu=True),
    "CLIP ViT layer scale": _of("CLIP", {**IMAGES, "ls_init_value": 1e-5}, {**TEXTS, "ls_init_value": 1e-5}),
    "CLIP ViT dropped patches": _of("CLIP", {**IMAGES, "patch_dropout": 0.5}, TEXTS),
    "CLIP ViT attentional pool": _of(
        "CLIP", {**IMAGES, "attentional_pool": True, "attn_pooler_queries": 8, "attn_pooler_heads": 4}, TEXTS
    ),
    "CLIP ViT average, sines": _of(
        "CLIP",
        {**IMAGES, "pool_type": "avg", "pos_embed_type": "sin_cos_2d", "final_ln_after_pool": True},
        {**TEXTS, "pool_type": "last"},
    ),
    "CLIP ViT own blocks": _of("CLIP", {**IMAGES, **SPECIAL}, {**TEXTS, **SPECIAL}),
    "CLIP RN": _of("CLIP", {"layers": [1, 1, 1, 1], "width": 8, "image_size": 32}, TEXTS),
    "CLIP output_dict": _of("CLIP", IMAGES, TEXTS, output_dict=True, init_logit_bias=-10.0),
    "CustomTextCLIP SigLIP": _of(
        "CustomTextCLIP",
        {"image_size": 224, "timm_model_name": "vit_tiny_patch16_224", "timm_pool": "avg", "timm_proj": "linear"},
        {**TEXTS, "no_causal_mask": True, "proj_bias": True, "pool_type": "last"},
    ),
    "CustomTextCLIP convnext": _of(
        "CustomTextCLIP",
        {"image_size": 32, "timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "mlp"},
        {**TEXTS, "embed_cls": True},
    ),
    "CoCa": Member(
        made_of(
            "open_clip",
            "CoCa",
            embed_dim=32,
            vision_cfg={
                **IMAGES,
                "attentional_pool": True,
                "attn_pooler_queries": 8,
                "attn_pooler_heads": 4,
                "output_tokens": True,
            },
            text_cfg={**TEXTS, "embed_cls": True, "output_tokens": True},
            multimodal_cfg={**TEXTS, "attn_pooler_heads": 4},
        ),
        (floats(3, 32, 32), ids(12)),
    ),
}
