"""More functions of each value alone: so many operations a value, forward and back, as each counts them."""

from __future__ import annotations

from archcost.layers import (
    CELU,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Ceil,
    Cosh,
    Erfc,
    Expm1,
    Floor,
    Hardshrink,
    Log1p,
    Log2,
    Log10,
    Logit,
    NanToNum,
    Round,
    RPow,
    Sign,
    Sinh,
    Softshrink,
    Softsign,
    Tan,
    Tanhshrink,
    Threshold,
    Trunc,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row

SHAPE = (2, 3, 5, 7)  # 210 values

ROWS: tuple[Row, ...] = (
    Row(
        Log1p(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=420,  # 210 * 2
        backward_input=420,  # 210 * 2
    ),
    Row(
        Expm1(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=420,  # 210 * 2
        backward_input=420,  # 210 * 2
    ),
    Row(
        Log2(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=420,  # 210 * 2
    ),
    Row(
        Log10(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=420,  # 210 * 2
    ),
    Row(
        Tan(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=630,  # 210 * 3
    ),
    Row(
        Sinh(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=420,  # 210 * 2
    ),
    Row(
        Cosh(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=420,  # 210 * 2
    ),
    Row(
        Asin(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=1050,  # 210 * 5
    ),
    Row(
        Acos(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=1260,  # 210 * 6
    ),
    Row(
        Atan(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=630,  # 210 * 3
    ),
    Row(
        Acosh(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=840,  # 210 * 4
    ),
    Row(
        Asinh(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=840,  # 210 * 4
    ),
    Row(
        Atanh(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=630,  # 210 * 3
    ),
    Row(
        Erfc(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=1050,  # 210 * 5
    ),
    Row(
        Sign(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
    ),
    Row(
        Floor(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
    ),
    Row(
        Ceil(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
    ),
    Row(
        Round(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
    ),
    Row(
        Trunc(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
    ),
    Row(
        Threshold(threshold=0.1, value=20.0),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=210,  # 210 * 1
    ),
    Row(
        CELU(alpha=2.0),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=1050,  # 210 * 5
        backward_input=840,  # 210 * 4
    ),
    Row(
        Hardshrink(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=420,  # 210 * 2
        backward_input=420,  # 210 * 2
    ),
    Row(
        Softshrink(lambd=0.25),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=630,  # 210 * 3
        backward_input=420,  # 210 * 2
    ),
    Row(
        Logit(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=630,  # 210 * 3
        backward_input=630,  # 210 * 3
    ),
    Row(
        Logit(eps=0.1),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=1050,  # 210 * 5
        backward_input=1050,  # 210 * 5
    ),
    Row(
        Softsign(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=630,  # 210 * 3
        backward_input=1470,  # 210 * 7
    ),
    Row(
        Tanhshrink(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=420,  # 210 * 2
        backward_input=1050,  # 210 * 5
    ),
    Row(
        NanToNum(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=420,  # 210 * 2
        backward_input=420,  # 210 * 2
    ),
    Row(
        Floor(),
        inputs=(TensorType((2, 3, 5), "int64"),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
    ),
    Row(
        Log2(),
        inputs=(TensorType((2, 3, 5), "int64"),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        dtypes=("float32",),
    ),
    Row(
        RPow(base=2),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=210,  # 210 * 1
        backward_input=420,  # 210 * 2
    ),
    Row(
        RPow(base=0.5),
        inputs=(TensorType((2, 3, 5), "int64"),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        dtypes=("float32",),
    ),
)
