"""Products of two tensors: as many sums as there are output values, each of as many products as the rows are long."""

from __future__ import annotations

from archcost.layers import Bmm, MatMul
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        MatMul(),
        inputs=((2, 3, 5), (2, 5, 7)),
        outputs=((2, 3, 7),),
        macs=210,  # 2*3*7 * 5
        macs_backward_input=420,  # 2*3*7 * 5 + 2*3*7 * 5: one for each
    ),
    Row(
        MatMul(),
        inputs=((3, 5), (5, 7)),
        outputs=((3, 7),),
        macs=105,  # 3*7 * 5
        macs_backward_input=210,  # 3*7 * 5 + 3*7 * 5: one for each
    ),
    Row(
        MatMul(),
        inputs=((2, 3, 5), (5, 7)),
        outputs=((2, 3, 7),),
        macs=210,  # 2*3*7 * 5: one matrix for all
        macs_backward_input=420,  # 2*3*7 * 5 + 2*3*7 * 5: one for each
    ),
    Row(
        MatMul(),
        inputs=((3, 5), (2, 5, 7)),
        outputs=((2, 3, 7),),
        macs=210,  # 2*3*7 * 5
        macs_backward_input=420,  # 2*3*7 * 5 + 2*3*7 * 5: one for each
    ),
    Row(
        MatMul(),
        inputs=((2, 3, 5), (1, 5, 7)),
        outputs=((2, 3, 7),),
        macs=210,  # 2*3*7 * 5
        macs_backward_input=420,  # 2*3*7 * 5 + 2*3*7 * 5: one for each
    ),
    Row(
        MatMul(),
        inputs=((1, 3, 5), (2, 5, 7)),
        outputs=((2, 3, 7),),
        macs=210,  # 2*3*7 * 5
        macs_backward_input=420,  # 2*3*7 * 5 + 2*3*7 * 5: one for each
    ),
    Row(
        MatMul(),
        inputs=((2, 3, 11, 5), (2, 3, 5, 7)),
        outputs=((2, 3, 11, 7),),
        macs=2310,  # 2*3*11*7 * 5
        macs_backward_input=4620,  # 2*3*11*7 * 5 + 2*3*11*7 * 5: one for each
    ),
    Row(
        MatMul(),
        inputs=((2, 3, 11, 5), (2, 1, 5, 7)),
        outputs=((2, 3, 11, 7),),
        macs=2310,  # 2*3*11*7 * 5
        macs_backward_input=4620,  # 2*3*11*7 * 5 + 2*3*11*7 * 5: one for each
    ),
    Row(
        MatMul(),
        inputs=((2, 1, 11, 5), (3, 5, 7)),
        outputs=((2, 3, 11, 7),),
        macs=2310,  # 2*3*11*7 * 5: both stretch
        macs_backward_input=4620,  # 2*3*11*7 * 5 + 2*3*11*7 * 5: one for each
    ),
    Row(
        Bmm(),
        inputs=((2, 3, 5), (2, 5, 7)),
        outputs=((2, 3, 7),),
        macs=210,  # 2*3*7 * 5
        macs_backward_input=420,  # 2*3*7 * 5 + 2*3*7 * 5: one for each
    ),
)
