"""Linear: every axis but the last only repeats the product."""

from __future__ import annotations

from archcost.layers import Linear
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Linear(out_features=5),
        inputs=((2, 7),),
        outputs=((2, 5),),
        parameters=40,  # (7 + 1) * 5
        macs=70,  # 2*5 * 7: outputs times products
        forward=10,  # 2*5: a bias an output
        backward_weight=10,  # 2*5
    ),
    Row(
        Linear(out_features=5, bias=False),
        inputs=((2, 7),),
        outputs=((2, 5),),
        parameters=35,  # 7 * 5
        macs=70,  # 2*5 * 7
    ),
    Row(
        Linear(out_features=5),
        inputs=((2, 3, 7),),
        outputs=((2, 3, 5),),
        parameters=40,  # (7 + 1) * 5: the rows share the matrix
        macs=210,  # 2*3*5 * 7
        forward=30,  # 2*3*5
        backward_weight=30,  # 2*3*5
    ),
    Row(
        Linear(out_features=5, bias=False),
        inputs=((2, 3, 11, 7),),
        outputs=((2, 3, 11, 5),),
        parameters=35,  # 7 * 5
        macs=2310,  # 2*3*11*5 * 7
    ),
    Row(
        Linear(out_features=1),
        inputs=((3, 1),),
        outputs=((3, 1),),
        parameters=2,  # (1 + 1) * 1
        macs=3,  # 3*1 * 1
        forward=3,  # 3*1
        backward_weight=3,  # 3*1
    ),
)
