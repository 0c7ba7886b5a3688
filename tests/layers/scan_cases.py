"""Running sums, sorting and the largest values: one operation a value."""

from __future__ import annotations

from archcost.layers import ArgSort, Cummax, Cummin, Cumprod, Cumsum, LogCumsumExp, Sort, TopK
from archcost.tensors import TensorType
from tests.layers.rows import Row

IMAGES = (2, 3, 5, 7)

ROWS: tuple[Row, ...] = (
    Row(
        Cumsum(dim=1, dtype="float32"),
        inputs=(TensorType((2, 3, 5), "bfloat16"),),
        outputs=((2, 3, 5),),
        dtypes=("float32",),
        forward=30,  # 2*3*5
        backward_input=30,  # 2*3*5
    ),
    Row(
        Cumsum(dim=1),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7: an addition a value
        backward_input=210,  # 2*3*5*7
    ),
    Row(
        Cumsum(dim=-1),
        inputs=((2, 3, 1),),
        outputs=((2, 3, 1),),
        forward=6,  # 2*3
    ),
    Row(
        Cumsum(dim=1),
        inputs=(TensorType((2, 7), "bool"),),
        outputs=((2, 7),),
        forward=14,  # 2*7
        dtypes=("int64",),
    ),
    Row(
        Sort(),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5), (2, 3, 5)),
        forward=30,  # 2*3*5
        dtypes=("float32", "int64"),
    ),
    Row(
        Sort(dim=1, descending=True),
        inputs=(TensorType((2, 3, 5), "int32"),),
        outputs=((2, 3, 5), (2, 3, 5)),
        forward=30,  # 2*3*5
        dtypes=("int32", "int64"),
    ),
    Row(
        ArgSort(dim=1),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        dtypes=("int64",),
    ),
    Row(
        TopK(k=2, dim=1),
        inputs=(IMAGES,),
        outputs=((2, 2, 5, 7), (2, 2, 5, 7)),
        forward=210,  # 2*3*5*7: a comparison a value read; backward moves each to its place
        dtypes=("float32", "int64"),
    ),
    Row(
        TopK(k=5, largest=False, sorted=False),
        inputs=((2, 3, 11),),
        outputs=((2, 3, 5), (2, 3, 5)),
        forward=66,  # 2*3*11
        dtypes=("float32", "int64"),
    ),
    Row(
        Cumprod(dim=1),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5 * 1
        backward_input=90,  # 2*3*5 * 3: product, sum, division
    ),
    Row(
        LogCumsumExp(dim=2),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=120,  # 2*3*5 * 4
        backward_input=570,  # 2*3*5 * 19
    ),
    Row(
        Cummax(dim=1),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5), (2, 3, 5)),
        forward=30,  # 2*3*5 * 1
        backward_input=30,  # 2*3*5 * 1
        dtypes=("float32", "int64"),
    ),
    Row(
        Cummin(dim=2),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5), (2, 3, 5)),
        forward=30,  # 2*3*5 * 1
        backward_input=30,  # 2*3*5 * 1
        dtypes=("float32", "int64"),
    ),
)
