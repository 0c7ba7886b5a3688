"""Functions of each value alone that few networks have: so many operations a value, forward and back."""

from __future__ import annotations

from archcost.layers import (
    I0,
    Acosh,
    Digamma,
    Entr,
    Erfcx,
    Erfinv,
    Exp2,
    Frac,
    I0e,
    Lgamma,
    LogNdtr,
    Ndtri,
    Polygamma,
    Round,
    RReLU,
    Sinc,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row

SHAPE = (2, 3, 5)  # 30 values
INTEGERS = (TensorType(SHAPE, "int64"),)

ROWS: tuple[Row, ...] = (
    Row(
        Exp2(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=60,  # 30 * 2: a power; two products
    ),
    Row(
        Erfinv(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=150,  # 30 * 5: power, exponential, inverse again, two products
    ),
    Row(
        Lgamma(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=60,  # 30 * 2: digamma, product
    ),
    Row(
        Digamma(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=60,  # 30 * 2: polygamma, product
    ),
    Row(
        I0(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=60,  # 30 * 2: i1, product
    ),
    Row(
        Acosh(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=120,  # 30 * 4: product, difference, root, product
    ),
    Row(
        Entr(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=90,  # 30 * 3
        backward_input=120,  # 30 * 4: negation, logarithm, product; logarithm, sum, negation, product
    ),
    Row(
        I0e(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=150,  # 30 * 5: i1e, sign, product, difference, product
    ),
    Row(
        Ndtri(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=150,  # 30 * 5: square, division, exponential, two products
    ),
    Row(
        LogNdtr(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=210,  # 30 * 7: square, division, sum, negation, exponential, division, product
    ),
    Row(
        Erfcx(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=120,  # 30 * 4: two products, difference, product
    ),
    Row(
        Frac(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2
        backward_input=0,  # 30 * 0: truncation, difference; passed on
    ),
    Row(
        Sinc(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=120,  # 30 * 4
        backward_input=300,  # 30 * 10: see the formula
    ),
    Row(
        Polygamma(n=1),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        backward_input=60,  # 30 * 2: polygamma, product
    ),
    Row(
        Round(decimals=2),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=90,  # 30 * 3
        backward_input=0,  # 30 * 0: product, rounding, division
    ),
    Row(
        RReLU(),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2
        backward_input=60,  # 30 * 2: comparison, product
    ),
    Row(
        RReLU(inplace=True),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2
        backward_input=60,  # 30 * 2
    ),
    Row(
        Exp2(),
        inputs=INTEGERS,
        outputs=(SHAPE,),
        forward=30,  # 30 * 1
        dtypes=("float32",),
    ),
    Row(
        Sinc(inplace=True),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=120,  # 30 * 4
        backward_input=300,  # 30 * 10
    ),
    Row(
        Frac(inplace=True),
        inputs=(SHAPE,),
        outputs=(SHAPE,),
        forward=60,  # 30 * 2
        backward_input=0,  # 0: passed on
    ),
)
