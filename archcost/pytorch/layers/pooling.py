"""Pooling and unpooling in torch."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from archcost.layers import MaxUnpool1d, MaxUnpool2d, MaxUnpool3d
from archcost.pytorch.layers.base import Factory, Inputs, plain

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


def max_unpool(unpool: Unpool) -> Factory:
    def factory(layer: MaxUnpool1d | MaxUnpool2d | MaxUnpool3d, inputs: Inputs) -> nn.Module:
        axes = inputs[0].dim() - 2

        def each(value: int | tuple[int, ...]) -> list[int]:
            return [value] * axes if isinstance(value, int) else list(value)

        kernel = each(layer.kernel_size)
        stride = kernel if layer.stride is None else each(layer.stride)
        size = None if layer.output_size is None else each(layer.output_size)
        return MaxUnpool(unpool, kernel, stride, each(layer.padding), size)

    return factory


FACTORIES: dict[str, Factory] = {
    "max_pool1d": plain(nn.MaxPool1d),
    "max_pool2d": plain(nn.MaxPool2d),
    "max_pool3d": plain(nn.MaxPool3d),
    "avg_pool1d": plain(nn.AvgPool1d),
    "avg_pool2d": plain(nn.AvgPool2d),
    "avg_pool3d": plain(nn.AvgPool3d),
    "adaptive_avg_pool1d": plain(nn.AdaptiveAvgPool1d),
    "adaptive_avg_pool2d": plain(nn.AdaptiveAvgPool2d),
    "adaptive_avg_pool3d": plain(nn.AdaptiveAvgPool3d),
    "adaptive_max_pool1d": plain(nn.AdaptiveMaxPool1d),
    "adaptive_max_pool2d": plain(nn.AdaptiveMaxPool2d),
    "adaptive_max_pool3d": plain(nn.AdaptiveMaxPool3d),
    "max_unpool1d": max_unpool(functional.max_unpool1d),
    "max_unpool2d": max_unpool(functional.max_unpool2d),
    "max_unpool3d": max_unpool(functional.max_unpool3d),
}
