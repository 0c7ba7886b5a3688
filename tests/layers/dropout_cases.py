"""Dropout in training: masked and scaled; backward one product with the scaled mask."""

from __future__ import annotations

from archcost.layers import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d
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
    Row(
        Dropout1d(),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=30,  # 2*3*5
    ),
    Row(
        Dropout2d(p=0.25),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7
    ),
    Row(
        Dropout3d(),
        inputs=((2, 3, 5, 7, 11),),
        outputs=((2, 3, 5, 7, 11),),
        forward=2310,  # 2*3*5*7*11
        backward_input=2310,  # 2*3*5*7*11
    ),
    Row(
        AlphaDropout(),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 7),),
        forward=420,  # 2*3*5*7 * 2: product and sum
        backward_input=210,  # 2*3*5*7: the product
    ),
)
