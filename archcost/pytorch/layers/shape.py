"""Seeing, moving, copying and repeating values in torch, but for what cards name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import AsStrided, Cast, Concat, Detach, Reshape, Slice, Split, Stack, Tile
from archcost.pytorch.layers.base import Called, Inputs, OfDtype, function, mirrors


def reshaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`shape` is that of one sample."""
    return tensor.reshape(tensor.shape[0], *shape)


def joined(*tensors: Tensor, dim: int) -> Tensor:
    return torch.cat(tensors, dim)


def stacked(*tensors: Tensor, dim: int) -> Tensor:
    return torch.stack(tensors, dim)


def tiled(tensor: Tensor, *batched: Tensor, dims: tuple[int, ...], dim: int) -> Tensor:
    """With a second tensor the first number counts once for each of its samples."""
    times = list(dims)
    if batched:
        times[dim] *= batched[0].shape[0]
    return tensor.repeat(times)


def sliced(tensor: Tensor, start: int | None, stop: int | None, step: int, dim: int) -> Tensor:
    """By Python's own indexing, which leaves out a slice that takes everything."""
    return tensor[(slice(None),) * (dim % tensor.dim()) + (slice(start, stop, step),)]


def detached(tensor: Tensor, data: bool) -> Tensor:
    return tensor.data if data else tensor.detach()


def strided(
    tensor: Tensor, size: tuple[int, ...], stride: tuple[int, ...], batch_strides: tuple[int, ...], storage_offset: int
) -> Tensor:
    """A first size of -1 is that of the tensor's first axis, and strides of `batch_strides` are multiples of it."""
    sizes = [tensor.shape[0] if each == -1 else each for each in size]
    strides = [each * tensor.shape[0] if axis in batch_strides else each for axis, each in enumerate(stride)]
    return tensor.as_strided(sizes, strides, tensor.storage_offset() + storage_offset)


mirrors(Reshape)(function(reshaped))
mirrors(Concat)(function(joined))
mirrors(Stack)(function(stacked))
mirrors(Tile)(function(tiled))
mirrors(Slice)(function(sliced))
mirrors(Detach)(function(detached))
mirrors(AsStrided)(function(strided))


@mirrors(Split)
def split(layer: Split, inputs: Inputs) -> nn.Module:
    size = layer.split_size if isinstance(layer.split_size, int) else [*layer.split_size]
    if not layer.unsafe:
        return Called(torch.split, {"split_size_or_sections": size, "dim": layer.dim})
    if isinstance(size, int):
        return Called(torch.unsafe_split, {"split_size": size, "dim": layer.dim})
    return Called(torch.unsafe_split_with_sizes, {"split_sizes": size, "dim": layer.dim})


class Recast(OfDtype):
    def forward(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.dtype)

    def extra_repr(self) -> str:
        return f"dtype={self.dtype}"


class RecastUnlessAutocast(Recast):
    def forward(self, tensor: Tensor) -> Tensor:
        return tensor if torch.is_autocast_enabled("cuda") else super().forward(tensor)


@mirrors(Cast)
def cast(layer: Cast, inputs: Inputs) -> nn.Module:
    return (RecastUnlessAutocast if layer.unless_autocast else Recast)(layer.dtype)
