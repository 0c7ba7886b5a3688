"""Values that meet in one place: an operation each; of means also a division a value of x."""

from __future__ import annotations

from archcost.layers import IndexReduce, ScatterReduce
from archcost.tensors import TensorType
from tests.layers.rows import Row

X, AT = (2, 3, 5), TensorType((2, 7, 5), "int64")
FEW, LIST = TensorType((2, 1, 5), "int64"), TensorType((7,), "int64")
"""Indices of more values than x has along the axis, of fewer, and of slices."""

ROWS: tuple[Row, ...] = (
    Row(
        ScatterReduce(dim=1, reduce="sum"),
        inputs=(X, AT, (2, 7, 5)),
        outputs=(X,),
        forward=70,  # 2*7*5: additions
    ),
    Row(
        ScatterReduce(dim=1, reduce="sum", include_self=False),
        inputs=(X, FEW, (2, 1, 5)),
        outputs=(X,),
        forward=10,  # 2*1*5
    ),
    Row(
        ScatterReduce(dim=1, reduce="mean"),
        inputs=(X, AT, (2, 7, 5)),
        outputs=(X,),
        forward=100,  # 2*7*5 + 2*3*5: additions, divisions
        backward_input=100,  # 2*7*5 + 2*3*5: a division by the count for each of both
    ),
    Row(
        ScatterReduce(dim=-2, reduce="mean", include_self=False),
        inputs=(X, FEW, (2, 1, 5)),
        outputs=(X,),
        forward=40,  # 2*1*5 + 2*3*5
        backward_input=40,  # 2*1*5 + 2*3*5
    ),
    Row(
        ScatterReduce(dim=1, reduce="prod"),
        inputs=(X, AT, (2, 7, 5)),
        outputs=(X,),
        forward=70,  # 2*7*5: products
        backward_input=200,  # (2*3*5 + 2*7*5) * 2: product and quotient
    ),
    Row(
        ScatterReduce(dim=1, reduce="prod", include_self=False),
        inputs=(X, FEW, (2, 1, 5)),
        outputs=(X,),
        forward=10,  # 2*1*5
        backward_input=80,  # (2*3*5 + 2*1*5) * 2
    ),
    Row(
        ScatterReduce(dim=1, reduce="amax"),
        inputs=(X, AT, (2, 7, 5)),
        outputs=(X,),
        forward=70,  # 2*7*5: comparisons
        backward_input=300,  # (2*3*5 + 2*7*5) * 3: compared, counted or divided, multiplied
    ),
    Row(
        ScatterReduce(dim=1, reduce="amin", include_self=False),
        inputs=(X, FEW, (2, 1, 5)),
        outputs=(X,),
        forward=10,  # 2*1*5
        backward_input=120,  # (2*3*5 + 2*1*5) * 3
    ),
    Row(
        ScatterReduce(dim=1, reduce="amax", include_self=False, inplace=True),
        inputs=(X, AT, (2, 7, 5)),
        outputs=(X,),
        forward=70,  # 2*7*5
        backward_input=300,  # (2*3*5 + 2*7*5) * 3
    ),
    Row(
        IndexReduce(dim=1, reduce="prod"),
        inputs=(X, LIST, (2, 7, 5)),
        outputs=(X,),
        forward=70,  # 2*7*5
        backward_input=200,  # (2*3*5 + 2*7*5) * 2
    ),
    Row(
        IndexReduce(dim=1, reduce="mean", include_self=False),
        inputs=(X, LIST, (2, 7, 5)),
        outputs=(X,),
        forward=100,  # 2*7*5 + 2*3*5
        backward_input=100,  # 2*7*5 + 2*3*5
    ),
    Row(
        IndexReduce(dim=-1, reduce="mean"),
        inputs=(X, LIST, (2, 3, 7)),
        outputs=(X,),
        forward=72,  # 2*3*7 + 2*3*5
        backward_input=72,  # 2*3*7 + 2*3*5
    ),
    Row(
        IndexReduce(dim=1, reduce="amax"),
        inputs=(X, LIST, (2, 7, 5)),
        outputs=(X,),
        forward=70,  # 2*7*5
        backward_input=300,  # (2*3*5 + 2*7*5) * 3
    ),
    Row(
        IndexReduce(dim=1, reduce="amin", include_self=False, inplace=True),
        inputs=(X, LIST, (2, 7, 5)),
        outputs=(X,),
        forward=70,  # 2*7*5
        backward_input=300,  # (2*3*5 + 2*7*5) * 3
    ),
)
