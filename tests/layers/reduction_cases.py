"""Axes folded. What is done once for a row (the root of a variance, a division by the count) is not counted."""

from __future__ import annotations

from archcost.layers import (
    All,
    AMax,
    AMin,
    AnyTrue,
    ArgMax,
    ArgMin,
    LogSumExp,
    Max,
    Mean,
    Min,
    Norm,
    Prod,
    Std,
    Sum,
    Var,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Mean(dim=(2, 3)),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3),),
        forward=210,  # 2*3*5*7: an addition a value read
        backward_input=210,  # 2*3*5*7
    ),
    Row(
        Mean(dim=(-1, -2), keepdim=True),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 1, 1),),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7
    ),
    Row(
        Mean(dim=1),
        inputs=((2, 3, 5),),
        outputs=((2, 5),),
        forward=30,  # 2*3*5
        backward_input=30,  # 2*3*5
    ),
    Row(
        Sum(dim=2),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 7),),
        forward=210,  # 2*3*5*7: an addition a value read; backward repeats what arrives
    ),
    Row(
        Sum(dim=(2, 3), keepdim=True),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 1, 1),),
        forward=210,  # 2*3*5*7
    ),
    Row(
        Sum(dim=1, dtype="float32"),
        inputs=(TensorType((2, 3, 5), "bfloat16"),),
        outputs=((2, 5),),
        dtypes=("float32",),
        forward=30,  # 2*3*5
    ),
    Row(
        Mean(dim=(1, 2), dtype="float32"),
        inputs=(TensorType((2, 3, 5), "bfloat16"),),
        outputs=((2,),),
        dtypes=("float32",),
        forward=30,  # 2*3*5
        backward_input=30,  # 2*3*5
    ),
    Row(
        Sum(dim=1),
        inputs=(TensorType((2, 7), "bool"),),
        outputs=((2,),),
        forward=14,  # 2*7
        dtypes=("int64",),
    ),
    Row(
        AMax(dim=(2, 3)),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3),),
        forward=210,  # 2*3*5*7: a comparison a value read
        backward_input=630,  # 2*3*5*7 * 3: comparison, addition, product
    ),
    Row(
        AMax(dim=1, keepdim=True),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 1, 5, 7),),
        forward=210,  # 2*3*5*7
        backward_input=630,  # 2*3*5*7 * 3
    ),
    Row(
        AMin(dim=-1),
        inputs=((2, 3, 5),),
        outputs=((2, 3),),
        forward=30,  # 2*3*5
        backward_input=90,  # 2*3*5 * 3
    ),
    Row(
        Max(dim=2),
        inputs=((2, 3, 5, 7),),
        outputs=(
            (2, 3, 7),
            (2, 3, 7),
        ),
        forward=210,  # 2*3*5*7: a comparison a value read; backward moves a value to its place
        dtypes=("float32", "int64"),
    ),
    Row(
        Max(dim=-1, keepdim=True),
        inputs=((2, 7),),
        outputs=(
            (2, 1),
            (2, 1),
        ),
        forward=14,  # 2*7
        dtypes=("float32", "int64"),
    ),
    Row(
        Min(dim=1),
        inputs=((2, 3, 5, 7),),
        outputs=(
            (2, 5, 7),
            (2, 5, 7),
        ),
        forward=210,  # 2*3*5*7
        dtypes=("float32", "int64"),
    ),
    Row(
        ArgMax(dim=1),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 5, 7),),
        forward=210,  # 2*3*5*7
        dtypes=("int64",),
    ),
    Row(
        ArgMin(dim=2, keepdim=True),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 1),),
        forward=30,  # 2*3*5
        dtypes=("int64",),
    ),
    Row(
        Var(dim=(2, 3)),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3),),
        forward=840,  # 2*3*5*7 * 4: addition of the mean, difference, square, sum
        backward_input=630,  # 2*3*5*7 * 3: addition of the mean, difference, product
    ),
    Row(
        Var(dim=1, correction=0, keepdim=True),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 1, 5, 7),),
        forward=840,  # 2*3*5*7 * 4
        backward_input=630,  # 2*3*5*7 * 3
    ),
    Row(
        Std(dim=-1, keepdim=True),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 1),),
        forward=120,  # 2*3*5 * 4
        backward_input=90,  # 2*3*5 * 3
    ),
    Row(
        Std(dim=(1, 2)),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 7),),
        forward=840,  # 2*3*5*7 * 4
        backward_input=630,  # 2*3*5*7 * 3
    ),
    Row(
        Norm(dim=1),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 5, 7),),
        forward=420,  # 2*3*5*7 * 2: square, sum
        backward_input=420,  # 2*3*5*7 * 2: division by the norm, product
    ),
    Row(
        Norm(ord=1, dim=(-1, 2), keepdim=True),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 1, 1),),
        forward=420,  # 2*3*5*7 * 2: absolute value, sum
        backward_input=420,  # 2*3*5*7 * 2: sign, product
    ),
    Row(
        ArgMax(),
        inputs=((2, 3, 5),),
        outputs=((),),
        forward=30,  # 2*3*5
        dtypes=("int64",),
    ),
    Row(
        ArgMin(keepdim=True),
        inputs=((2, 3, 5),),
        outputs=((1, 1, 1),),
        forward=30,  # 2*3*5
        dtypes=("int64",),
    ),
    Row(
        AMax(dim=(0, 1)),
        inputs=(TensorType((2, 3), "int64"),),
        outputs=((),),
        forward=6,  # 2*3
    ),
    Row(
        Max(dim=1),
        inputs=(TensorType((2, 3), "int64"),),
        outputs=((2,), (2,)),
        forward=6,  # 2*3
        dtypes=("int64", "int64"),
    ),
    Row(
        AnyTrue(),
        inputs=((2, 3, 5),),
        outputs=((),),
        forward=30,  # 2*3*5
        dtypes=("bool",),
    ),
    Row(
        All(dim=(0, -1), keepdim=True),
        inputs=(TensorType((2, 3, 5), "bool"),),
        outputs=((1, 3, 1),),
        forward=30,  # 2*3*5
        dtypes=("bool",),
    ),
    Row(
        AnyTrue(dim=1),
        inputs=(TensorType((2, 3, 5), "int64"),),
        outputs=((2, 5),),
        forward=30,  # 2*3*5
        dtypes=("bool",),
    ),
    Row(
        Prod(),
        inputs=(TensorType((2, 3), "int32"),),
        outputs=((),),
        forward=6,  # 2*3
        dtypes=("int64",),
    ),
    Row(
        Prod(dim=1, keepdim=True),
        inputs=((2, 3, 5),),
        outputs=((2, 1, 5),),
        forward=30,  # 2*3*5
        backward_input=60,  # 2*3*5 * 2: division and product
    ),
    Row(
        LogSumExp(dim=-1),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5),),
        forward=840,  # 2*3*5*7 * 4
        backward_input=630,  # 2*3*5*7 * 3
    ),
    Row(
        LogSumExp(dim=(1, 2), keepdim=True),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 1, 1, 7),),
        forward=840,  # 2*3*5*7 * 4
        backward_input=630,  # 2*3*5*7 * 3
    ),
)
