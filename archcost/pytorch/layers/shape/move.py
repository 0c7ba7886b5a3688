"""Copying values to other places in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.pytorch.layers.base import Factory, function, plain


def stacked(*tensors: Tensor, dim: int) -> Tensor:
    return torch.stack(tensors, dim)


def tiled(tensor: Tensor, *batched: Tensor, dims: tuple[int, ...]) -> Tensor:
    """With a second tensor the first number counts once for each of its samples."""
    if batched:
        dims = (dims[0] * batched[0].shape[0], *dims[1:])
    return tensor.tile(dims)


FACTORIES: dict[str, Factory] = {
    "stack": function(stacked),
    "roll": function(torch.roll),
    "flip": function(torch.flip),
    "repeat_interleave": function(torch.repeat_interleave),
    "tile": function(tiled),
    "pixel_shuffle": plain(nn.PixelShuffle),
    "pixel_unshuffle": plain(nn.PixelUnshuffle),
}
