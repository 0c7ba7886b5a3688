"""Values by their order, norms of any order, and what is counted: so many operations a value read."""

from __future__ import annotations

from archcost.layers import (
    AMinMax,
    CountNonzero,
    KthValue,
    Median,
    MedianAll,
    Mode,
    Multinomial,
    NanMedian,
    NanMedianAll,
    NanSum,
    Norm,
)
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Norm(dim=1, ord="inf"),
        inputs=((2, 3, 5),),
        outputs=((2, 5),),
        forward=60,  # 2*3*5 * 2
        backward_input=180,  # 2*3*5 * 6: value, comparison, count, two products, sign
    ),
    Row(
        Norm(dim=(1, 2), ord="-inf", keepdim=True),
        inputs=((2, 3, 5),),
        outputs=((2, 1, 1),),
        forward=60,  # 2*3*5 * 2
        backward_input=180,  # 2*3*5 * 6
    ),
    Row(
        Norm(dim=2, ord=0),
        inputs=((2, 3, 5),),
        outputs=((2, 3),),
        forward=60,  # 2*3*5 * 2
        backward_input=0,  # 2*3*5 * 0
    ),
    Row(
        Norm(dim=2, ord=3),
        inputs=((2, 3, 5),),
        outputs=((2, 3),),
        forward=90,  # 2*3*5 * 3
        backward_input=120,  # 2*3*5 * 4: value, power, two products
    ),
    Row(
        Norm(dim=2, ord=1.5),
        inputs=((2, 3, 5),),
        outputs=((2, 3),),
        forward=90,  # 2*3*5 * 3
        backward_input=150,  # 2*3*5 * 5: value, power, sign, two products
    ),
    Row(
        Norm(dim=(0, 1), ord=0.5),
        inputs=((2, 3, 5),),
        outputs=((5,),),
        forward=90,  # 2*3*5 * 3
        backward_input=150,  # 2*3*5 * 5
    ),
    Row(
        Median(),
        inputs=((2, 3, 5),),
        outputs=((2, 3), (2, 3)),
        forward=30,  # 2*3*5 * 1
        backward_input=0,  # 2*3*5 * 0
        dtypes=("float32", "int64"),
    ),
    Row(
        NanMedian(),
        inputs=((2, 3, 5),),
        outputs=((2, 3), (2, 3)),
        forward=30,  # 2*3*5 * 1
        backward_input=0,  # 2*3*5 * 0
        dtypes=("float32", "int64"),
    ),
    Row(
        Mode(),
        inputs=((2, 3, 5),),
        outputs=((2, 3), (2, 3)),
        forward=30,  # 2*3*5 * 1
        backward_input=0,  # 2*3*5 * 0
        dtypes=("float32", "int64"),
    ),
    Row(
        KthValue(k=2, dim=1, keepdim=True),
        inputs=((2, 3, 5),),
        outputs=((2, 1, 5), (2, 1, 5)),
        forward=30,  # 2*3*5 * 1
        backward_input=0,  # 2*3*5 * 0
        dtypes=("float32", "int64"),
    ),
    Row(
        MedianAll(),
        inputs=((2, 3, 5),),
        outputs=((),),
        forward=30,  # 2*3*5 * 1
        backward_input=90,  # 2*3*5 * 3: comparison, addition, product
    ),
    Row(
        NanMedianAll(),
        inputs=((2, 3, 5),),
        outputs=((),),
        forward=30,  # 2*3*5 * 1
        backward_input=90,  # 2*3*5 * 3
    ),
    Row(
        AMinMax(dim=1),
        inputs=((2, 3, 5),),
        outputs=((2, 5), (2, 5)),
        forward=60,  # 2*3*5 * 2
        backward_input=210,  # 2*3*5 * 7: comparison, addition, product for each, and a sum
    ),
    Row(
        AMinMax(),
        inputs=((2, 3, 5),),
        outputs=((), ()),
        forward=60,  # 2*3*5 * 2
        backward_input=210,  # 2*3*5 * 7
    ),
    Row(
        CountNonzero(dim=(1, 2)),
        inputs=((2, 3, 5),),
        outputs=((2,),),
        forward=60,  # 2*3*5 * 2
        dtypes=("int64",),
    ),
    Row(
        CountNonzero(),
        inputs=((2, 3, 5),),
        outputs=((),),
        forward=60,  # 2*3*5 * 2
        dtypes=("int64",),
    ),
    Row(
        NanSum(dim=1),
        inputs=((2, 3, 5),),
        outputs=((2, 5),),
        forward=60,  # 2*3*5 * 2
        backward_input=90,  # 2*3*5 * 3: comparison, negation, product
    ),
    Row(
        Multinomial(num_samples=3),
        inputs=((2, 5),),
        outputs=((2, 3),),
        forward=10,  # 2*5
        dtypes=("int64",),
    ),
    Row(
        Multinomial(num_samples=7, replacement=True),
        inputs=((5,),),
        outputs=((7,),),
        forward=5,  # 5
        dtypes=("int64",),
    ),
)
