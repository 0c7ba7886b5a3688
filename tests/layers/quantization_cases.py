"""Values scaled to integers and back, and products of integers. Nothing of it has a gradient."""

from __future__ import annotations

from archcost.layers.quantization.convolution import IntegerConv1d, IntegerConv2d, IntegerConv3d
from archcost.layers.quantization.linear import QuantizedLinear
from archcost.layers.quantization.products import IntegerLinear, IntegerMatMul
from archcost.layers.quantization.scaling import Dequantize, DynamicQuantize, Quantize
from archcost.tensors import TensorType
from tests.layers.rows import Row


def int8(*shape: int) -> TensorType:
    return TensorType(shape, "int8")


def uint8(*shape: int) -> TensorType:
    return TensorType(shape, "uint8")


ROWS: tuple[Row, ...] = (
    Row(
        Quantize(),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        dtypes=("int8",),
        forward=120,  # 2*3*5 * 4: divided, rounded, a zero point added, limited
    ),
    Row(
        Quantize(dtype="uint16"),
        inputs=((2, 3, 5), ()),
        outputs=((2, 3, 5),),
        dtypes=("uint16",),
        forward=120,  # 2*3*5 * 4
    ),
    Row(
        Quantize(dtype="uint8"),
        inputs=((2, 3, 5), (3,), uint8(3)),
        outputs=((2, 3, 5),),
        dtypes=("uint8",),
        forward=120,  # 2*3*5 * 4
    ),
    Row(
        Quantize(dtype="float8_e4m3fn"),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        dtypes=("float8_e4m3fn",),
        forward=120,  # 2*3*5 * 4
    ),
    Row(
        Dequantize(),
        inputs=(int8(2, 3, 5),),
        outputs=((2, 3, 5),),
        dtypes=("float32",),
        forward=60,  # 2*3*5 * 2: a zero point taken away, scaled
    ),
    Row(
        Dequantize(axis=0),
        inputs=(int8(7, 5), (7,)),
        outputs=((7, 5),),
        dtypes=("float32",),
        forward=70,  # 7*5 * 2
    ),
    Row(
        Dequantize(axis=-1, block_size=2),
        inputs=(int8(7, 5), (7, 3), int8(7, 3)),
        outputs=((7, 5),),
        dtypes=("float32",),
        forward=70,  # 7*5 * 2: of five values two blocks are whole
    ),
    Row(
        Dequantize(),
        inputs=(TensorType((2, 3), "int32"),),
        outputs=((2, 3),),
        dtypes=("float32",),
        forward=12,  # 2*3 * 2
    ),
    Row(
        DynamicQuantize(),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5), (), ()),
        dtypes=("uint8", "float32", "uint8"),
        forward=180,  # 2*3*5 * (2 + 4): compared with the least and the largest so far, then quantised
    ),
    Row(
        IntegerConv2d(out_channels=5, kernel_size=3, padding=1, stride=2),
        inputs=(uint8(2, 3, 7, 11),),
        outputs=((2, 5, 4, 6),),
        dtypes=("int32",),
        parameters=135,  # 5*3*3*3
        macs=6480,  # 2*5*4*6 * 3*3*3
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
    ),
    Row(
        IntegerConv2d(out_channels=6, kernel_size=(3, 2), groups=3, weight_dtype="uint8", zero_point=True),
        inputs=(uint8(2, 3, 7, 5),),
        outputs=((2, 6, 5, 4),),
        dtypes=("int32",),
        parameters=42,  # 6*1*3*2 + 6
        macs=1440,  # 2*6*5*4 * 1*3*2
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
    ),
    Row(
        IntegerConv2d(out_channels=5, kernel_size=3, bias=True, scale=True, zero_point=True, dtype="int8"),
        inputs=(int8(2, 3, 7, 5),),
        outputs=((2, 5, 5, 3),),
        dtypes=("int8",),
        parameters=150,  # 5*3*3*3 + 5 + 5 + 5
        macs=4050,  # 2*5*5*3 * 3*3*3
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
        forward=750,  # 2*5*5*3 * (1 + 4): the bias, and sums scaled to int8
    ),
    Row(
        IntegerConv1d(out_channels=5, kernel_size=3, bias=True, dtype="uint8"),
        inputs=(uint8(2, 3, 7),),
        outputs=((2, 5, 5),),
        dtypes=("uint8",),
        parameters=50,  # 5*3*3 + 5
        macs=450,  # 2*5*5 * 3*3
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
        forward=250,  # 2*5*5 * (1 + 4)
    ),
    Row(
        IntegerConv3d(out_channels=2, kernel_size=(1, 3, 2)),
        inputs=(int8(2, 3, 5, 7, 3),),
        outputs=((2, 2, 5, 5, 2),),
        dtypes=("int32",),
        parameters=36,  # 2*3*1*3*2
        macs=3600,  # 2*2*5*5*2 * 3*1*3*2
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
    ),
    Row(
        IntegerLinear(out_features=7),
        inputs=(uint8(2, 5),),
        outputs=((2, 7),),
        dtypes=("int32",),
        parameters=35,  # 7*5
        macs=70,  # 2*7 * 5
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
    ),
    Row(
        IntegerLinear(out_features=7, zero_point=True),
        inputs=(int8(2, 3, 5),),
        outputs=((2, 3, 7),),
        dtypes=("int32",),
        parameters=42,  # 7*5 + 7
        macs=210,  # 2*3*7 * 5
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
    ),
    Row(
        IntegerLinear(out_features=7, scale=True, dtype="int8"),
        inputs=(int8(2, 3, 5),),
        outputs=((2, 3, 7),),
        dtypes=("int8",),
        parameters=42,  # 7*5 + 7
        macs=210,  # 2*3*7 * 5
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
        forward=168,  # 2*3*7 * 4: sums scaled to int8
    ),
    Row(
        IntegerLinear(out_features=7, bias=True),
        inputs=(int8(2, 5),),
        outputs=((2, 7),),
        dtypes=("int32",),
        parameters=42,  # 7*5 + 7
        macs=70,  # 2*7 * 5
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
        forward=14,  # 2*7: the bias
    ),
    Row(
        IntegerMatMul(),
        inputs=(int8(2, 3, 5), int8(2, 5, 7)),
        outputs=((2, 3, 7),),
        dtypes=("int32",),
        macs=210,  # 2*3*7 * 5
        macs_backward_input=0,  # 0
    ),
    Row(
        IntegerMatMul(dtype="int8"),
        inputs=(int8(2, 11, 3, 5), int8(2, 1, 5, 7)),
        outputs=((2, 11, 3, 7),),
        macs=2310,  # 2*11*3*7 * 5
        macs_backward_input=0,  # 0
    ),
    Row(
        IntegerMatMul(dtype="uint8", rescaled=True),
        inputs=(uint8(2, 3, 5), int8(2, 5, 7)),
        outputs=((2, 3, 7),),
        macs=210,  # 2*3*7 * 5
        macs_backward_input=0,  # 0
        forward=168,  # 2*3*7 * 4: sums scaled to uint8
    ),
    Row(
        IntegerMatMul(dtype="int64"),
        inputs=(TensorType((2, 3, 5), "int64"), TensorType((2, 5, 7), "int64")),
        outputs=((2, 3, 7),),
        macs=210,  # 2*3*7 * 5
        macs_backward_input=0,  # 0
    ),
    Row(
        QuantizedLinear(out_features=7, weight_dtype="uint8", block_size=2, zero_point=True),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 7),),
        parameters=77,  # 7*5 + 7*3 + 7*3: weights, scales and zero points of three blocks a row
        buffers=7,  # 7 * (3*2 - 5): what fills the last block
        macs=210,  # 2*3*7 * 5
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
        forward=70,  # 7*5 * 2: weights scaled back
    ),
    Row(
        QuantizedLinear(out_features=7, bias=True),
        inputs=((2, 5),),
        outputs=((2, 7),),
        parameters=49,  # 7*5 + 7 + 7
        macs=70,  # 2*7 * 5
        macs_backward_input=0,  # 0
        macs_backward_weight=0,  # 0
        forward=84,  # 7*5 * 2 + 2*7: weights scaled back, the bias added
    ),
)
