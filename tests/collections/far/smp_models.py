"""Decoders of segmentation_models_pytorch over encoders without trained weights."""

from __future__ import annotations

from typing import Any

from tests.collections.far.member import Member, floats, made_of

SIZE = 64


def _of(name: str, encoder: str = "resnet18", size: int = SIZE, **fields: Any) -> Member:
    make = made_of("segmentation_models_pytorch", name, encoder_name=encoder, encoder_weights=None, classes=2, **fields)
    return Member(make, (floats(3, size, size),))


MODELS = {
    **{
        name: _of(name)
        for name in ("Unet", "UnetPlusPlus", "FPN", "PSPNet", "DeepLabV3", "DeepLabV3Plus", "Linknet", "MAnet")
    },
    **{name: _of(name) for name in ("UPerNet", "Segformer")},
    "PAN": _of("PAN", size=128),
    "DPT": _of("DPT", "tu-vit_tiny_patch16_224", dynamic_img_size=True, encoder_depth=4),
    "Unet scse": _of("Unet", decoder_attention_type="scse"),
    "Unet mobilenet_v2": _of("Unet", "mobilenet_v2"),
    "Unet efficientnet-b0": _of("Unet", "efficientnet-b0"),
    "Unet mit_b0": _of("Unet", "mit_b0"),
    "Unet densenet121": _of("Unet", "densenet121"),
    "Unet vgg11_bn": _of("Unet", "vgg11_bn"),
    "FPN resnext50_32x4d": _of("FPN", "resnext50_32x4d"),
    "FPN timm-regnetx_002": _of("FPN", "timm-regnetx_002"),
    "Linknet mobileone_s0": _of("Linknet", "mobileone_s0"),
    "MAnet dpn68": _of("MAnet", "dpn68"),
    "Unet with labels": _of("Unet", aux_params={"classes": 3, "dropout": 0.2}),
    "UPerNet tu-convnext_atto": _of("UPerNet", "tu-convnext_atto", encoder_depth=4),
}
