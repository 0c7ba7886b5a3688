"""Putting values into places of a tensor: only what is added counts."""

from __future__ import annotations

from archcost.layers import IndexAdd, MaskedScatter, Scatter, ScatterAdd
from archcost.tensors import TensorType
from tests.layers.rows import Row

INDICES = TensorType((2, 1, 5), "int64")
LIST = TensorType((7,), "int64")
MASK = TensorType((2, 3, 1), "bool")
X = (2, 3, 5)

ROWS: tuple[Row, ...] = (
    Row(Scatter(dim=1), inputs=(X, INDICES, (2, 1, 5)), outputs=(X,)),
    Row(Scatter(dim=-2, value=1.5), inputs=(X, INDICES), outputs=(X,)),
    Row(Scatter(dim=1, inplace=True), inputs=(X, INDICES, (2, 1, 5)), outputs=(X,)),
    Row(Scatter(dim=1, value=0.0, inplace=True), inputs=(X, INDICES), outputs=(X,)),
    Row(
        ScatterAdd(dim=1),
        inputs=(X, INDICES, (2, 1, 5)),
        outputs=(X,),
        forward=10,  # 2*1*5: an addition an index
    ),
    Row(
        ScatterAdd(dim=1, inplace=True),
        inputs=(X, INDICES, (2, 1, 5)),
        outputs=(X,),
        forward=10,  # 2*1*5
    ),
    Row(
        IndexAdd(dim=1),
        inputs=(X, LIST, (2, 7, 5)),
        outputs=(X,),
        forward=70,  # 2*7*5
    ),
    Row(
        IndexAdd(dim=-1, inplace=True),
        inputs=(X, LIST, (2, 3, 7)),
        outputs=(X,),
        forward=42,  # 2*3*7
    ),
    Row(MaskedScatter(), inputs=(X, MASK, (7, 2)), outputs=(X,)),
    Row(MaskedScatter(inplace=True), inputs=(X, MASK, (7,)), outputs=(X,)),
)
