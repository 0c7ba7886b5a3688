"""Losses: a scalar. Divisions and scalings of that one number are not counted, L1's weight is its own product."""

from __future__ import annotations

from archcost.layers import MSE, CrossEntropy, L1Penalty
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        CrossEntropy(),
        inputs=((2, 7), TensorType((2,), "int64")),
        outputs=((),),
        forward=72,  # (2*7) * 5 + 2: log_softmax, and an addition a label
        backward_input=42,  # (2*7) * 3: exp, difference, product
    ),
    Row(
        CrossEntropy(reduction="sum"),
        inputs=((2, 7, 3, 5), TensorType((2, 3, 5), "int64")),
        outputs=((),),
        forward=1080,  # (2*7*3*5) * 5 + 2*3*5
        backward_input=630,  # (2*7*3*5) * 3
    ),
    Row(
        MSE(),
        inputs=((2, 7), (2, 7)),
        outputs=((),),
        forward=42,  # (2*7) * 3: difference, square, sum
        backward_input=56,  # (2*7) * 2 * 2: difference and product, for either side
    ),
    Row(
        MSE(reduction="sum"),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((),),
        forward=90,  # (2*3*5) * 3
        backward_input=120,  # (2*3*5) * 2 * 2
    ),
    Row(
        L1Penalty(weight=0.001),
        inputs=((2, 7),),
        outputs=((),),
        forward=29,  # (2*7) * 2 + 1: absolute value, sum; the weight once
        backward_input=28,  # (2*7) * 2: sign, product
    ),
)
