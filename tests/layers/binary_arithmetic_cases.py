"""Several tensors into one. A stretched input's gradient is summed back: one addition a value of the output."""

from __future__ import annotations

from archcost.layers import Add, Mul
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Add(),
        inputs=((2, 3, 5, 7), (2, 3, 5, 7)),
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7; backward only passes the gradient on
    ),
    Row(
        Add(),
        inputs=((2, 3, 5), (2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=60,  # (2*3*5) * 2
    ),
    Row(
        Add(),
        inputs=((2, 3, 5, 7), (2, 3, 1, 1)),
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7: summed back to 2×3×1×1
    ),
    Row(
        Add(),
        inputs=((2, 1, 7), (2, 5, 1)),  # each stretches the other
        outputs=((2, 5, 7),),
        forward=70,  # 2*5*7
        backward_input=140,  # 2*5*7 + 2*5*7
    ),
    Row(
        Add(inplace=True),
        inputs=((2, 3, 5, 7), (2, 3, 5, 7), (2, 1, 5, 1)),
        outputs=((2, 3, 5, 7),),
        forward=420,  # (2*3*5*7) * 2
        backward_input=210,  # 2*3*5*7: the last summed back to 2×1×5×1
    ),
    Row(
        Add(alpha=0.5),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=60,  # (2*3*5) * 2: product, sum
        backward_input=30,  # 2*3*5: the product
    ),
    Row(
        Add(alpha=2, inplace=True),
        inputs=((2, 3, 5), (2, 3, 1)),
        outputs=((2, 3, 5),),
        forward=60,  # (2*3*5) * 2: product, sum
        backward_input=60,  # (2*3*5) * 2: the product, and summed back to 2×3×1
    ),
    Row(
        Mul(),
        inputs=((2, 3, 5, 7), (2, 3, 5, 7)),
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7
        backward_input=420,  # 2*3*5*7 + 2*3*5*7: each with the other
    ),
    Row(
        Mul(),
        inputs=((2, 3, 5, 7), (2, 3, 1, 1)),  # squeeze and excite
        outputs=((2, 3, 5, 7),),
        forward=210,  # 2*3*5*7
        backward_input=630,  # 2*3*5*7 + 2*3*5*7 * 2: a product each, and the small one's sum
    ),
    Row(
        Mul(inplace=True),
        inputs=((2, 3, 5), (2, 1, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=90,  # 2*3*5 + 2*3*5 * 2
    ),
)
