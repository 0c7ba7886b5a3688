"""Networks that make images, of diffusers."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import archcost
from archcost import ModelSpec
from archcost.spec.overrides import override
from tests.large_programs.other_row import Fields

Called = Callable[..., Any]


class Drawn(NamedTuple):
    """A network that ships and the module that it is, as `Other`; `call` runs it on tensors of these shapes."""

    network: str
    kind: str
    fields: Fields
    less: Fields
    settings: str
    call: Called
    shapes: tuple[tuple[int, ...], ...]

    def module(self, less: Fields) -> nn.Module:
        library: Any = import_module("diffusers")
        return getattr(library, self.kind)(**{**self.fields, **less})

    def alone(self) -> nn.Module:
        return Sample(self.module(self.less), self.call)

    def inputs(self, batch: int) -> tuple[Tensor, ...]:
        return tuple([torch.zeros(batch, *shape) for shape in self.shapes])

    def small_spec(self) -> ModelSpec:
        spec = override(archcost.load(self.network), self.settings.split(), [])
        return spec.model_copy(update={"loss": "sum"})


class Sample(nn.Module):
    def __init__(self, module: nn.Module, call: Called) -> None:
        super().__init__()
        self.module, self.call = module, call

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.call(self.module, *tensors).sample


def flux(module: nn.Module, image: Tensor, text: Tensor, pooled: Tensor, time: Tensor, guidance: Tensor) -> Any:
    return module(
        hidden_states=image,
        encoder_hidden_states=text,
        pooled_projections=pooled,
        timestep=time,
        guidance=guidance,
        img_ids=torch.zeros(image.shape[1], 3, device=image.device),
        txt_ids=torch.zeros(text.shape[1], 3, device=image.device),
    )


def unet(module: nn.Module, image: Tensor, time: Tensor, text: Tensor) -> Any:
    return module(image, time, text)


def sdxl(module: nn.Module, image: Tensor, time: Tensor, text: Tensor, pooled: Tensor, sizes: Tensor) -> Any:
    return module(image, time, text, added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes})


LOOKS_DOWN, LOOKS_UP = ("CrossAttnDownBlock2D",), ("CrossAttnUpBlock2D",)

ROWS: tuple[Drawn, ...] = (
    Drawn(  # huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5, unet/config.json
        "stable_diffusion_1_5_unet",
        "UNet2DConditionModel",
        {
            "sample_size": 64,
            "block_out_channels": (320, 640, 1280, 1280),
            "down_block_types": (*LOOKS_DOWN * 3, "DownBlock2D"),
            "up_block_types": ("UpBlock2D", *LOOKS_UP * 3),
            "cross_attention_dim": 768,
            "attention_head_dim": 8,
        },
        {
            "sample_size": 8,
            "block_out_channels": (16, 32, 64, 64),
            "cross_attention_dim": 24,
            "attention_head_dim": 4,
            "norm_num_groups": 8,
        },
        "width=16 heads=4 groups=8 told=24 words=7 side=64",
        unet,
        ((4, 8, 8), (), (7, 24)),
    ),
    Drawn(  # huggingface.co/stabilityai/stable-diffusion-xl-base-1.0, unet/config.json
        "sdxl_unet",
        "UNet2DConditionModel",
        {
            "sample_size": 128,
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", *LOOKS_DOWN * 2),
            "up_block_types": (*LOOKS_UP * 2, "UpBlock2D"),
            "cross_attention_dim": 2048,
            "attention_head_dim": (5, 10, 20),
            "transformer_layers_per_block": (1, 2, 10),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        {
            "sample_size": 8,
            "block_out_channels": (16, 32, 64),
            "cross_attention_dim": 24,
            "attention_head_dim": (2, 4, 8),
            "transformer_layers_per_block": (1, 1, 2),
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 68,
            "norm_num_groups": 8,
        },
        "width=16 features=8 groups=8 told=24 words=7 side=64 whole=20 sized=8 few=1 many=2",
        sdxl,
        ((4, 8, 8), (), (7, 24), (20,), (6,)),
    ),
    Drawn(  # huggingface.co/black-forest-labs/FLUX.1-dev, transformer/config.json
        "flux1_dev",
        "FluxTransformer2DModel",
        {
            "patch_size": 1,
            "in_channels": 64,
            "num_layers": 19,
            "num_single_layers": 38,
            "attention_head_dim": 128,
            "num_attention_heads": 24,
            "joint_attention_dim": 4096,
            "pooled_projection_dim": 768,
            "guidance_embeds": True,
        },
        {
            "in_channels": 16,
            "num_layers": 2,
            "num_single_layers": 2,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "joint_attention_dim": 24,
            "pooled_projection_dim": 20,
            "axes_dims_rope": (4, 6, 6),
        },
        "depth=2 single=2 heads=2 features=16 channels=16 told=24 whole=20 text=7 side=64",
        flux,
        ((16, 16), (7, 24), (20,), (), ()),
    ),
)
