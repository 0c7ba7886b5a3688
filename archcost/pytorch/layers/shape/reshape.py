"""Moving and renaming values in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcost.layers import Cast, Pad, Permute, Reshape, Split
from archcost.pytorch.layers.base import Factory, Inputs, OfDtype, function, plain


class Reshaped(nn.Module):
    """`shape` is that of one sample."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, tensor: Tensor) -> Tensor:
        return tensor.reshape(tensor.shape[0], *self.shape)

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


class Permuted(nn.Module):
    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, tensor: Tensor) -> Tensor:
        return tensor.permute(self.dims)

    def extra_repr(self) -> str:
        return f"dims={self.dims}"


class Padded(nn.Module):
    """`pad` counts from the last axis, as torch.nn.functional.pad does."""

    def __init__(self, pad: tuple[int, ...], mode: str, value: float | None) -> None:
        super().__init__()
        self.pad = pad
        self.mode = mode
        self.value = value

    def forward(self, tensor: Tensor) -> Tensor:
        return functional.pad(tensor, self.pad, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"pad={self.pad}, mode={self.mode!r}, value={self.value}"


class Pieces(nn.Module):
    """Several outputs: pieces along `dim`."""

    def __init__(self, sizes: int | list[int], dim: int, unsafe: bool) -> None:
        super().__init__()
        self.sizes = sizes
        self.dim = dim
        self.unsafe = unsafe

    def forward(self, tensor: Tensor) -> tuple[Tensor, ...]:
        if self.unsafe and isinstance(self.sizes, int):
            return tuple(torch.unsafe_split(tensor, self.sizes, self.dim))
        if self.unsafe and isinstance(self.sizes, list):
            return tuple(torch.unsafe_split_with_sizes(tensor, self.sizes, self.dim))
        return torch.split(tensor, self.sizes, self.dim)  # pyright: ignore[reportReturnType, reportUnknownVariableType, reportUnknownMemberType]

    def extra_repr(self) -> str:
        return f"sizes={self.sizes}, dim={self.dim}, unsafe={self.unsafe}"


class Recast(OfDtype):
    def forward(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.dtype)

    def extra_repr(self) -> str:
        return f"dtype={self.dtype}"


def reshape(layer: Reshape, inputs: Inputs) -> nn.Module:
    return Reshaped(layer.shape)


def permute(layer: Permute, inputs: Inputs) -> nn.Module:
    return Permuted(layer.dims)


def pad(layer: Pad, inputs: Inputs) -> nn.Module:
    return Padded(layer.pad, layer.mode, layer.value)


def split(layer: Split, inputs: Inputs) -> nn.Module:
    sizes = layer.split_size if isinstance(layer.split_size, int) else list(layer.split_size)
    return Pieces(sizes, layer.dim, layer.unsafe)


def cast(layer: Cast, inputs: Inputs) -> nn.Module:
    return Recast(layer.dtype)


FACTORIES: dict[str, Factory] = {
    "identity": plain(nn.Identity),
    "flatten": plain(nn.Flatten),
    "unflatten": plain(nn.Unflatten),
    "reshape": reshape,
    "permute": permute,
    "pad": pad,
    "split": split,
    "chunk": function(torch.chunk),
    "unbind": function(torch.unbind),
    "view": function(torch.reshape),
    "clone": function(torch.clone),
    "contiguous": function(Tensor.contiguous),
    "cast": cast,
    "cast_like": function(Tensor.type_as),
}
