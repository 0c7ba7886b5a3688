"""Products with vectors, and distances between rows."""

from __future__ import annotations

from archcost.layers import MV, AddBMM, AddMV, AddR, CDist, Dot
from tests.layers.rows import Row

PAIRS = "donot_use_mm_for_euclid_dist"

ROWS: tuple[Row, ...] = (
    Row(
        MV(),
        inputs=((3, 5), (5,)),
        outputs=((3,),),
        macs=15,  # 3*5
        macs_backward_input=15,  # 3*5: the vector's
        backward_input=15,  # 3*5: a product for each value of the matrix
    ),
    Row(
        Dot(),
        inputs=((7,), (7,)),
        outputs=((),),
        macs=7,  # 7
        macs_backward_input=0,  # 0
        backward_input=14,  # 7 + 7: a product each
    ),
    Row(
        AddMV(),
        inputs=((3,), (3, 5), (5,)),
        outputs=((3,),),
        macs=15,  # 3*5
        macs_backward_input=15,  # 3*5
        forward=3,  # 3: an addition
        backward_input=15,  # 3*5
    ),
    Row(
        AddMV(beta=0.5, alpha=2.0),
        inputs=((1,), (3, 5), (5,)),
        outputs=((3,),),
        macs=15,  # 3*5
        macs_backward_input=15,  # 3*5
        forward=9,  # 3 * 3: an addition, and two factors
        backward_input=41,  # 3*5 * 2 + 5 + 3 * 2: the matrix's and its factor, the vector's; scaled and summed
    ),
    Row(
        AddR(),
        inputs=((3, 5), (3,), (5,)),
        outputs=((3, 5),),
        forward=30,  # 3*5 * 2: product, addition
        macs_backward_input=30,  # 3*5 + 3*5: a product with the matrix that arrives for each vector
        backward_input=0,  # 0: passed on
    ),
    Row(
        AddR(beta=0.5, alpha=2.0),
        inputs=((5,), (3,), (5,)),
        outputs=((3, 5),),
        forward=60,  # 3*5 * 4: product, addition, two factors
        macs_backward_input=30,  # 3*5 + 3*5
        backward_input=38,  # 3*5 * 2 + 3 + 5: scaled and summed back; each vector's scaled
    ),
    Row(
        AddBMM(),
        inputs=((3, 7), (2, 3, 5), (2, 5, 7)),
        outputs=((3, 7),),
        macs=210,  # 2 * 3*5*7
        macs_backward_input=420,  # 2 * 3*5*7 * 2
        forward=21,  # 3*7: an addition
    ),
    Row(
        AddBMM(beta=0.5, alpha=2.0),
        inputs=((7,), (2, 3, 5), (2, 5, 7)),
        outputs=((3, 7),),
        macs=210,  # 2 * 3*5*7
        macs_backward_input=420,  # 2 * 3*5*7 * 2
        forward=63,  # 3*7 * 3
        backward_input=42,  # 3*7 * 2: scaled and summed back
    ),
    Row(
        CDist(),
        inputs=((2, 3, 5), (2, 7, 5)),
        outputs=((2, 3, 7),),
        forward=672,  # 2*3*7*5 * 3 + 2*3*7: difference, square, sum; roots
        backward_input=1680,  # 2*3*7*5 * 4 * 2: difference, product, division, sum for each
    ),
    Row(
        CDist(),
        inputs=((2, 3, 5), (7, 5)),  # one set of centres for all
        outputs=((2, 3, 7),),
        forward=672,  # 2*3*7*5 * 3 + 2*3*7
        backward_input=1750,  # 2*3*7*5 * 4 * 2 + 2*7*5: and the second's sum
    ),
    Row(
        CDist(p=1.0),
        inputs=((2, 3, 5), (2, 7, 5)),
        outputs=((2, 3, 7),),
        forward=630,  # 2*3*7*5 * 3: difference, absolute value, sum
        backward_input=1680,  # 2*3*7*5 * 4 * 2: difference, sign, product, sum
    ),
    Row(
        CDist(p=3.0),
        inputs=((2, 3, 5), (2, 1, 5)),
        outputs=((2, 3, 1),),
        forward=126,  # 2*3*5 * 4 + 2*3: difference, absolute value, power, sum; roots
        backward_input=540,  # 2*3*5 * 9 * 2
    ),
    Row(
        CDist(p="inf"),
        inputs=((3, 5), (7, 5)),
        outputs=((3, 7),),
        forward=315,  # 3*7*5 * 3: difference, absolute value, maximum
        backward_input=1470,  # 3*7*5 * 7 * 2
    ),
    Row(
        CDist(p=0.0),
        inputs=((3, 5), (7, 5)),
        outputs=((3, 7),),
        forward=315,  # 3*7*5 * 3: difference, comparison, sum
        backward_input=0,  # 0: zeros
    ),
    Row(
        CDist(compute_mode=PAIRS),
        inputs=((29, 5), (7, 5)),
        outputs=((29, 7),),
        forward=3248,  # 29*7*5 * 3 + 29*7
        backward_input=8120,  # 29*7*5 * 4 * 2
    ),
    Row(
        CDist(),
        inputs=((2, 29, 3), (2, 7, 3)),
        outputs=((2, 29, 7),),
        macs=2030,  # 2*29*7 * (3 + 2): by a product, two columns of squares
        macs_backward_input=2436,  # 2*29*7*3 * 2
        forward=1418,  # 2*(29 + 7)*3 * 2 + 2*29*3 + 2*29*7 * 2: squares and their sums; doubled; bounds and roots
        backward_input=2056,  # 2*29*7 * 4 + 2*(29 + 7)*3 * 2
    ),
    Row(
        CDist(),
        inputs=((2, 29, 3), (1, 7, 3)),
        outputs=((2, 29, 7),),
        macs=2030,  # 2*29*7 * (3 + 2)
        macs_backward_input=2436,  # 2*29*7*3 * 2
        forward=1418,  # 2*(29 + 7)*3 * 2 + 2*29*3 + 2*29*7 * 2
        backward_input=2098,  # 2*29*7 * 4 + 2*(29 + 7)*3 * 2 + 2*7*3: and the second's sum
    ),
    Row(
        CDist(compute_mode="use_mm_for_euclid_dist"),
        inputs=((3, 5), (7, 5)),
        outputs=((3, 7),),
        macs=147,  # 3*7 * (5 + 2)
        macs_backward_input=210,  # 3*7*5 * 2
        forward=157,  # (3 + 7)*5 * 2 + 3*5 + 3*7 * 2
        backward_input=184,  # 3*7 * 4 + (3 + 7)*5 * 2
    ),
)
