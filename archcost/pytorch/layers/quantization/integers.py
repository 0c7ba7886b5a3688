"""Quantised layers in torch, which has no such operations on every device: operators of archcost's own.

Each is one operator to autograd and to whoever counts, as a kernel is, and works in float64, where products of 16 bits
are exact. What a product counts is what torch itself counts for the product of floats of these shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode, register_flop_formula  # pyright: ignore[reportUnknownVariableType]

from archcost.layers.quantization.convolution import (
    IntegerConv1d,
    IntegerConv2d,
    IntegerConv3d,
    IntegerConvolution,
)
from archcost.layers.quantization.linear import QuantizedLinear
from archcost.layers.quantization.products import IntegerLinear, IntegerMatMul
from archcost.layers.quantization.scaling import Dequantize, DynamicQuantize, Quantize
from archcost.pytorch.layers.base import Inputs, OfDtype, dtype_of, mirrors
from archcost.tensors import PACKED_BITS

LIBRARY = torch.library.Library("archcost", "FRAGMENT")

CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def operator(schema: str, made: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers an operator. `made` says of the same arguments which empty tensors come out."""
    name = schema.partition("(")[0]

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        library: Any = LIBRARY
        library.define(schema)
        library.impl(name, function, "CompositeExplicitAutograd")
        library.impl(name, made, "Meta")
        return getattr(torch.ops.archcost, name)

    return register


def counts_as(product: Callable[..., Tensor]) -> Callable[..., int]:
    """What torch counts for the same product of floats, by their shapes."""

    def formula(left: Sequence[int], right: Sequence[int], *arguments: Any, **named: Any) -> int:
        with FlopCounterMode(display=False) as counter:
            product(torch.empty(left, device="meta"), torch.empty(right, device="meta"), *arguments)
        return counter.get_total_flops()

    return formula


def stretched(tensor: Tensor, source: Tensor, axis: int, block_size: int) -> Tensor:
    """Scales or zero points over all values: one, one for each position of the axis, or one a block."""
    wide = tensor.to(torch.float64)
    if block_size:
        return wide.repeat_interleave(block_size, axis).narrow(axis, 0, source.shape[axis])
    if tensor.numel() == 1:
        return wide.reshape(())
    return wide.reshape([-1 if place == axis % source.dim() else 1 for place in range(source.dim())])


def limited(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Rounded, within the range of the dtype."""
    if dtype.is_floating_point:
        most = torch.finfo(dtype).max
        return values.clamp(-most, most).to(torch.float32).to(dtype)
    known = torch.iinfo(dtype)
    return values.round().clamp(known.min, known.max).to(torch.int64).to(dtype)


def scaling(x: Tensor, scale: Tensor | None, zero: Tensor | None, axis: int, block: int) -> tuple[Tensor, Tensor]:
    one, none = x.new_ones((), dtype=torch.float64), x.new_zeros((), dtype=torch.float64)
    factor = one if scale is None else stretched(scale, x, axis, block)
    return factor, none if zero is None else stretched(zero, x, axis, block)


def empty_codes(x: Tensor, scale: Tensor | None, zero: Tensor | None, axis: int, block: int, dtype: Any) -> Tensor:
    return torch.empty_like(x, dtype=dtype)


SCALES = "Tensor x, Tensor? scale, Tensor? zero, int axis, int block, ScalarType dtype"


@operator(f"quantize({SCALES}) -> Tensor", empty_codes)
def quantize(x: Tensor, scale: Tensor | None, zero: Tensor | None, axis: int, block: int, dtype: Any) -> Tensor:
    factor, offset = scaling(x, scale, zero, axis, block)
    made = torch.empty_like(x, dtype=dtype)
    return made.copy_(limited((x.to(torch.float64) / factor).round() + offset, dtype))


@operator(f"dequantize({SCALES}) -> Tensor", empty_codes)
def dequantize(x: Tensor, scale: Tensor | None, zero: Tensor | None, axis: int, block: int, dtype: Any) -> Tensor:
    factor, offset = scaling(x, scale, zero, axis, block)
    return torch.empty_like(x, dtype=dtype).copy_((x.to(torch.float64) - offset) * factor)


def empty_dynamic(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(x, dtype=torch.uint8), x.new_empty(()), x.new_empty((), dtype=torch.uint8)


@operator("dynamic_quantize(Tensor x) -> (Tensor, Tensor, Tensor)", empty_dynamic)
def dynamic_quantize(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    least, most = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = (most - least) / 255
    zero = (-least / scale).round().clamp(0, 255)
    codes = ((x / scale).round() + zero).clamp(0, 255)
    return torch.empty_like(x, dtype=torch.uint8).copy_(codes), scale, zero.to(torch.uint8)


def summed(values: Tensor, scale: Tensor | None, dtype: Any, channels: tuple[int, ...] = (-1,)) -> Tensor:
    """Sums in the dtype that is wanted: as they are, or scaled."""
    if scale is not None:
        values = values * scale.to(torch.float64).reshape(channels)
    return limited(values, dtype)


def shifted(weight: Tensor, zero: Tensor | None) -> Tensor:
    """A weight without its zero points, one for each of its rows."""
    wide = weight.to(torch.float64)
    return wide if zero is None else wide - zero.to(torch.float64).reshape(-1, *[1] * (weight.dim() - 1))


def convolved(x: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Tensor:
    return CONVOLUTIONS[x.dim() - 2](x, weight, None, stride, padding, dilation, groups)


def empty_convolved(x: Tensor, weight: Tensor, *arguments: Any) -> Tensor:
    *settings, dtype = arguments[3:]
    like = torch.empty(x.shape, device="meta"), torch.empty(weight.shape, device="meta")
    return x.new_empty(convolved(*like, *settings).shape, dtype=dtype)


@operator(
    "integer_conv(Tensor x, Tensor weight, Tensor? bias, Tensor? scale, Tensor? zero, int[] stride, int[] padding, "
    "int[] dilation, int groups, ScalarType dtype) -> Tensor",
    empty_convolved,
)
def integer_conv(x: Tensor, weight: Tensor, *arguments: Any) -> Tensor:
    bias, scale, zero, *settings, dtype = arguments
    sums = convolved(x.to(torch.float64), shifted(weight, zero), *settings)
    channels = (-1, *[1] * (x.dim() - 2))
    return summed(sums if bias is None else sums + bias.reshape(channels), scale, dtype, channels)


def empty_linear(x: Tensor, weight: Tensor, *arguments: Any) -> Tensor:
    return x.new_empty((*x.shape[:-1], len(weight)), dtype=arguments[-1])


@operator(
    "integer_linear(Tensor x, Tensor weight, Tensor? bias, Tensor? scale, Tensor? zero, ScalarType dtype) -> Tensor",
    empty_linear,
)
def integer_linear(x: Tensor, weight: Tensor, *arguments: Any) -> Tensor:
    bias, scale, zero, dtype = arguments
    sums = functional.linear(x.to(torch.float64), shifted(weight, zero))
    return summed(sums if bias is None else sums + bias, scale, dtype)


def empty_product(x: Tensor, y: Tensor, dtype: Any, rescaled: bool) -> Tensor:
    shape = (torch.empty(x.shape, device="meta") @ torch.empty(y.shape, device="meta")).shape
    return x.new_empty(shape, dtype=dtype)


@operator("integer_matmul(Tensor x, Tensor y, ScalarType dtype, bool rescaled) -> Tensor", empty_product)
def integer_matmul(x: Tensor, y: Tensor, dtype: Any, rescaled: bool) -> Tensor:
    sums = x.to(torch.float64) @ y.to(torch.float64)
    return limited(sums, dtype) if rescaled else sums.to(torch.int64).to(dtype)


def empty_floats(x: Tensor, weight: Tensor, *arguments: Any) -> Tensor:
    return x.new_empty((*x.shape[:-1], len(weight)))


@operator(
    "quantized_linear(Tensor x, Tensor weight, Tensor? bias, Tensor scale, Tensor? zero, int block) -> Tensor",
    empty_floats,
)
def quantized_linear(x: Tensor, weight: Tensor, *arguments: Any) -> Tensor:
    """What has several values in a byte is kept one in each here."""
    bias, scale, zero, block = arguments
    codes = [None if each is None else _bytes(each).to(torch.float64) for each in (weight, zero)]
    wide, offset = codes[0], codes[1]
    assert wide is not None
    if offset is not None:
        wide = wide - stretched(offset, wide, 1, block)
    made = functional.linear(x.to(torch.float64), wide * stretched(scale, wide, 1, block))
    return (made if bias is None else made + bias).to(x.dtype)


def _bytes(codes: Tensor) -> Tensor:
    """Of dtypes that torch has no conversion of, the bytes that they are kept in."""
    return codes.view(torch.uint8) if codes.dtype in NARROW else codes


NARROW = tuple(dtype_of(name) for name in PACKED_BITS if hasattr(torch, name))


def _convolution(x: Tensor, weight: Tensor, *arguments: Any) -> Tensor:
    return convolved(x, weight, *arguments[3:-1])


def _linear(x: Tensor, weight: Tensor, *arguments: Any) -> Tensor:
    return functional.linear(x, weight)


def _product(x: Tensor, y: Tensor, *arguments: Any) -> Tensor:
    return x @ y


for _name, _counted in (
    ("integer_conv", _convolution),
    ("integer_linear", _linear),
    ("integer_matmul", _product),
    ("quantized_linear", _linear),
):
    register_flop_formula(getattr(torch.ops.archcost, _name))(counts_as(_counted))


class Scaled(OfDtype):
    """`quantize` or `dequantize`, of what nothing flows back through."""

    def __init__(self, operation: Any, dtype: str, axis: int, block_size: int) -> None:
        super().__init__(dtype)
        self.operation, self.axis, self.block_size = operation, axis, block_size

    def forward(self, x: Tensor, scale: Tensor | None = None, zero: Tensor | None = None) -> Tensor:
        tensors = [None if each is None else each.detach() for each in (x, scale, zero)]
        return self.operation(*tensors, self.axis, self.block_size, self.dtype)

    def extra_repr(self) -> str:
        return f"dtype={self.dtype}, axis={self.axis}, block_size={self.block_size}"


@mirrors(Quantize)
def quantize_module(layer: Quantize, inputs: Inputs) -> nn.Module:
    return Scaled(quantize, layer.dtype, layer.axis, layer.block_size)


@mirrors(Dequantize)
def dequantize_module(layer: Dequantize, inputs: Inputs) -> nn.Module:
    return Scaled(dequantize, layer.dtype, layer.axis, layer.block_size)


class DynamicallyQuantized(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return dynamic_quantize(x.detach())


@mirrors(DynamicQuantize)
def dynamic_module(layer: DynamicQuantize, inputs: Inputs) -> nn.Module:
    return DynamicallyQuantized()


class QuantizedWeight(nn.Module):
    """A product with a weight of integers, its bias, and the scales and zero points of its channels."""

    def __init__(self, operation: Any, layer: Any, shape: Sequence[int], settings: Sequence[Any]) -> None:
        super().__init__()
        self.operation, self.settings, self.dtype = operation, settings, dtype_of(layer.dtype)
        kept = dtype_of(layer.weight_dtype)
        self.weight = fixed(shape, kept)
        self.bias = fixed(shape[:1], torch.int32) if layer.bias else None
        self.scale = fixed(shape[:1], torch.float32) if layer.scale else None
        self.zero_point = fixed(shape[:1], kept) if layer.zero_point else None

    def forward(self, x: Tensor) -> Tensor:
        own = (self.weight, self.bias, self.scale, self.zero_point)
        fixed = [None if each is None else each.detach() for each in own]
        return self.operation(x, *fixed, *self.settings, self.dtype)


def fixed(shape: Sequence[int], dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.ones(tuple(shape)).to(dtype), requires_grad=False)


@mirrors(IntegerConv1d, IntegerConv2d, IntegerConv3d)
def integer_conv_module(layer: IntegerConvolution, inputs: Inputs) -> nn.Module:
    source = inputs[0]
    shape = (layer.out_channels, source.shape[1] // layer.groups, *layer.kernels())
    padding = [before for before, _ in layer.paddings()]
    settings = (list(layer.strides()), padding, list(layer.dilations()), layer.groups)
    return QuantizedWeight(integer_conv, layer, shape, settings)


@mirrors(IntegerLinear)
def integer_linear_module(layer: IntegerLinear, inputs: Inputs) -> nn.Module:
    return QuantizedWeight(integer_linear, layer, (layer.out_features, inputs[0].shape[-1]), ())


class QuantizedProduct(nn.Module):
    """A product of floats with a weight of few bits, and the scales and zero points of its blocks."""

    def __init__(self, layer: QuantizedLinear, source: Tensor) -> None:
        super().__init__()
        features, kept = source.shape[-1], dtype_of(layer.weight_dtype)
        self.block = layer.block_size or features
        blocks, out = -(-features // self.block), layer.out_features
        several = 8 // PACKED_BITS.get(layer.weight_dtype, 8)
        zeros = (out, -(-blocks // several) * several)
        self.weight = nn.Parameter(torch.zeros((out, features), dtype=kept), requires_grad=False)
        if features % self.block:
            padding = torch.zeros((out, blocks * self.block - features), dtype=kept)
            self.register_buffer("padding", padding)
        self.bias = fixed((out,), torch.float32) if layer.bias else None
        self.scale = fixed((out, blocks), torch.float32)
        self.zero_point = (
            nn.Parameter(torch.zeros(zeros, dtype=kept), requires_grad=False) if layer.zero_point else None
        )

    def forward(self, x: Tensor) -> Tensor:
        own = (self.bias, self.scale, self.zero_point)
        kept = [None if each is None else each.detach() for each in own]
        return quantized_linear(x.detach(), self.weight.detach(), *kept, self.block)


@mirrors(QuantizedLinear)
def quantized_linear_module(layer: QuantizedLinear, inputs: Inputs) -> nn.Module:
    return QuantizedProduct(layer, inputs[0])


class IntegerProduct(nn.Module):
    def __init__(self, dtype: torch.dtype, rescaled: bool) -> None:
        super().__init__()
        self.dtype, self.rescaled = dtype, rescaled

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return integer_matmul(x, y, self.dtype, self.rescaled)


@mirrors(IntegerMatMul)
def integer_matmul_module(layer: IntegerMatMul, inputs: Inputs) -> nn.Module:
    return IntegerProduct(dtype_of(layer.dtype), layer.rescaled)
