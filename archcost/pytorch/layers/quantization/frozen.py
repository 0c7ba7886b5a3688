"""Linear layers with a frozen weight of few bits in torch, as the libraries that have them build them.

What is a kernel there is an operator here; what is composed of torch's operators there is so here, in the same order,
with the same names alive, since that decides what lives when. Values are decoded, so that forward is a product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula  # pyright: ignore[reportUnknownVariableType]

from archcost.layers.quantization.frozen import FrozenLinear, HqqLinear, Linear4bit, Linear8bit, WeightOnlyLinear
from archcost.pytorch.layers.base import Inputs, Packed, dtype_of, mirrors
from archcost.pytorch.layers.quantization.integers import operator


def empty_matrix(codes: Tensor, *arguments: Any) -> Tensor:
    *_, shape, dtype = arguments
    return codes.new_empty(shape, dtype=dtype)


def written(made: Tensor, values: Any) -> Tensor:
    """With these values, worked out by numpy: a kernel makes no tensors on its way."""
    for start in range(0, made.numel(), FEW):
        part = torch.as_tensor(np.ascontiguousarray(values.reshape(-1)[start : start + FEW]))
        made.view(-1)[start : start + FEW].copy_(part)
    return made


FEW = 2**20
"""So many values are cast at once."""

BLOCKS = "Tensor codes, Tensor absmax, Tensor code, int block, int[] shape, ScalarType dtype"


@operator(f"dequantize_4bit({BLOCKS}) -> Tensor", empty_matrix)
def dequantize_4bit(
    codes: Tensor, absmax: Tensor, code: Tensor, block: int, shape: Sequence[int], dtype: Any
) -> Tensor:
    made = torch.empty(shape, dtype=dtype, device=codes.device)
    count, held = made.numel(), codes.numpy(force=True).reshape(-1)
    pairs = np.stack([held >> 4, held & 15], axis=-1).reshape(-1)[:count]
    scales = np.repeat(absmax.numpy(force=True), block)[:count]
    return written(made, code.numpy(force=True)[pairs] * scales)


@operator(f"dequantize_blockwise({BLOCKS}) -> Tensor", empty_matrix)
def dequantize_blockwise(
    codes: Tensor, absmax: Tensor, code: Tensor, block: int, shape: Sequence[int], dtype: Any
) -> Tensor:
    scales = np.repeat(absmax.numpy(force=True), block)[: codes.numel()]
    values = code.numpy(force=True)[codes.numpy(force=True)] * scales
    return written(torch.empty(shape, dtype=dtype, device=codes.device), values)


class Kept(nn.Module):
    """A weight of so many values in bytes, a bias, and scales; `module.to(dtype)` leaves `fixed` in their dtypes."""

    def __init__(self, layer: FrozenLinear, source: Tensor, codes: Sequence[int]) -> None:
        super().__init__()
        features = source.shape[-1]
        self.shape = (layer.out_features, features)
        self.weight = Packed(torch.zeros(codes, dtype=torch.uint8), layer.out_features * features)
        bias = torch.zeros(layer.out_features) if layer.bias else None
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        self.fixed: dict[str, torch.dtype] = {}
        for each in layer.scales(features):
            self.register_buffer(each.name, torch.ones(each.shape, dtype=dtype_of(each.dtype or "float32")))
            if each.dtype:
                self.fixed[each.name] = dtype_of(each.dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        made = super()._apply(fn, recurse)  # pyright: ignore[reportUnknownMemberType]
        for name, dtype in self.fixed.items():
            setattr(self, name, cast("Tensor", getattr(self, name)).to(dtype))
        return made

    @property
    def added(self) -> Tensor | None:
        return None if self.bias is None else self.bias.detach()


def lowered(x: Tensor) -> torch.dtype:
    """The dtype in which autocast computes, or that of the tensor."""
    kind = x.device.type
    is_on = kind != "meta" and torch.is_autocast_enabled(kind)
    return torch.get_autocast_dtype(kind) if is_on else x.dtype


def applied(function: type[torch.autograd.Function], *given: Any) -> Tensor:
    return cast("Tensor", function.apply(*given))  # pyright: ignore[reportUnknownMemberType]


class Product4bit(torch.autograd.Function):
    """bitsandbytes' MatMul4Bit."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, module: Module4bit) -> Tensor:
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(weight, *module.buffers(), *((x,) if module.keeps_input else ()))
            ctx.module, ctx.x = module, x if module.keeps_input else None
        absmax = module.scales()
        matrix = dequantize_4bit(weight, absmax, module.code, module.block, module.shape, x.dtype)
        return functional.linear(x, matrix, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        module: Module4bit = ctx.module
        gradient = torch.matmul(gradients[0], module.dequantized(ctx.saved_tensors[0], gradients[0].dtype))
        return gradient, None, None, None


class Module4bit(Kept):
    code: Tensor
    absmax: Tensor

    def __init__(self, layer: Linear4bit, source: Tensor) -> None:
        super().__init__(layer, source, ((layer.out_features * source.shape[-1] + 1) // 2, 1))
        self.block = layer.block_size
        self.nested = layer.double_quant
        self.keeps_input = layer.keep_input
        self.compute = dtype_of(layer.compute_dtype) if layer.compute_dtype else None

    def scales(self) -> Tensor:
        """Of floats, without those around which they lie only as long as it takes to add the mean."""
        if not self.nested:
            return self.absmax
        nested: Any = self
        shape = self.absmax.shape
        return (
            dequantize_blockwise(self.absmax, nested.nested_absmax, nested.nested_code, 256, shape, torch.float32)
            + nested.offset
        )

    def dequantized(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        return dequantize_4bit(weight, self.scales(), self.code, self.block, self.shape, dtype)

    def forward(self, x: Tensor) -> Tensor:
        arrived = x.dtype
        compute = self.compute or lowered(x)
        x = x.to(compute)
        bias = self.added
        if bias is not None and bias.dtype != compute:
            assert self.bias is not None
            self.bias.data = bias = bias.to(compute)
        return applied(Product4bit, x, self.weight, bias, self).to(arrived)


@mirrors(Linear4bit)
def linear_4bit(layer: Linear4bit, inputs: Inputs) -> nn.Module:
    return Module4bit(layer, inputs[0])


def empty_codes(x: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x, dtype=torch.int8), x.new_empty(x.shape[:1], dtype=torch.float32)


@operator("int8_rows(Tensor x, float threshold) -> (Tensor, Tensor)", empty_codes)
def int8_rows(x: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Bytes and the largest value of each row (cint8_vector_quant)."""
    codes, scales = empty_codes(x, threshold)
    values = x.numpy(force=True).astype(np.float32)
    largest = np.abs(values).max(axis=1).clip(min=1e-8)
    return written(codes, np.round(values * 127 / largest[:, None])), written(scales, largest)


def empty_sums(x: Tensor, weight: Tensor) -> Tensor:
    return x.new_empty((*x.shape[:-1], len(weight)), dtype=torch.int32)


@operator("int8_product(Tensor x, Tensor weight) -> Tensor", empty_sums)
def int8_product(x: Tensor, weight: Tensor) -> Tensor:
    """Sums of products of bytes (cigemmlt_32)."""
    left, right = (each.numpy(force=True).astype(np.float32) for each in (x, weight))
    return written(empty_sums(x, weight), left @ right.T)


@register_flop_formula(torch.ops.archcost.int8_product)  # pyright: ignore[reportUntypedFunctionDecorator]
def product_flops(left: Sequence[int], right: Sequence[int], *arguments: Any, **named: Any) -> int:
    return 2 * prod(left) * right[0]


def empty_half(sums: Tensor, rows: Tensor, columns: Tensor, bias: Tensor | None) -> Tensor:
    return torch.empty_like(sums, dtype=torch.float16)


@operator("int8_sums(Tensor sums, Tensor rows, Tensor columns, Tensor? bias) -> Tensor", empty_half)
def int8_sums(sums: Tensor, rows: Tensor, columns: Tensor, bias: Tensor | None) -> Tensor:
    """Sums scaled by row and column, and a bias added (cdequant_mm_int32_fp16)."""
    scaled = sums.numpy(force=True) * rows.numpy(force=True)[:, None] * columns.numpy(force=True) / 127**2
    if bias is not None:
        scaled += bias.float().numpy(force=True)
    return written(empty_half(sums, rows, columns, bias), scaled)


class Product8bit(torch.autograd.Function):
    """bitsandbytes' MatMul8bitLt on a GPU, whose weight is frozen, where no column is multiplied apart."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor | None, module: Module8bit) -> Tensor:
        shape, came = x.shape, x
        if len(shape) > 2:
            x = x.reshape(-1, x.shape[-1])
        codes, rows = module.quantized(x.to(torch.float16))
        result = module.scaled(int8_product(codes, module.codes), rows, bias, x.dtype)
        ctx.module, ctx.shape = module, shape
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(x)
            if x.untyped_storage().data_ptr() == came.untyped_storage().data_ptr():
                ctx.x = x  # as the library does: it goes with the node, not with its backward
        return result.reshape(*shape[:-1], module.shape[0]) if len(shape) > 2 else result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        module: Module8bit = ctx.module
        gradient = gradients[0]
        if len(gradient.shape) > 2:
            gradient = gradient.reshape(-1, gradient.shape[-1]).contiguous()
        matrix = module.codes.to(gradient.dtype, copy=True).mul_(module.scale.unsqueeze(1).mul(1 / 127))
        return torch.matmul(gradient, matrix).view(ctx.shape), None, None


class Module8bit(Kept):
    scale: Tensor

    def __init__(self, layer: Linear8bit, source: Tensor) -> None:
        super().__init__(layer, source, (layer.out_features, source.shape[-1]))
        self.threshold = layer.threshold

    @property
    def codes(self) -> Tensor:
        return self.weight.detach().view(torch.int8)

    def quantized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        codes, rows = int8_rows(x.reshape(-1, x.shape[-1]), self.threshold)
        if self.threshold:
            large = x.abs() >= self.threshold
            del large
        return codes, rows

    def scaled(self, sums: Tensor, rows: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
        return int8_sums(sums, rows, self.scale, bias).to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        return applied(Product8bit, x, self.added, self)


@mirrors(Linear8bit)
def linear_8bit(layer: Linear8bit, inputs: Inputs) -> nn.Module:
    return Module8bit(layer, inputs[0])


class ProductHqq(torch.autograd.Function):
    """HQQ's HQQMatmulNoCacheMul."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor | None, module: ModuleHqq) -> Tensor:
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(x)
            ctx.module = module
        result = torch.matmul(x.to(module.scale.dtype), module.dequantized().t())
        if bias is not None:
            result += bias
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        module: ModuleHqq = ctx.module
        return torch.matmul(gradients[0], module.dequantized()), None, None


class ModuleHqq(Kept):
    scale: Tensor
    zero: Tensor

    def __init__(self, layer: HqqLinear, source: Tensor) -> None:
        groups = layer.out_features * source.shape[-1] // layer.group_size
        super().__init__(layer, source, (groups // 2, layer.group_size))
        self.compute = dtype_of(layer.compute_dtype) if layer.compute_dtype else None

    def dequantized(self) -> Tensor:
        """Quantizer.dequantize, and unpack_4bit_u8 of its BitPack."""
        codes = self.weight.detach()
        half = len(codes)
        unpacked = torch.empty((2 * half, codes.shape[1]), dtype=self.scale.dtype, device=codes.device)
        unpacked[:half] = (codes & 0b11110000) >> 4
        unpacked[half:] = codes & 0b00001111
        return ((unpacked - self.zero) * self.scale).reshape(self.shape)

    def forward(self, x: Tensor) -> Tensor:
        compute = self.compute or lowered(x)
        for each in (self.scale, self.zero, *(() if self.bias is None else (self.bias,))):
            each.data = each.to(compute)
        return applied(ProductHqq, x, self.added, self)


@mirrors(HqqLinear)
def hqq_linear(layer: HqqLinear, inputs: Inputs) -> nn.Module:
    return ModuleHqq(layer, inputs[0])


class ModuleWeightOnly(Kept):
    scale: Tensor

    def __init__(self, layer: WeightOnlyLinear, source: Tensor) -> None:
        super().__init__(layer, source, (layer.out_features, source.shape[-1]))

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """_dequantize_affine_float8"""
        wide = self.weight.detach().view(torch.float8_e4m3fn).to(torch.float32)
        scaled = wide * self.scale
        return scaled.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        result = torch.matmul(x, self.dequantized(x.dtype).t())
        bias = self.added
        return result if bias is None else result + bias


@mirrors(WeightOnlyLinear)
def weight_only_linear(layer: WeightOnlyLinear, inputs: Inputs) -> nn.Module:
    return ModuleWeightOnly(layer, inputs[0])
