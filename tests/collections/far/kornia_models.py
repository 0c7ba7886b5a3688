"""kornia's networks: descriptors of patches, detectors of points and edges, vision transformers."""

from __future__ import annotations

from typing import Any

from tests.collections.far.member import Member, floats, made_of


def _of(library: str, name: str, *inputs: Any, **fields: Any) -> Member:
    return Member(made_of(f"kornia.{library}", name, **fields), inputs)


PATCH = floats(1, 32, 32)
IMAGE = floats(3, 64, 64)
MODELS = {
    **{
        name: _of("feature", name, PATCH, pretrained=False)
        for name in ("HardNet", "HyNet", "SOSNet", "TFeat", "OriNet")
    },
    "HardNet8": _of("feature", "HardNet8", PATCH, pretrained=False),
    "SIFTDescriptor": _of("feature", "SIFTDescriptor", floats(1, 41, 41)),
    "KeyNet": _of("feature", "KeyNet", floats(1, 64, 64), pretrained=False),
    "DISK heatmap": _of("feature.disk._unets", "Unet", IMAGE, in_features=3, down=[8, 16, 16], up=[16, 9]),
    "SOLD2_detector": _of("feature", "SOLD2_detector", floats(1, 64, 64), pretrained=False),
    "XFeatModel": _of("feature", "XFeatModel", IMAGE),
    "DeFMO": _of("feature", "DeFMO", floats(6, 64, 64), pretrained=False),
    "LoFTR": Member(
        made_of("kornia.feature", "LoFTR", pretrained=None),
        (),
        {"data": {"image0": floats(1, 64, 64), "image1": floats(1, 64, 64)}},
    ),
    "DexiNed": _of("models.dexined", "DexiNed", IMAGE, pretrained=False),
    "RRDBNet": _of(
        "models", "RRDBNet", floats(3, 16, 16), num_in_ch=3, num_out_ch=3, num_feat=8, num_block=1, num_grow_ch=4
    ),
    "TinyViT": _of("models.tiny_vit", "TinyViT", IMAGE, img_size=64),
    "EfficientViT": _of("models.efficient_vit.backbone", "efficientvit_backbone_b0", IMAGE),
    "ImageEncoderViT": _of(
        "models.sam.architecture.image_encoder",
        "ImageEncoderViT",
        IMAGE,
        img_size=64,
        patch_size=16,
        embed_dim=16,
        depth=2,
        num_heads=2,
        out_chans=8,
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
    ),
}
