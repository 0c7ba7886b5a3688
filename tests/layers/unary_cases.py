"""Functions of each value alone: operations a value of the formula as written."""

from __future__ import annotations

from archcost.layers import Abs, Clamp, Cos, Erf, Exp, Log, Neg, Pow, Reciprocal, Rsqrt, Rsub, Scale, Sin, Sqrt
from archcost.tensors import TensorType
from tests.layers.rows import Row

SHAPE = (2, 3, 5)  # 30 values

ROWS: tuple[Row, ...] = (
    Row(
        Exp(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: exp
        backward_input=30,  # 30 * 1: product
    ),
    Row(
        Log(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: log
        backward_input=30,  # 30 * 1: division
    ),
    Row(
        Sqrt(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: root
        backward_input=60,  # 30 * 2: product, division; y is kept
    ),
    Row(
        Rsqrt(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2: root, division
        backward_input=90,  # 30 * 3: power, two products; y is kept
    ),
    Row(
        Reciprocal(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: division
        backward_input=90,  # 30 * 3: negation, square, product; y is kept
    ),
    Row(
        Erf(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: erf
        backward_input=150,  # 30 * 5: square, negation, exp, two products
    ),
    Row(
        Abs(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: absolute value
        backward_input=60,  # 30 * 2: sign, product
    ),
    Row(
        Sin(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: sin
        backward_input=60,  # 30 * 2: cos, product
    ),
    Row(
        Cos(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: cos
        backward_input=90,  # 30 * 3: sin, negation, product
    ),
    Row(
        Neg(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: negation
        backward_input=30,  # 30 * 1: negation
    ),
    Row(
        Pow(exponent=2.5),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: power
        backward_input=90,  # 30 * 3: power, two products
    ),
    Row(
        Rsub(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: difference
        backward_input=30,  # 30 * 1: negation
    ),
    Row(
        Pow(exponent=0.0),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: power; its gradient is zeros
    ),
    Row(
        Clamp(min=0.0),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: a comparison
        backward_input=30,  # 30 * 1: a comparison
    ),
    Row(
        Clamp(min=0.1, max=0.7),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2: two comparisons
        backward_input=60,  # 30 * 2: two comparisons
    ),
    Row(
        Scale(factor=0.5),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: product
        backward_input=30,  # 30 * 1: product
    ),
    Row(
        Scale(shift=3.0),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: addition; backward passes the gradient on
    ),
    Row(
        Scale(factor=2.0, shift=-1.0),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2: product, addition
        backward_input=30,  # 30 * 1: product
    ),
    Row(
        Scale(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1: product, by 1
        backward_input=30,  # 30 * 1: product
    ),
    *(
        Row(
            function,
            inputs=(TensorType((2, 3, 5), "int64"),),
            outputs=((2, 3, 5),),
            forward=30,  # 2*3*5
            dtypes=("float32",),
        )
        for function in (Exp(), Log(), Sqrt(), Reciprocal(), Erf(), Sin(), Cos(), Pow(exponent=0.5), Scale(factor=2.0))
    ),
    *(
        Row(
            function,
            inputs=(TensorType((2, 3, 5), "int64"),),
            outputs=((2, 3, 5),),
            forward=30,  # 2*3*5
        )
        for function in (Abs(), Neg(), Pow(exponent=3), Scale(factor=2), Scale(shift=5), Rsub(other=3), Clamp(max=7))
    ),
    Row(
        Scale(factor=2, shift=0.5),
        inputs=(TensorType((2, 3, 5), "bool"),),
        outputs=((2, 3, 5),),
        forward=60,  # 2*3*5 * 2: product in integers, and sum
        dtypes=("float32",),
    ),
    Row(
        Clamp(min=0.5),
        inputs=(TensorType((2, 3, 5), "int32"),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        dtypes=("float32",),
    ),
)
