"""Functions of pairs of values: angles, powers, sums of exponentials, and what lies between two tensors."""

from __future__ import annotations

from archcost.layers import (
    Atan2,
    CopySign,
    Cross,
    Div,
    FloorDivide,
    FMax,
    FMin,
    Hypot,
    LdExp,
    Lerp,
    LogAddExp,
    LogAddExp2,
    PowTensor,
    Sub,
    XLog1pY,
    XLogY,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row

SHAPE = (2, 3, 5)
INDICES = TensorType(SHAPE, "int64")

ROWS: tuple[Row, ...] = (
    Row(
        Sub(alpha=0.5),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2: product, difference
        backward_input=60,  # (2*3*5) * 2: negation, product; the first's is passed on
    ),
    Row(
        Sub(alpha=2, inplace=True),
        inputs=(SHAPE, (3, 1)),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2
        backward_input=90,  # (2*3*5) * (2 + 1): negation, product, and summed back to 3×1
    ),
    Row(
        Sub(alpha=3),
        inputs=(INDICES, INDICES),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2
    ),
    Row(
        Atan2(),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=300,  # (2*3*5) * (5 + 2 + 3): squares, sum, comparison, inverse; products; negation, products
    ),
    Row(
        Atan2(),
        inputs=((3, 1), (2, 1, 5)),  # each stretches the other
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=360,  # (2*3*5) * (5 + 2 + 1 + 3 + 1): and a sum for each
    ),
    Row(
        Atan2(),
        inputs=(INDICES, SHAPE),
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=240,  # (2*3*5) * (5 + 3)
        dtypes=("float32",),
    ),
    Row(
        LogAddExp(),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=120,  # (2*3*5) * 4: two exponentials, sum, logarithm
        backward_input=240,  # (2*3*5) * (4 + 4): difference, exponential, sum, division, for each
    ),
    Row(
        LogAddExp(),
        inputs=(SHAPE, (3, 1)),
        outputs=(SHAPE,),
        forward=120,  # (2*3*5) * 4
        backward_input=270,  # (2*3*5) * (4 + 4 + 1): and the second's sum
    ),
    Row(
        LogAddExp2(),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=120,  # (2*3*5) * 4: two powers, sum, logarithm
        backward_input=240,  # (2*3*5) * (4 + 4)
    ),
    Row(
        CopySign(),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=60,  # (2*3*5) * 2: division, product; zeros for the second
    ),
    Row(
        CopySign(),
        inputs=((3, 1), SHAPE),
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=90,  # (2*3*5) * (2 + 1): and the first's sum
    ),
    Row(
        XLogY(),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2: logarithm, product
        backward_input=210,  # (2*3*5) * (5 + 2): both, comparisons and their conjunction; product, division
    ),
    Row(
        XLogY(),
        inputs=((5,), (3, 1)),
        outputs=((3, 5),),
        forward=30,  # (3*5) * 2
        backward_input=135,  # (3*5) * (5 + 1 + 2 + 1)
    ),
    Row(
        PowTensor(),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=330,  # (2*3*5) * (5 + 6): both products, and comparisons
    ),
    Row(
        PowTensor(),
        inputs=((5,), SHAPE),  # a learnt base
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=360,  # (2*3*5) * (5 + 1 + 6): and the base's sum
    ),
    Row(
        PowTensor(inplace=True),
        inputs=(SHAPE, (3, 1)),
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=360,  # (2*3*5) * (5 + 6 + 1)
    ),
    Row(
        PowTensor(),
        inputs=(SHAPE, INDICES),
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=150,  # (2*3*5) * 5
    ),
    Row(
        Lerp(weight=0.3),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=90,  # (2*3*5) * 3: difference, product, sum
        backward_input=60,  # (2*3*5) * 2: a product for each
    ),
    Row(
        Lerp(weight=0.3, inplace=True),
        inputs=(SHAPE, (5,)),
        outputs=(SHAPE,),
        forward=90,  # (2*3*5) * 3
        backward_input=90,  # (2*3*5) * (1 + 1 + 1): and the second's sum
    ),
    Row(
        Lerp(),
        inputs=(SHAPE, SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=90,  # (2*3*5) * 3
        backward_input=150,  # (2*3*5) * (2 + 1 + 2): difference, product; product; difference, product
    ),
    Row(
        Lerp(),
        inputs=(SHAPE, SHAPE, (2, 1, 1)),  # a gate of each sample
        outputs=(SHAPE,),
        forward=90,  # (2*3*5) * 3
        backward_input=180,  # (2*3*5) * (2 + 1 + 2 + 1)
    ),
    Row(
        Lerp(inplace=True),
        inputs=(SHAPE, SHAPE, (5,)),
        outputs=(SHAPE,),
        forward=90,  # (2*3*5) * 3
        backward_input=180,  # (2*3*5) * (2 + 1 + 2 + 1)
    ),
    Row(
        Hypot(),
        inputs=(SHAPE, (3, 1)),
        outputs=(SHAPE,),
        forward=120,  # (2*3*5) * 4: two products, sum, root
        backward_input=150,  # (2*3*5) * (2 + 2 + 1): product and division for each, and the second's sum
    ),
    Row(
        Hypot(),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=120,  # (2*3*5) * 4
        backward_input=120,  # (2*3*5) * (2 + 2)
    ),
    Row(
        LdExp(),
        inputs=(SHAPE, (5,)),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2: power, product
        backward_input=150,  # (2*3*5) * (2 + 2 + 1): power, product; two products and a sum
    ),
    Row(
        FMax(),
        inputs=(SHAPE, (3, 1)),
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=90,  # (2*3*5) * (1 + 1 + 1)
    ),
    Row(
        FMin(),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=30,  # 2*3*5
        backward_input=60,  # (2*3*5) * (1 + 1)
    ),
    Row(
        XLog1pY(),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=90,  # (2*3*5) * 3: sum, logarithm, product
        backward_input=270,  # (2*3*5) * (6 + 3): the three, comparisons and their conjunction; product, sum, division
    ),
    Row(
        FloorDivide(),
        inputs=(SHAPE, (3, 1)),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2: division, rounding
    ),
    Row(
        FloorDivide(other=2),
        inputs=(INDICES,),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2
    ),
    Row(
        FloorDivide(other=2.5),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2
    ),
    Row(
        Div(rounding_mode="floor"),
        inputs=(SHAPE, (3, 1)),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2
        backward_input=30,  # 2*3*5: zeros; the second's are summed back
    ),
    Row(
        Div(rounding_mode="trunc", inplace=True),
        inputs=(SHAPE, SHAPE),
        outputs=(SHAPE,),
        forward=60,  # (2*3*5) * 2
        backward_input=0,  # 0: zeros
    ),
    Row(
        Cross(),
        inputs=((2, 5, 3), (2, 5, 3)),
        outputs=((2, 5, 3),),
        forward=90,  # (2*5*3) * 3: two products, difference
        backward_input=180,  # (2*5*3) * 3 * 2
    ),
    Row(
        Cross(dim=1),
        inputs=((2, 3, 5), (1, 3, 5)),
        outputs=(SHAPE,),
        forward=90,  # (2*3*5) * 3
        backward_input=210,  # (2*3*5) * (3 + 3 + 1): and the second's sum
    ),
)
