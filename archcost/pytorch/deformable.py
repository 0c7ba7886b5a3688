"""A deformable convolution as torchvision computes it (torchvision/csrc/ops/cpu/deform_conv2d_kernel.cpp), of torch's
operators: it runs where the compiled one does not load. Tensors are made in the order in which they are made there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcost.pytorch.regions import operator

MOST_AT_ONCE = 32


class Sizes(NamedTuple):
    kernel: list[int]
    stride: list[int]
    padding: list[int]
    dilation: list[int]


def _columns(
    images: Tensor,
    offsets: Tensor,
    mask: Tensor,
    kernel: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
) -> Tensor:
    """(C·k, images·positions): values between those of the images, 0 beyond their borders."""
    count, channels, *size = images.shape
    taps, (rows, columns) = kernel[0] * kernel[1], offsets.shape[2:]
    groups = offsets.shape[1] // (2 * taps)
    shifts = offsets.float().view(count, groups, taps, 2, rows, columns)
    made = torch.empty(channels, taps, count, rows, columns, dtype=images.dtype, device=images.device)
    for tap in range(taps):
        step = divmod(tap, kernel[1])
        places: list[Tensor] = []
        for axis, outs in enumerate((rows, columns)):
            first = (
                torch.arange(outs, device=images.device) * stride[axis] - padding[axis] + step[axis] * dilation[axis]
            )
            place = (first[:, None] if axis == 0 else first[None, :]) + shifts[:, :, tap, axis]
            places.insert(0, (place * 2 + 1) / size[axis] - 1)
        grid = torch.stack(places, -1).flatten(0, 1)
        grouped = images.float().reshape(count * groups, channels // groups, *size)
        found = functional.grid_sample(grouped, grid, align_corners=False).view(count, groups, -1, rows, columns)
        if mask.dim() == 4:
            found = found * mask.view(count, groups, taps, rows, columns)[:, :, tap, None]
        made[:, tap] = found.flatten(1, 2).transpose(0, 1)
    return made.view(channels * taps, count * rows * columns)


def _columns_shape(images: Tensor, offsets: Tensor, mask: Tensor, kernel: list[int], *sizes: list[int]) -> Tensor:
    count, channels = images.shape[:2]
    return images.new_empty(channels * kernel[0] * kernel[1], count * offsets.shape[2] * offsets.shape[3])


deformed_columns = operator("deformed_columns", _columns, _columns_shape)


class DeformedProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, offsets: Tensor, mask: Tensor, bias: Tensor, *rest: Any
    ) -> Tensor:
        sizes, groups = rest
        ctx.save_for_backward(images, weight, offsets, mask, bias)
        ctx.sizes, ctx.groups = sizes, groups
        count, (rows, columns) = images.shape[0], offsets.shape[2:]
        features, at_once = weight.shape[0], most_at_once(count)
        out = images.new_zeros(count // at_once, at_once, features, rows, columns)
        buffer = images.new_zeros(count // at_once, groups, features // groups, at_once * rows * columns)
        weights = weight.view(groups, features // groups, -1)
        for block in range(count // at_once):
            chosen = slice(block * at_once, (block + 1) * at_once)
            made = deformed_columns(images[chosen], offsets[chosen], mask[chosen], *sizes)
            apart = made.view(groups, -1, made.shape[1])
            for group in range(groups):
                torch.mm(weights[group], apart[group], out=buffer[block, group])
            if block < count // at_once - 1:
                del made, apart
        out.copy_(buffer.view(count // at_once, features, at_once, rows, columns).transpose(1, 2))
        return out.view(count, features, rows, columns) + bias.view(1, features, 1, 1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        (gradient,) = grad_outputs
        images, weight, offsets, mask, bias = ctx.saved_tensors
        sizes, groups, wanted = ctx.sizes, ctx.groups, ctx.needs_input_grad
        count, (rows, columns) = images.shape[0], offsets.shape[2:]
        features, at_once = weight.shape[0], most_at_once(count)
        of_images, of_offsets, of_mask = (torch.zeros_like(each) for each in (images, offsets, mask))
        blocks = gradient.reshape(count // at_once, at_once, groups, features // groups, rows * columns)
        weights = weight.view(groups, features // groups, -1)
        if wanted[0] or wanted[2] or wanted[3]:
            made = images.new_empty(groups, weights.shape[2], at_once * rows * columns)
            for block in range(count // at_once):
                for group in range(groups):
                    part = blocks[block, :, group].transpose(0, 1).reshape(features // groups, -1)
                    torch.mm(weights[group].t(), part, out=made[group])
                    del part
            del made
        of_weight = torch.zeros_like(weight)
        turned = blocks.permute(0, 2, 3, 1, 4).clone(memory_format=torch.contiguous_format)
        for block in range(count // at_once):
            chosen = slice(block * at_once, (block + 1) * at_once)
            made = deformed_columns(images[chosen], offsets[chosen], mask[chosen], *sizes)
            apart = made.view(groups, -1, made.shape[1])
            for group in range(groups if wanted[1] else 0):
                part = of_weight.view(groups, features // groups, -1)[group]
                torch.mm(turned[block, group].flatten(1), apart[group].t(), out=part)
            del made, apart
        del turned
        of_bias = torch.ones_like(bias) * gradient.sum((0, 2, 3))
        given = (of_images, of_weight, of_offsets, of_mask, of_bias)
        return (*[each if asked else None for each, asked in zip(given, wanted, strict=False)], None, None)


def most_at_once(count: int) -> int:
    return max(n for n in range(1, MOST_AT_ONCE + 1) if count % n == 0)


class DeformConv2d(nn.Module):
    """Torchvision's module of that name: weight and bias, and what it is called with."""

    def __init__(self, in_channels: int, out_channels: int, sizes: Sizes, groups: int, bias: bool) -> None:
        super().__init__()
        self.sizes, self.groups = sizes, groups
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *sizes.kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.kaiming_uniform_(self.weight)

    def forward(self, images: Tensor, offsets: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = images.new_zeros(images.shape[0], 1) if mask is None else mask
        bias = images.new_zeros(self.weight.shape[0]) if self.bias is None else self.bias
        product: Any = DeformedProduct
        return product.apply(images, self.weight, offsets, mask, bias, self.sizes, self.groups)
