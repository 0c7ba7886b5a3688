"""onnxruntime's own operators on integers, each of which is defined by the floats that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archcost.importers.onnx.attention.microsoft import of_projected
from archcost.importers.onnx.convolution import to_channels_first, to_channels_last
from archcost.importers.onnx.linear import kept, turned
from archcost.importers.onnx.normalization import embed_layer_norm
from archcost.importers.onnx.pooling import avg_pool, global_avg_pool
from archcost.importers.onnx.quantization.standard import (
    dequantized,
    floating,
    product,
    qlinear_conv,
    requantized,
)
from archcost.importers.onnx.recurrent import recurrent
from archcost.importers.onnx.reduction import folded
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, Value

Floats = Callable[[Call], Value]
"""What an operator does with floats."""


def of_floats(count: int, rule: Floats) -> Rule:
    """An operator of `count` tensors, each followed by its scale and zero point, as are all of them by the result's."""

    def made(call: Call) -> Value:
        read = [
            dequantized(call, call[3 * index], call[3 * index + 1], call.get(3 * index + 2)) for index in range(count)
        ]
        zero = call.get(3 * count + 1)
        dtype = call[0].tensor.dtype if zero is None else zero.tensor.dtype
        return requantized(call, rule(call.reading(*read)), dtype, call[3 * count], zero)

    return made


def layer(type_: str, **fields: Any) -> Floats:
    return lambda call: call.layer(type_, *call.given, **fields)


def mean(call: Call) -> Value:
    return folded(call, "mean")


def images(rule: Floats) -> Floats:
    """With the channels first, or behind."""

    def made(call: Call) -> Value:
        if not call.flag("channels_last"):
            return rule(call)
        return to_channels_last(call, rule(call.reading(to_channels_first(call, call[0]))))

    return made


def leaky(call: Call) -> Value:
    return call.layer("leaky_relu", call[0], negative_slope=call.real("alpha", 0.01))


def softmax(call: Call) -> Value:
    return call.layer("softmax", call[0], dim=call.axis(default=-1))


def concat(call: Call) -> Value:
    """The result's scale and zero point, then those of each input behind it."""
    triples = [(call[index], call[index + 1], call.get(index + 2)) for index in range(2, len(call.inputs), 3)]
    joined = call.layer("concat", *(dequantized(call, *each) for each in triples), dim=call.integer("axis"))
    return requantized(call, joined, call[1].tensor.dtype, call[0], call[1])


def where(call: Call) -> Value:
    first, second = (dequantized(call, *(call[index + place] for place in range(3))) for index in (1, 4))
    return requantized(call, call.layer("where", call[0], first, second), call[8].tensor.dtype, call[7], call[8])


def scaled_back(call: Call, sums: Value, scale: Value, bias: Value | None) -> Value:
    """Sums as floats, by one scale or one for each column."""
    several = {} if scale.tensor.numel == 1 else {"axis": -1}
    scales = () if scale.is_constant and scale.tensor.numel == 1 else (kept(scale),)
    result = call.layer("dequantize", sums, *scales, dtype=floating(scale.tensor.dtype), **several)
    return result if bias is None else call.layer("add", result, bias)


def dynamic_matmul(call: Call) -> Value:
    """Of floats, which are quantised on the way."""
    codes, *_ = call.layers("dynamic_quantize", call[0])
    sums = product(call, codes, call[1], "int32", {"zero_point": call.get(3)})
    return scaled_back(call, sums, call[2], call.get(4))


def matmul_to_float(call: Call) -> Value:
    sums = product(call, call[0], call[1], "int32", {"zero_point": call.get(5)})
    return scaled_back(call, sums, call[3], call.get(6))


def gemm(call: Call) -> Value:
    """Sums with a bias, quantised again where the result has a scale, else as floats."""
    if call.integer("transA", 0):
        raise UnsupportedError("the first matrix turned")
    right = kept(call[3])
    if call.integer("transB", 0):
        right = turned(right) if right.ref is None else call.layer("transpose", right, dim0=0, dim1=1)
    several = {"zero_point": call.get(5), "bias": call.get(6)}
    if call.get(7) is None:
        return scaled_back(call, product(call, call[0], right, "int32", several), call[4], None)
    zero = call.get(8)
    dtype = call[0].tensor.dtype if zero is None else zero.tensor.dtype
    return product(call, call[0], right, dtype, {**several, "scale": call[4]})


def attention(call: Call) -> Result:
    """A projection of integers to queries, keys and values, then attention of floats."""
    sums = product(call, call[0], call[1], "int32", {"zero_point": call.get(7)})
    projected = scaled_back(call, sums, call[4], call[2])
    return of_projected(call.reading(None, None, None, call.get(5), call.get(8)), projected)


def embedded(call: Call) -> Result:
    """Tables and the norm's weights in 8 bits, scaled back; the rest as of floats."""
    given = [call.get(index) for index in range(18)]
    tables = [
        None if table is None else dequantized(call, table, given[8 + index], given[13 + index])
        for index, table in enumerate(given[2:7])
    ]
    return embed_layer_norm(call.reading(given[0], given[1], *tables, given[7]))


def qlinear_conv_of_microsoft(call: Call) -> Value:
    """As ONNX's, with the channels of images first or last."""
    if not call.flag("channels_last"):
        return qlinear_conv(call)
    source = to_channels_first(call, call[0])
    return to_channels_last(call, qlinear_conv(call.reading(source, *call.inputs[1:])))


def dynamic_lstm(call: Call) -> Result:
    """An LSTM whose weights, (directions, in, 4·hidden) in 8 bits, are scaled back: counted as one of floats."""
    scaled = [_gates(call, call[index], call[place], call[place + 1]) for index, place in ((1, 8), (2, 10))]
    return recurrent("lstm")(call.reading(call[0], *scaled, *(call.get(index) for index in range(3, 8))))


def _gates(call: Call, weight: Value, scale: Value, zero: Value) -> Value:
    if weight.rank != 3:
        raise UnsupportedError("weights of other than three axes")
    directions, features, gates = weight.shape
    scales: list[Value] = []
    fields: dict[str, int] = {}
    if scale.tensor.numel > 1:
        shape = (directions, 1, gates) if scale.tensor.numel == directions * gates else (directions,)
        scales = [call.reshape(kept(each), shape) for each in (scale, zero)]
        fields = {"axis": 1, "block_size": features} if len(shape) > 1 else {"axis": 0}
    back = call.layer("dequantize", kept(weight), *scales, dtype=floating(scale.tensor.dtype), **fields)
    return call.layer("permute", back, dims=[0, 2, 1])


RULES: dict[str, Rule] = {
    "com.microsoft::QLinearAdd": of_floats(2, layer("add")),
    "com.microsoft::QLinearMul": of_floats(2, layer("mul")),
    "com.microsoft::QLinearSigmoid": of_floats(1, layer("sigmoid")),
    "com.microsoft::QLinearLeakyRelu": of_floats(1, leaky),
    "com.microsoft::QLinearSoftmax": of_floats(1, softmax),
    "com.microsoft::QLinearAveragePool": of_floats(1, images(avg_pool)),
    "com.microsoft::QLinearGlobalAveragePool": of_floats(1, images(global_avg_pool)),
    "com.microsoft::QLinearReduceMean": of_floats(1, mean),
    "com.microsoft::QLinearConcat": concat,
    "com.microsoft::QLinearWhere": where,
    "com.microsoft::DynamicQuantizeMatMul": dynamic_matmul,
    "com.microsoft::MatMulIntegerToFloat": matmul_to_float,
    "com.microsoft::QGemm": gemm,
    "com.microsoft::QAttention": attention,
    "com.microsoft::QEmbedLayerNormalization": embedded,
    "com.microsoft::QLinearConv": qlinear_conv_of_microsoft,
    "com.microsoft::DynamicQuantizeLSTM": dynamic_lstm,
}
