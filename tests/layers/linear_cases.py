"""Linear: every axis but the last only repeats the product."""

from __future__ import annotations

from archcost.layers import Bilinear, Linear
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
    Row(
        Bilinear(out_features=7),
        inputs=((2, 3), (2, 5)),
        outputs=((2, 7),),
        parameters=112,  # 7*3*5 + 7
        macs=280,  # 2*7 * (3*5 + 5)
        macs_backward_input=420,  # 2*7*3*5 * 2
        macs_backward_weight=210,  # 2*7*3*5
        forward=14,  # 2*7: the bias
        backward_input=280,  # 2*7*3*5 + 2*7*5: products without a sum
        backward_weight=56,  # 2*7*3 + 2*7: products without a sum; the bias
    ),
    Row(
        Bilinear(out_features=7, bias=False),
        inputs=((2, 11, 3), (2, 11, 5)),
        outputs=((2, 11, 7),),
        parameters=105,  # 7*3*5
        macs=3080,  # 2*11*7 * (3*5 + 5)
        macs_backward_input=4620,  # 2*11*7*3*5 * 2
        macs_backward_weight=2310,  # 2*11*7*3*5
        backward_input=3080,  # 2*11*7*3*5 + 2*11*7*5
        backward_weight=462,  # 2*11*7*3
    ),
)
