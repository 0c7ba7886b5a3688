"""Unpooling in torch; pools are the modules that their cards name."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from archcost.layers import MaxUnpool1d, MaxUnpool2d, MaxUnpool3d
from archcost.pytorch.layers.base import Inputs, mirrors

Unpool = Callable[..., Tensor]


class MaxUnpool(nn.Module):
    """Max-unpooling whose output size is fixed in plain integers.

    torch's own module keeps sizes as tensors while it is traced, and then refuses them.
    """

    def __init__(
        self, unpool: Unpool, kernel: list[int], stride: list[int], padding: list[int], size: list[int] | None
    ) -> None:
        super().__init__()
        self.unpool = unpool
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.size = size

    def forward(self, pooled: Tensor, indices: Tensor) -> Tensor:
        columns = zip(pooled.shape[2:], self.kernel, self.stride, self.padding, strict=True)
        size = self.size or [(int(n) - 1) * stride - 2 * padding + kernel for n, kernel, stride, padding in columns]
        return self.unpool(pooled, indices, self.kernel, self.stride, self.padding, size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel}, stride={self.stride}, padding={self.padding}"


@mirrors(MaxUnpool1d, MaxUnpool2d, MaxUnpool3d)
def max_unpool(layer: MaxUnpool1d | MaxUnpool2d | MaxUnpool3d, inputs: Inputs) -> nn.Module:
    axes = inputs[0].dim() - 2

    def each(value: int | tuple[int, ...]) -> list[int]:
        return [value] * axes if isinstance(value, int) else list(value)

    kernel = each(layer.kernel_size)
    stride = kernel if layer.stride is None else each(layer.stride)
    size = None if layer.output_size is None else each(layer.output_size)
    return MaxUnpool(getattr(functional, layer.type), kernel, stride, each(layer.padding), size)
