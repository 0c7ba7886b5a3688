"""Tensors that no other layer computes, in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archcost.layers import Buffer, Constant, ExpandBatch, Parameter
from archcost.layers.shape.copy import LIKE
from archcost.pytorch.layers.base import Inputs, OfDtype, dtype_of, mirrors


class Learned(nn.Module):
    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape, dtype=dtype), requires_grad=dtype.is_floating_point)

    def forward(self) -> Tensor:
        return self.weight


class Registered(nn.Module):
    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("buffer", torch.zeros(shape, dtype=dtype))
        self.buffer: Tensor

    def forward(self) -> Tensor:
        return self.buffer


class Made(OfDtype):
    """Zeros, on the device of the input; without one, where the module is."""

    def __init__(self, shape: tuple[int, ...], dtype: str, dim: int) -> None:
        super().__init__(dtype)
        self.shape = shape
        self.dim = dim
        self.is_like = dtype == LIKE

    def forward(self, *asked: Tensor) -> Tensor:
        batched, dtype = (asked[:-1], asked[-1].dtype) if self.is_like else (asked, self.dtype)
        if not batched:
            return torch.zeros(self.shape, dtype=dtype, device=asked[0].device if asked else self.device)
        sizes = list(self.shape)
        sizes[self.dim] *= batched[0].shape[0]
        return torch.zeros(sizes, dtype=dtype, device=batched[0].device)

    def extra_repr(self) -> str:
        return f"shape={self.shape}, dtype={self.dtype}, dim={self.dim}"


class ExpandedBatch(nn.Module):
    """`size` as Tensor.expand takes it, the entry at `dim` once a sample; without one, only that axis changes."""

    def __init__(self, size: tuple[int, ...] | None, dim: int) -> None:
        super().__init__()
        self.size = size
        self.dim = dim

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        sizes = list(self.size or (-1,) * one.dim())
        sizes[self.dim] = other.shape[0] * (sizes[self.dim] if self.size else 1)
        return one.expand(sizes)

    def extra_repr(self) -> str:
        return f"size={self.size}, dim={self.dim}"


@mirrors(Parameter)
def parameter(layer: Parameter, inputs: Inputs) -> nn.Module:
    return Learned(layer.shape, dtype_of(layer.dtype))


@mirrors(Buffer)
def buffer(layer: Buffer, inputs: Inputs) -> nn.Module:
    return Registered(layer.shape, dtype_of(layer.dtype))


@mirrors(Constant)
def constant(layer: Constant, inputs: Inputs) -> nn.Module:
    return Made(layer.shape, layer.dtype, layer.dim)


@mirrors(ExpandBatch)
def expand_batch(layer: ExpandBatch, inputs: Inputs) -> nn.Module:
    return ExpandedBatch(layer.size, layer.dim)
