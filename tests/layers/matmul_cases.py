"""Products of two tensors: as many sums as there are output values, each of as many products as the rows are long."""

from __future__ import annotations

from archcost.layers import AddMM, BAddBMM, Bmm, Einsum, GroupedMM, MatMul
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        GroupedMM(),
        inputs=((6, 5), (3, 5, 7)),
        outputs=((6, 7),),
        macs=210,  # 6*7 * 5: each row meets one matrix
        macs_backward_input=420,  # 6*7 * 5 + 6*7 * 5: one for each
    ),
    Row(
        GroupedMM(),
        inputs=((11, 5), (3, 5, 7), TensorType((3,), "int32")),
        outputs=((11, 7),),
        macs=385,  # 11*7 * 5: groups need not be of one size
        macs_backward_input=770,  # 11*7 * 5 + 11*7 * 5: one for each
    ),
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
    Row(
        Einsum(equation="bhtd,bhsd->bhts"),
        inputs=((2, 3, 7, 5), (2, 3, 11, 5)),
        outputs=((2, 3, 7, 11),),
        macs=2310,  # 2*3*7*11 * 5
        macs_backward_input=4620,  # 2*3*7*11 * 5 + 2*3*7*11 * 5
    ),
    Row(
        Einsum(equation="bik,kj->bij"),
        inputs=((2, 3, 5), (5, 7)),
        outputs=((2, 3, 7),),
        macs=210,  # 2*3*7 * 5
        macs_backward_input=420,  # 2*3*7 * 5 + 2*3*7 * 5
    ),
    Row(
        Einsum(equation="bchw,bkc->bkhw"),
        inputs=((2, 3, 5, 7), (2, 11, 3)),
        outputs=((2, 11, 5, 7),),
        macs=2310,  # 2*11*5*7 * 3
        macs_backward_input=4620,  # 2*11*5*7 * 3 + 2*11*5*7 * 3
    ),
    Row(
        Einsum(equation="bid,bjd->bji"),
        inputs=((2, 3, 5), (2, 7, 5)),
        outputs=((2, 7, 3),),
        macs=210,  # 2*7*3 * 5
        macs_backward_input=420,  # 2*7*3 * 5 + 2*7*3 * 5
    ),
    Row(
        Einsum(equation="i,j->ij"),
        inputs=((5,), (7,)),
        outputs=((5, 7),),
        forward=35,  # 5*7
        backward_input=140,  # 5*7 * (2 + 2): a product and a sum for each
    ),
    Row(
        Einsum(equation="bij,bjk->bjki"),
        inputs=((2, 3, 5), (2, 5, 7)),
        outputs=((2, 5, 7, 3),),
        forward=210,  # 2*5*7*3
        backward_input=840,  # 2*5*7*3 * (2 + 2)
    ),
    Row(
        Einsum(equation="bij,bij->bij"),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=60,  # 2*3*5 * (1 + 1): each a product with the other
    ),
    Row(
        Einsum(equation="bid,bjd->bij"),
        inputs=((2, 3, 1), (2, 7, 1)),  # no letter of more than one value is summed over
        outputs=((2, 3, 7),),
        forward=42,  # 2*3*7
        backward_input=168,  # 2*3*7 * (2 + 2)
    ),
    Row(
        AddMM(),
        inputs=((5,), (2, 3), (3, 5)),
        outputs=((2, 5),),
        macs=30,  # 2*5 * 3
        macs_backward_input=60,  # 2 * (2*5 * 3): both matrices
        forward=10,  # 2*5: added
        backward_input=10,  # 2*5: summed back
    ),
    Row(
        AddMM(beta=2.0, alpha=0.5),
        inputs=((2, 5), (2, 3), (3, 5)),
        outputs=((2, 5),),
        macs=30,  # 2*5 * 3
        macs_backward_input=60,  # 2 * (2*5 * 3)
        forward=30,  # 2*5 * 3: added, two factors
        backward_input=10,  # 2*5: the factor
    ),
    Row(
        BAddBMM(alpha=0.25),
        inputs=((2, 1, 5), (2, 7, 3), (2, 3, 5)),
        outputs=((2, 7, 5),),
        macs=210,  # 2*7*5 * 3
        macs_backward_input=420,  # 2 * (2*7*5 * 3)
        forward=140,  # 2*7*5 * 2: added, a factor
        backward_input=70,  # 2*7*5: summed back
    ),
    Row(
        BAddBMM(beta=3.0),
        inputs=((7, 1), (2, 7, 3), (2, 3, 5)),
        outputs=((2, 7, 5),),
        macs=210,  # 2*7*5 * 3
        macs_backward_input=420,  # 2 * (2*7*5 * 3)
        forward=140,  # 2*7*5 * 2: added, a factor
        backward_input=140,  # 2*7*5 * 2: the factor, summed back
    ),
    Row(
        BAddBMM(),
        inputs=((2, 7, 5), (2, 7, 3), (2, 3, 5)),
        outputs=((2, 7, 5),),
        macs=210,  # 2*7*5 * 3
        macs_backward_input=420,  # 2 * (2*7*5 * 3)
        forward=70,  # 2*7*5
    ),
)
