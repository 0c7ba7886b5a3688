"""Choices of experts, as the tokens that each of them reads."""

from __future__ import annotations

from archcost.layers import ExpertRoute
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        ExpertRoute(num_experts=5),
        inputs=(TensorType((3, 5, 2), "int64"),),
        outputs=((5, 6), (3, 5, 2)),  # 3*5*2 choices, 6 for each of 5
        dtypes=("int64", "int64"),
    ),
    Row(
        ExpertRoute(num_experts=7),
        inputs=(TensorType((2, 7, 1), "int64"),),
        outputs=((7, 2), (2, 7, 1)),
        dtypes=("int64", "int64"),
    ),
)
