"""Tensors side by side: no arithmetic."""

from __future__ import annotations

from archcost.layers import Concat
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(Concat(), inputs=((2, 3, 5), (2, 7, 5)), outputs=((2, 10, 5),)),
    Row(Concat(dim=-1), inputs=((2, 3, 5), (2, 3, 7), (2, 3, 11)), outputs=((2, 3, 23),)),
    Row(Concat(dim=2), inputs=((2, 3, 5, 7),), outputs=((2, 3, 5, 7),)),
    Row(
        Concat(),
        inputs=(TensorType((2, 3), "int64"), TensorType((2, 5), "int64")),
        outputs=((2, 8),),
    ),
)
