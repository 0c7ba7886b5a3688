"""Quantised layers in ONNX. Scales that are single numbers are 1 here, as no file of ours has values."""

from __future__ import annotations

from archcost.exporters.emit import DTYPES, Part, draws
from archcost.layers.quantization.convolution import IntegerConv1d, IntegerConv2d, IntegerConv3d
from archcost.layers.quantization.frozen import HqqLinear, Linear4bit, Linear8bit, WeightOnlyLinear
from archcost.layers.quantization.linear import QuantizedLinear
from archcost.layers.quantization.products import IntegerLinear, IntegerMatMul
from archcost.layers.quantization.scaling import Dequantize, DynamicQuantize, Quantize

BYTES = ("int8", "uint8")
"""Of which ONNX's operators multiply values."""


def _scales(part: Part, dtype: str) -> tuple[str, ...]:
    return tuple(part.inputs[1:]) or (part.number(1, dtype),)


def _places(part: Part) -> dict[str, int]:
    return {"axis": part.layer.axis, "block_size": part.layer.block_size} if part.inputs[1:] else {}


@draws(Quantize)
def quantize(part: Part) -> str:
    dtype = DTYPES[part.result.dtype]
    source, *others = part.inputs
    typed = {} if len(others) > 1 else {"output_dtype": dtype}
    return part.draw("QuantizeLinear", source, *_scales(part, part.source.dtype), **typed, **_places(part))


@draws(Dequantize)
def dequantize(part: Part) -> str:
    scales = _scales(part, part.result.dtype)
    typed = {"output_dtype": DTYPES[part.result.dtype]}
    return part.draw("DequantizeLinear", part.inputs[0], *scales, **typed, **_places(part))


@draws(DynamicQuantize)
def dynamic_quantize(part: Part) -> tuple[str, ...]:
    return part.draw_many("DynamicQuantizeLinear", 3, part.inputs[0])


def _one_scale(part: Part) -> tuple[str, str]:
    """Of a tensor as a whole, and its zero point."""
    return part.number(1, "float32"), part.number(0, part.source.dtype)


def _scales_of_weight(part: Part) -> tuple[str, str]:
    scale = part.weight("scale") if part.has("scale") else part.number(1, "float32")
    zero = part.weight("zero_point") if part.has("zero_point") else part.number(0, part.layer.weight_dtype)
    return scale, zero


def _of_bytes(part: Part) -> bool:
    return part.source.dtype in BYTES and part.layer.weight_dtype in BYTES


@draws(IntegerConv1d, IntegerConv2d, IntegerConv3d)
def integer_conv(part: Part) -> str:
    layer = part.layer
    before, after = zip(*layer.paddings(), strict=True)
    settings = {
        "kernel_shape": layer.kernels(),
        "strides": layer.strides(),
        "pads": (*before, *after),
        "dilations": layer.dilations(),
        "group": layer.groups,
    }
    if not _of_bytes(part):
        return _unknown(part, "IntegerConv")
    if layer.dtype in BYTES:
        bias = (part.weight("bias"),) if part.has("bias") else ()
        scales = (part.number(1, "float32"), part.number(0, layer.dtype))
        tensors = (part.inputs[0], *_one_scale(part), part.weight(), *_scales_of_weight(part), *scales, *bias)
        return part.draw("QLinearConv", *tensors, **settings)
    sums = part.draw("ConvInteger", part.inputs[0], part.weight(), *_zeros(part), **settings)
    if part.has("bias"):
        axes = part.integers(*range(1, layer.ndim + 1))
        sums = part.draw("Add", sums, part.draw("Unsqueeze", part.weight("bias"), axes))
    return _narrowed(part, sums, 1)


@draws(IntegerLinear)
def integer_linear(part: Part) -> str:
    """The matrix turned, as ONNX has it."""
    layer = part.layer
    if not _of_bytes(part):
        return _unknown(part, "IntegerLinear")
    matrix = part.draw("Transpose", part.weight(), perm=(1, 0))
    if layer.dtype in BYTES and not part.has("bias"):
        scales = (part.number(1, "float32"), part.number(0, layer.dtype))
        return part.draw("QLinearMatMul", part.inputs[0], *_one_scale(part), matrix, *_scales_of_weight(part), *scales)
    sums = part.draw("MatMulInteger", part.inputs[0], matrix, *_zeros(part))
    if part.has("bias"):
        sums = part.draw("Add", sums, part.weight("bias"))
    return _narrowed(part, sums, part.result.rank - 1)


@draws(QuantizedLinear)
def quantized_linear(part: Part) -> str:
    """The matrix scaled back, turned and multiplied."""
    layer = part.layer
    block = layer.block_size or part.source.shape[-1]
    shape = (layer.out_features, layer.blocks(part.node.input_types))
    zeros = (part.hold("zero_point", shape, layer.weight_dtype),) if part.has("zero_point") else ()
    matrix = part.draw("DequantizeLinear", part.weight(), part.weight("scale"), *zeros, axis=1, block_size=block)
    product = part.draw("MatMul", part.inputs[0], part.draw("Transpose", matrix, perm=(1, 0)))
    return part.draw("Add", product, part.weight("bias")) if part.has("bias") else product


@draws(Linear4bit, Linear8bit, HqqLinear, WeightOnlyLinear)
def frozen_linear(part: Part) -> str:
    """An operator of our own with all that the library keeps, as ONNX has none for it: read, it is the layer."""
    fields = part.layer.model_dump(exclude_defaults=True, exclude={"type", "name", "inputs", "trainable", "given"})
    written = {name: int(value) if isinstance(value, bool) else value for name, value in fields.items()}
    tensors = (part.inputs[0], *(part.weight(weight.name) for weight in part.node.weights))
    return part.draw_unknown(part.layer.type, 1, *tensors, **written)[0]


def _unknown(part: Part, kind: str) -> str:
    return part.draw_unknown(kind, 1, part.inputs[0], *(part.weight(weight.name) for weight in part.node.weights))[0]


def _zeros(part: Part) -> tuple[str, ...]:
    return ("", part.weight("zero_point")) if part.has("zero_point") else ()


def _narrowed(part: Part, sums: str, axis: int) -> str:
    """Sums of 32 bits in the dtype that is wanted."""
    dtype = part.result.dtype
    if dtype == "int32":
        return sums
    if dtype == "int64":
        return part.draw("Cast", sums, to=DTYPES[dtype])
    scale = part.weight("scale") if part.has("scale") else part.number(1, "float32")
    scaled = part.draw("DequantizeLinear", sums, scale, axis=axis)
    return part.draw("QuantizeLinear", scaled, part.number(1, "float32"), output_dtype=DTYPES[dtype])


@draws(IntegerMatMul)
def integer_matmul(part: Part) -> str:
    """What is no product of bytes is one of 32 or 64 bits."""
    layer, (left, right) = part.layer, part.node.input_types
    of_bytes = left.dtype in BYTES and right.dtype in BYTES
    if of_bytes and layer.rescaled and layer.dtype in BYTES:
        scales = [(part.number(1, "float32"), part.number(0, each)) for each in (left.dtype, right.dtype, layer.dtype)]
        return part.draw("QLinearMatMul", part.inputs[0], *scales[0], part.inputs[1], *scales[1], *scales[2])
    if of_bytes:
        product = part.draw("MatMulInteger", *part.inputs)
        return product if layer.dtype == "int32" else part.draw("Cast", product, to=DTYPES[layer.dtype])
    if layer.rescaled:
        return part.draw_unknown("IntegerMatMul", 1, *part.inputs)[0]
    wide = "int64" if "int64" in (left.dtype, right.dtype, layer.dtype) else "int32"
    product = part.draw("MatMul", part.cast(0, wide), part.cast(1, wide))
    return product if layer.dtype == wide else part.draw("Cast", product, to=DTYPES[layer.dtype])
