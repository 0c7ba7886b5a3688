"""Triangles, diagonals, classes, bins and sliding views in torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from archcost.pytorch.layers.base import Factory, function


def strided(
    tensor: Tensor, size: tuple[int, ...], stride: tuple[int, ...], batch_strides: tuple[int, ...], storage_offset: int
) -> Tensor:
    """A first size of -1 is that of the tensor's first axis, and strides of `batch_strides` are multiples of it."""
    sizes = [tensor.shape[0] if each == -1 else each for each in size]
    strides = [each * tensor.shape[0] if axis in batch_strides else each for axis, each in enumerate(stride)]
    return tensor.as_strided(sizes, strides, tensor.storage_offset() + storage_offset)


FACTORIES: dict[str, Factory] = {
    "as_strided": function(strided),
    "tril": function(torch.tril),
    "triu": function(torch.triu),
    "diagonal": function(torch.diagonal),
    "tensor_unfold": function(Tensor.unfold),
    "one_hot": function(functional.one_hot),
    "bucketize": function(torch.bucketize),
}
