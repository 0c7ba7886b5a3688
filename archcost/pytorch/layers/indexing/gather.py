"""Picking values by index or by place in torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcost.layers import Gather, Index, IndexSelect, Write
from archcost.pytorch.layers.base import Called, Factory, Inputs, function


def gather(layer: Gather, inputs: Inputs) -> nn.Module:
    def gathered(tensor: Tensor, index: Tensor) -> Tensor:
        return tensor.gather(layer.dim, index)

    return Called(gathered, {})


def index_select(layer: IndexSelect, inputs: Inputs) -> nn.Module:
    def selected(tensor: Tensor, index: Tensor) -> Tensor:
        return tensor.index_select(layer.dim, index)

    return Called(selected, {})


def listed(dims: Sequence[int], tensor: Tensor, indices: Sequence[Tensor]) -> list[Tensor | None]:
    """An index or none for each axis, as the operators take them."""
    every: list[Tensor | None] = [None] * tensor.dim()
    for axis, positions in zip(dims, indices, strict=True):
        every[axis] = positions
    return every


def index(layer: Index, inputs: Inputs) -> nn.Module:
    def indexed(tensor: Tensor, *indices: Tensor) -> Tensor:
        """The operator itself: Python's brackets read a single position out, as a number."""
        return torch.ops.aten.index.Tensor(tensor, listed(layer.dims, tensor, indices))

    return Called(indexed, {})


class Written(nn.Module):
    """Values over the first of a tensor, wherever a network writes them; a number is 0."""

    def __init__(self, numel: int | None, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.numel = numel
        self.dims = dims

    def forward(self, whole: Tensor, *read: Tensor) -> Tensor:
        if self.dims:
            values, *indices = read
            return torch.ops.aten.index_put_(whole, listed(self.dims, whole, indices), values)
        if self.numel is None and all(part.shape == whole.shape for part in read):
            return whole.copy_(read[0]) if read else whole.fill_(0)
        part = read[0].shape if read else torch.Size()
        count = part.numel() if self.numel is None else self.numel * (whole.shape[0] if whole.dim() else 1)
        times = count // part.numel()
        place = whole.as_strided((count,), (1,)).view(part if times == 1 else (times, *part))
        _ = place.copy_(read[0]) if read else place.fill_(0)
        return whole

    def extra_repr(self) -> str:
        return f"numel={self.numel}, dims={self.dims}"


def write(layer: Write, inputs: Inputs) -> nn.Module:
    return Written(layer.numel, layer.dims)


FACTORIES: dict[str, Factory] = {
    "gather": gather,
    "index_select": index_select,
    "index": index,
    "write": write,
    "grid_sample": function(functional.grid_sample),
}
