"""Comparisons, logic and bits: one operation a value and no gradient; choices are free."""

from __future__ import annotations

from archcost.layers import (
    BitwiseAnd,
    BitwiseNot,
    BitwiseOr,
    BitwiseXor,
    Eq,
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
    Ne,
    Where,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row

IMAGES = (2, 3, 5, 7)
INDICES = TensorType(IMAGES, "int64")
MASK = TensorType((2, 1, 1, 7), "bool")

ROWS: tuple[Row, ...] = (
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
)
