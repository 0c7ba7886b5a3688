"""ONNX's own operators: values scaled to integers and back, and products of integers."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.errors import ArchcostError, ShapeError, shorten
from archcost.importers.onnx.convolution import convolved
from archcost.importers.onnx.linear import kept, turned
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_model import dtype_of
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.layers.quantization.weights import SUMS
from archcost.layers.shape.copy import WEIGHTS
from archcost.tensors import format_shape


def refused(call: Call, error: ShapeError) -> ArchcostError:
    """Of what contradicts itself: no shape of a result makes it an operation that is merely unknown."""
    told = ArchcostError(error.problem, expected=error.expected, found=error.found)
    return told.at(layer=shorten(str(call.node)))


def scaling(call: Call, scale: Value | None, zero: Value | None) -> tuple[Value, ...]:
    """Scales and zero points as far as they are tensors: single numbers of the file are part of the operation."""
    given = [value for value in (scale, zero) if value is not None]
    if all(value.is_constant and value.tensor.numel == 1 for value in given):
        return ()
    standing = [kept(value) for value in given]
    return tuple([value if value.is_weight or value.ref else call.standing(value) for value in standing])


def _axis(call: Call, scales: Sequence[Value]) -> dict[str, int]:
    """Along which axis scales lie, where there is more than one."""
    if all(value.tensor.numel == 1 for value in scales[:2]):
        return {}
    block = call.integer("block_size", 0)
    if block < 0:
        raise ArchcostError("a block of a negative size", expected="block_size from 0", found=str(block)).at(
            layer=shorten(str(call.node))
        )
    fields = {"axis": call.integer("axis", 1)}
    return {**fields, "block_size": block} if block else fields


def quantize(call: Call) -> Value:
    scales = scaling(call, call.get(1), call.get(2))
    number, zero = call.integer("output_dtype", 0), call.get(2)
    dtype = zero.tensor.dtype if zero is not None else dtype_of(number) if number else "uint8"
    return _scaled(call, "quantize", scales, dtype)


def dequantize(call: Call) -> Value:
    scales = scaling(call, call.get(1), call.get(2))
    number = call.integer("output_dtype", 0)
    return _scaled(call, "dequantize", scales, floating(dtype_of(number) if number else call[1].tensor.dtype))


def floating(dtype: str) -> str:
    """Of a network in float32, the dtype that a run gives it."""
    return WEIGHTS if dtype == "float32" else dtype


def _scaled(call: Call, type_: str, scales: Sequence[Value], dtype: str) -> Value:
    try:
        return call.layer(type_, kept(call[0]), *scales, dtype=dtype, **_axis(call, scales))
    except ShapeError as error:
        raise refused(call, error) from None


def dequantized(call: Call, value: Value, scale: Value | None, zero: Value | None) -> Value:
    """An input of an operator on integers as floats; one that is of floats as it is."""
    if value.tensor.is_floating:
        return value
    dtype = "float32" if scale is None else scale.tensor.dtype
    return call.layer("dequantize", kept(value), *scaling(call, scale, zero), dtype=floating(dtype))


def requantized(call: Call, value: Value, dtype: str, scale: Value | None, zero: Value | None) -> Value:
    """What an operator on integers puts out."""
    return call.layer("quantize", value, *scaling(call, scale, zero), dtype=dtype)


def dynamic_quantize(call: Call) -> Result:
    return call.layers("dynamic_quantize", call[0])


def _per_channel(call: Call, channels: int, **given: Value | None) -> dict[str, Value]:
    """Those of which there is one for each channel; one in all is a number of the operation."""
    several = {name: value for name, value in given.items() if value is not None and value.tensor.numel != 1}
    for name, value in several.items():
        if value.shape != (channels,):
            expected = f"one, or {channels}: one for each output channel"
            raise refused(call, ShapeError(f"{name}s do not fit", expected=expected, found=format_shape(value.shape)))
    return {name: kept(value) for name, value in several.items()}


def _flags(weights: dict[str, Value]) -> dict[str, object]:
    return {
        "weight_dtype": weights["weight"].tensor.dtype,
        **{name: True for name in ("bias", "scale", "zero_point") if name in weights},
    }


def _convolution(call: Call, weights: dict[str, Value], dtype: str) -> Value:
    return convolved(call, "integer_conv", weights, dtype=dtype, **_flags(weights))


def _kernel(value: Value) -> Value:
    if value.rank < 3:
        raise UnsupportedError(f"a kernel of {value.tensor}")
    return kept(value)


def conv_integer(call: Call) -> Value:
    weight = _kernel(call[1])
    zeros = _per_channel(call, weight.shape[0], zero_point=call.get(3))
    return _convolution(call, {"weight": weight, **zeros}, "int32")


def qlinear_conv(call: Call) -> Value:
    weight, bias = _kernel(call[3]), call.get(8)
    own = {"weight": weight} if bias is None else {"weight": weight, "bias": kept(bias)}
    scales = _per_channel(call, weight.shape[0], scale=call[4], zero_point=call[5])
    return _convolution(call, {**own, **scales}, call[7].tensor.dtype)


def _is_matrix(value: Value) -> bool:
    return value.rank == 2 and value.ref is None and value.held is not None


def product(call: Call, left: Value, right: Value, dtype: str, given: dict[str, Value | None]) -> Value:
    """With a matrix of the file behind, or one with scales or zero points of its columns, which are `given`, a linear
    layer; else a product of two tensors.
    """
    if _is_matrix(right) and left.rank > 1:
        return _linear(call, left, turned(kept(right)), dtype, given)
    if any(value is not None and value.tensor.numel > 1 for value in given.values()) and right.rank == 2:
        return _linear(call, left, call.layer("transpose", right, dim0=0, dim1=1), dtype, given)
    row, column = left.rank == 1, right.rank == 1
    left = call.layer("unsqueeze", left, dim=0) if row else left
    right = call.layer("unsqueeze", right, dim=-1) if column else right
    rescaled = {} if dtype in SUMS else {"rescaled": True}
    result = call.layer("integer_matmul", kept(left), kept(right), dtype=dtype, **rescaled)
    result = call.layer("squeeze", result, dim=-2) if row else result
    return call.layer("squeeze", result, dim=-1) if column else result


def _linear(call: Call, source: Value, weight: Value, dtype: str, given: dict[str, Value | None]) -> Value:
    features = weight.shape[0]
    weights = {"weight": weight, **_per_channel(call, features, **given)}
    (result,) = call.weighted("integer_linear", source, weights, out_features=features, dtype=dtype, **_flags(weights))
    return result


def matmul_integer(call: Call) -> Value:
    return product(call, call[0], call[1], "int32", {"zero_point": call.get(3)})


def qlinear_matmul(call: Call) -> Value:
    return product(call, call[0], call[3], call[7].tensor.dtype, {"scale": call[4], "zero_point": call[5]})


RULES: dict[str, Rule] = {
    **dict.fromkeys(("QuantizeLinear", "com.microsoft::QuantizeLinear"), quantize),
    **dict.fromkeys(("DequantizeLinear", "com.microsoft::DequantizeLinear"), dequantize),
    "DynamicQuantizeLinear": dynamic_quantize,
    "ConvInteger": conv_integer,
    "QLinearConv": qlinear_conv,
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
}
