"""Weights of few bits, several in a byte, that onnxruntime scales back as it multiplies them or picks rows of them."""

from __future__ import annotations

from archcost.errors import ArchcostError, ShapeError, shorten
from archcost.importers.onnx.indexing import picked
from archcost.importers.onnx.linear import kept
from archcost.importers.onnx.quantization.standard import floating, refused
from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.tensors import PACKED_BITS, TensorType, format_shape

CODES = {2: "uint2", 4: "uint4", 8: "uint8"}
"""What `bits` bits hold."""

TABLES = ("uint8", "int8", *PACKED_BITS)


def _unpacked(call: Call, index: int, shape: tuple[int, ...], dtype: str) -> Value:
    """What a tensor of bytes stands for. Raises ArchcostError where it has not as many bytes."""
    value = kept(call[index])
    if value.ref is not None or value.held is None:
        raise UnsupportedError("packed values that are computed")
    stands_for = TensorType(shape, dtype)
    if stands_for.nbytes > value.tensor.nbytes:
        expected = f"{stands_for.nbytes:,} bytes or more, for {format_shape(shape)} values of {dtype}"
        raise refused(call, ShapeError("packed values do not fit", expected=expected, found=str(value.tensor)))
    call.net.held[value.held] = stands_for
    return Value(stands_for, held=value.held, is_weight=True)


def _scales(call: Call, index: int, numel: int) -> Value:
    value = kept(call[index])
    if value.tensor.numel != numel:
        error = ShapeError("scales do not fit", expected=f"{numel:,}: one for each block", found=str(value.tensor))
        raise refused(call, error)
    return value


def _positive(call: Call, *names: str) -> list[int]:
    numbers = [call.integer(name) for name in names]
    if min(numbers) < 1:
        told = ", ".join(f"{name} {shorten(number)}" for name, number in zip(names, numbers, strict=True))
        raise ArchcostError("sizes below 1", expected=" and ".join(names), found=told).at(layer=shorten(str(call.node)))
    return numbers


def matmul_bits(call: Call) -> Value:
    """A weight of 2, 4 or 8 bits, with a scale and a zero point for each block of a row."""
    features, out, block = _positive(call, "K", "N", "block_size")
    dtype = CODES.get(call.integer("bits", 4))
    if dtype is None or call.get(4) is not None:
        raise UnsupportedError("values of other than 2, 4 or 8 bits, or in another order")
    if call[0].shape[-1] != features:
        raise refused(call, ShapeError("K is another size", expected=f"(…, {features})", found=str(call[0].tensor)))
    blocks = -(-features // block)
    weights = {
        "weight": _unpacked(call, 1, (out, features), dtype),
        "scale": _scales(call, 2, out * blocks),
    }
    zeros = call.get(3)
    if zeros is not None and zeros.tensor.is_floating:
        raise UnsupportedError("zero points of floats")
    if zeros is not None:
        each = 8 // PACKED_BITS.get(dtype, 8)
        weights["zero_point"] = _unpacked(call, 3, (out, -(-blocks // each) * each), dtype)
    if (bias := call.get(5)) is not None:
        weights["bias"] = bias
    return _linear(call, weights, out, block, dtype)


def matmul_bnb4(call: Call) -> Value:
    """A weight of 4 bits each of which names one of 16 numbers, with a scale for each block of all values."""
    features, out, block = _positive(call, "K", "N", "block_size")
    if features % block:
        raise UnsupportedError("blocks that go over the end of a row")
    weights = {
        "weight": _unpacked(call, 1, (out, features), "uint4"),
        "scale": _scales(call, 2, out * (features // block)),
    }
    return _linear(call, weights, out, block, "uint4")


def _linear(call: Call, weights: dict[str, Value], out: int, block: int, dtype: str) -> Value:
    (result,) = call.weighted(
        "quantized_linear",
        call[0],
        weights,
        out_features=out,
        block_size=block,
        weight_dtype=dtype,
        zero_point="zero_point" in weights,
        bias="bias" in weights,
    )
    return result


def gather_block_quantized(call: Call) -> Value:
    """Rows of a table of few bits, each with the scales of its blocks, scaled back."""
    data, indices, scales = kept(call[0]), call[1], kept(call[2])
    axis, last = call.integer("gather_axis", 0), call.integer("quantize_axis", 1)
    bits, block = call.integer("bits", 4), call.integer("block_size", 128)
    if data.rank != 2 or axis or last not in (1, -1) or data.tensor.dtype not in TABLES or bits not in CODES:
        raise UnsupportedError("other than rows of a matrix, with blocks along them")
    rows, width = data.shape
    if data.tensor.dtype == "uint8":
        shape = (rows, width * 8 // bits)
        data = _unpacked(call, 0, shape, CODES[bits])
    wide = data.shape[1]
    _scales(call, 2, rows * -(-wide // block))
    positions = call.cast(indices, "int64")
    found = [picked(call, each, positions, 0) for each in (data, scales)]
    zeros = call.get(3)
    if zeros is not None:
        each = data.tensor.dtype
        beside = _unpacked(call, 3, scales.shape, each) if zeros.tensor.dtype == "uint8" != each else kept(zeros)
        found.append(picked(call, beside, positions, 0))
    source, *others = found
    dtype = floating(scales.tensor.dtype)
    return call.layer("dequantize", source, *others, dtype=dtype, axis=-1, block_size=block)


RULES: dict[str, Rule] = {
    "com.microsoft::MatMulNBits": matmul_bits,
    "com.microsoft::MatMulBnb4": matmul_bnb4,
    "com.microsoft::GatherBlockQuantized": gather_block_quantized,
}
