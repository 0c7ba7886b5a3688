"""Values of several tensors in pairs. A stretched input's gradient is summed back, an addition a value."""

from __future__ import annotations

from archcost.layers import (
    Div,
    Eq,
    Ge,
    Gt,
    Le,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    Lt,
    MaskedFill,
    Maximum,
    Minimum,
    Ne,
    Sub,
    Where,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row

IMAGES = (2, 3, 5, 7)  # 210 values
MASK = TensorType((2, 1, 1, 7), "bool")

ROWS: tuple[Row, ...] = (
    Row(
        Sub(),
        inputs=(IMAGES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7: the second's negation; the first's is passed on
    ),
    Row(
        Sub(),
        inputs=(IMAGES, (1, 3, 1, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=420,  # 2*3*5*7 * 2: negation and sum
    ),
    Row(
        Sub(),
        inputs=((3, 1, 7), (2, 3, 5, 1)),  # each stretches the other
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=630,  # 2*3*5*7 + 2*3*5*7 * 2: a sum; negation and sum
    ),
    Row(
        Sub(inplace=True),
        inputs=((2, 3, 5), (2, 1, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=60,  # 2*3*5 * 2
    ),
    Row(
        Div(),
        inputs=(IMAGES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=1050,  # 2*3*5*7 * (1 + 4): division; two divisions, negation, product
    ),
    Row(
        Div(),
        inputs=(IMAGES, (2, 3, 5, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=1260,  # 2*3*5*7 * (1 + 4 + 1): and the second's sum
    ),
    Row(
        Div(),
        inputs=((3, 1, 7), (2, 3, 5, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=1470,  # 2*3*5*7 * (1 + 1 + 4 + 1)
    ),
    Row(
        Div(inplace=True),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=150,  # 2*3*5 * (1 + 4)
    ),
    Row(
        Maximum(),
        inputs=(IMAGES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7: a comparison
        backward_input=420,  # 2*3*5*7 * 2: one for each
    ),
    Row(
        Maximum(),
        inputs=((3, 1, 7), (2, 3, 5, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=840,  # 2*3*5*7 * (1 + 1 + 1 + 1): comparison and sum for each
    ),
    Row(
        Minimum(),
        inputs=(IMAGES, (1, 3, 1, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=630,  # 2*3*5*7 * (1 + 1 + 1)
    ),
    Row(
        Eq(),
        inputs=((2, 3, 5), (5,)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: a comparison
        dtypes=("bool",),
    ),
    Row(
        Ne(other=0.5),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: a comparison
        dtypes=("bool",),
    ),
    Row(
        Lt(),
        inputs=((2, 3, 5), (5,)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: a comparison
        dtypes=("bool",),
    ),
    Row(
        Le(other=0.5),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: a comparison
        dtypes=("bool",),
    ),
    Row(
        Gt(),
        inputs=((2, 3, 5), (5,)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: a comparison
        dtypes=("bool",),
    ),
    Row(
        Ge(other=0.5),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: a comparison
        dtypes=("bool",),
    ),
    Row(
        Eq(other=1.0),
        inputs=(TensorType((2, 7), "int64"),),
        outputs=((2, 7),),
        forward=14,  # 2*7
        dtypes=("bool",),
    ),
    Row(
        Where(),
        inputs=(TensorType(IMAGES, "bool"), IMAGES, IMAGES),
        outputs=(IMAGES,),
        dtypes=("float32",),
    ),
    Row(
        Where(),
        inputs=(MASK, IMAGES, (1, 3, 1, 1)),
        outputs=(IMAGES,),
        backward_input=210,  # 2*3*5*7: summed back to 1×3×1×1
        dtypes=("float32",),
    ),
    Row(
        Where(),
        inputs=(TensorType(IMAGES, "bool"), (2, 1, 5, 1), (1, 3, 1, 1)),
        outputs=(IMAGES,),
        backward_input=420,  # 2*3*5*7 * 2: both summed back
        dtypes=("float32",),
    ),
    Row(MaskedFill(value=-6e4), inputs=(IMAGES, MASK), outputs=(IMAGES,)),
    Row(
        MaskedFill(value=0.0),
        inputs=((2, 3, 1, 7), TensorType((2, 1, 5, 7), "bool")),
        outputs=(IMAGES,),
        backward_input=210,  # 2*3*5*7: summed back to 2×3×1×7
    ),
    Row(MaskedFill(value=-6e4, inplace=True), inputs=(IMAGES, MASK), outputs=(IMAGES,)),
    Row(
        LogicalAnd(),
        inputs=(TensorType((2, 3, 5), "bool"), TensorType((2, 1, 5), "bool")),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
    ),
    Row(
        LogicalOr(),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        dtypes=("bool",),
    ),
    Row(
        LogicalNot(),
        inputs=((2, 7),),
        outputs=((2, 7),),
        forward=14,  # 2*7
        dtypes=("bool",),
    ),
)
