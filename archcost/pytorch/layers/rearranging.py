"""Copying values to other places in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.pytorch.layers.base import Factory, function, plain


def stacked(*tensors: Tensor, dim: int) -> Tensor:
    return torch.stack(tensors, dim)


FACTORIES: dict[str, Factory] = {
    "stack": function(stacked),
    "roll": function(torch.roll),
    "flip": function(torch.flip),
    "repeat_interleave": function(torch.repeat_interleave),
    "tile": function(torch.tile),
    "pixel_shuffle": plain(nn.PixelShuffle),
    "pixel_unshuffle": plain(nn.PixelUnshuffle),
}
