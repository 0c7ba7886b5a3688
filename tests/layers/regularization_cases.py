"""Dropout in training: masked and scaled; backward one product with the scaled mask."""

from __future__ import annotations

from archcost.layers import Dropout
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Dropout(),
        inputs=((2, 7),),
        outputs=((2, 7),),
        forward=28,  # (2*7) * 2
        backward_input=14,  # 2*7
    ),
    Row(
        Dropout(p=0.2, inplace=True),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 7),),
        forward=420,  # (2*3*5*7) * 2
        backward_input=210,  # 2*3*5*7
    ),
)
