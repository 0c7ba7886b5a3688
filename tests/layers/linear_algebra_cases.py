"""Factors of matrices: LAPACK's counts by the highest powers."""

from __future__ import annotations

from archcost.layers import Inverse, Solve, SolveTriangular
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Inverse(),
        inputs=((2, 5, 5),),
        outputs=((2, 5, 5),),
        forward=500,  # 2 * 2*5*5*5
        macs_backward_input=500,  # 2 * 2*5*5*5: two products
        backward_input=50,  # 2 * 5*5
    ),
    Row(
        Solve(),
        inputs=((2, 5, 5), (2, 5, 3)),
        outputs=((2, 5, 3),),
        forward=466,  # 2 * (83 + 2*5*5*3): 2*125/3 = 83.3
        macs_backward_input=150,  # 2 * 5*5*3
        backward_input=350,  # 2 * (2*5*5*3 + 5*5)
    ),
    Row(
        SolveTriangular(upper=False),
        inputs=((2, 5, 5), (2, 5, 3)),
        outputs=((2, 5, 3),),
        forward=150,  # 2 * 5*5*3
        macs_backward_input=150,  # 2 * 5*5*3
        backward_input=200,  # 2 * (5*5*3 + 5*5)
    ),
)
