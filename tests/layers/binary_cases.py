"""Values of several tensors in pairs. A stretched input's gradient is summed back, an addition a value."""

from __future__ import annotations

from archcost.layers import (
    Add,
    BitwiseAnd,
    BitwiseNot,
    BitwiseOr,
    BitwiseXor,
    ClampTensor,
    Div,
    Eq,
    FMod,
    Ge,
    Gt,
    IsFinite,
    IsInf,
    IsNan,
    Le,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    LogicalXor,
    Lt,
    MaskedFill,
    Maximum,
    Minimum,
    Mul,
    Ne,
    Remainder,
    Sub,
    Where,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row

IMAGES = (2, 3, 5, 7)  # 210 values
INDICES = TensorType(IMAGES, "int64")
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
        ClampTensor(),
        inputs=(IMAGES, IMAGES, IMAGES),
        outputs=(IMAGES,),
        forward=420,  # 2*3*5*7 * 2: two comparisons
        backward_input=1260,  # 2*3*5*7 * 2 * 3: as many for each
    ),
    Row(
        ClampTensor(),
        inputs=(IMAGES, (), (3, 1, 1)),
        outputs=(IMAGES,),
        forward=420,  # 2*3*5*7 * 2
        backward_input=1680,  # 2*3*5*7 * (2 + 3 + 3): and the sums of two
    ),
    Row(
        ClampTensor(bounds="min"),
        inputs=((3, 1, 7), (2, 3, 5, 1)),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=840,  # 2*3*5*7 * (1 + 1) * 2: comparison and sum for each
    ),
    Row(
        ClampTensor(bounds="max"),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=60,  # 2*3*5 * 2
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
    Row(
        Sub(),
        inputs=(IMAGES, INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
    ),
    Row(
        Add(),
        inputs=(INDICES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=0,  # 0: passed on
        dtypes=("float32",),
    ),
    Row(
        Mul(),
        inputs=((2, 3, 1, 1), TensorType(IMAGES, "bool")),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=420,  # 2*3*5*7 * 2: product and sum
    ),
    Row(
        Mul(),
        inputs=(TensorType(IMAGES, "int32"), TensorType((), "int64")),  # a single value widens no integer
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        dtypes=("int32",),
    ),
    Row(
        Div(),
        inputs=(IMAGES, INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7: a division
    ),
    Row(
        Div(),
        inputs=(INDICES, IMAGES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=840,  # 2*3*5*7 * 4: two divisions, negation, product
        dtypes=("float32",),
    ),
    Row(
        Div(),
        inputs=(INDICES, INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        dtypes=("float32",),
    ),
    Row(
        Maximum(),
        inputs=(IMAGES, INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7: a comparison
    ),
    Row(
        Lt(),
        inputs=(IMAGES, INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        dtypes=("bool",),
    ),
    Row(Where(), inputs=(MASK, IMAGES, INDICES), outputs=(IMAGES,), dtypes=("float32",)),
    Row(Where(value=1.5), inputs=(MASK, IMAGES), outputs=(IMAGES,), dtypes=("float32",)),
    Row(
        Where(other=0),
        inputs=(TensorType(IMAGES, "bool"), (3, 1, 7)),
        outputs=(IMAGES,),
        backward_input=210,  # 2*3*5*7: the stretched one's sum
        dtypes=("float32",),
    ),
    Row(Where(other=0.5), inputs=(MASK, INDICES), outputs=(IMAGES,), dtypes=("float32",)),
    Row(Where(value=1, other=0), inputs=(MASK,), outputs=((2, 1, 1, 7),), dtypes=("int64",)),
    Row(Where(value=1.0, other=0.0), inputs=(MASK,), outputs=((2, 1, 1, 7),), dtypes=("float32",)),
    Row(
        MaskedFill(),
        inputs=(IMAGES, MASK, ()),
        outputs=(IMAGES,),
        backward_input=210,  # 2*3*5*7: summed for the single value
    ),
    Row(
        MaskedFill(inplace=True),
        inputs=(IMAGES, MASK, ()),
        outputs=(IMAGES,),
        backward_input=210,  # 2*3*5*7
    ),
    *(
        Row(
            judged,
            inputs=(IMAGES,),
            outputs=(IMAGES,),
            forward=210,  # 2*3*5*7
            dtypes=("bool",),
        )
        for judged in (IsNan(), IsInf(), IsFinite())
    ),
    Row(
        IsNan(),
        inputs=(INDICES,),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        dtypes=("bool",),
    ),
    Row(
        LogicalXor(),
        inputs=(TensorType((3, 1, 7), "bool"), TensorType(IMAGES, "bool")),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        dtypes=("bool",),
    ),
    Row(
        BitwiseAnd(),
        inputs=(TensorType(IMAGES, "int32"), INDICES),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
        dtypes=("int64",),
    ),
    Row(
        BitwiseOr(),
        inputs=(MASK, TensorType((3, 1, 1), "bool")),
        outputs=((2, 3, 1, 7),),
        forward=42,  # 2*3*1*7
    ),
    Row(
        BitwiseXor(other=5),
        inputs=(TensorType(IMAGES, "uint8"),),
        outputs=(IMAGES,),
        forward=210,  # 2*3*5*7
    ),
    Row(
        BitwiseNot(),
        inputs=(MASK,),
        outputs=((2, 1, 1, 7),),
        forward=14,  # 2*7
    ),
    Row(
        Remainder(other=3),
        inputs=(IMAGES,),
        outputs=(IMAGES,),
        forward=840,  # 2*3*5*7 * 4
        backward_input=0,  # 0: passed on
    ),
    Row(
        Remainder(),
        inputs=(IMAGES, (3, 1, 1)),
        outputs=(IMAGES,),
        forward=840,  # 2*3*5*7 * 4
        backward_input=1050,  # 2*3*5*7 * (4 + 1): the divisor's, and its sum
    ),
    Row(
        FMod(),
        inputs=((5, 1), IMAGES),
        outputs=(IMAGES,),
        forward=840,  # 2*3*5*7 * 4
        backward_input=1050,  # 2*3*5*7 * (1 + 4): a sum; the divisor's
    ),
    Row(
        FMod(other=0.5),
        inputs=(INDICES,),
        outputs=(IMAGES,),
        forward=840,  # 2*3*5*7 * 4
        dtypes=("float32",),
    ),
)
