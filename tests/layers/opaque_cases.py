"""Operations that no rule is known for, and those on integers alone: shapes as observed, and no number of work."""

from __future__ import annotations

from archcost.layers import Integers, Opaque
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Opaque(op="aten::foo", shapes=((1, 5, 7),), dtypes=("float32",), batch_dims=(0,), saved=((1, 5), ())),
        inputs=((2, 3, 7),),
        outputs=((2, 5, 7),),
    ),
    Row(
        Opaque(
            op="own::kernel",
            shapes=((1, 7),),
            dtypes=("float32",),
            batch_dims=(0,),
            flops=(5, 0, 3),  # its author's formula: 5 and 3 for each pair of samples
            backward_flops=(0, 22),
        ),
        inputs=((2, 7), (2, 13)),
        outputs=((2, 7),),
        macs=8,  # (5 + 3*2*2 - 1) / 2
        macs_backward_input=22,  # 22*2 / 2
        forward=1,  # 5 + 3*2*2 - 2*8
    ),
    Row(
        Opaque(op="vision::bar", shapes=((4, 7), ()), dtypes=("int64", "float32"), batch_dims=(-2, None)),
        inputs=((11, 2), (3, 13)),
        outputs=((12, 7), ()),  # 4*3: four for each sample of the last input
        dtypes=("int64", "float32"),
    ),
    Row(Opaque(op="x::y", shapes=((5,),), dtypes=("bool",)), inputs=(), outputs=((5,),), dtypes=("bool",)),
    Row(
        Integers(op="floor_divide", shapes=((1, 3),), dtypes=("int64",), batch_dims=(0,)),
        inputs=(TensorType((2, 3), "int64"),),
        outputs=((2, 3),),
    ),
    Row(
        Integers(
            op="aten::unique",
            shapes=((5,), (2, 3, 7), ()),
            dtypes=("int32", "bool", "uint8"),
            batch_dims=(None, 1, None),
        ),
        inputs=(TensorType((2, 3), "int64"), (2, 11)),  # of the last input the batch alone counts
        outputs=((5,), (2, 6, 7), ()),  # 3*2: three for each sample
        dtypes=("int32", "bool", "uint8"),
    ),
    Row(
        Integers(op="aten::randperm", shapes=((7,),), dtypes=("int16",)),
        inputs=(),
        outputs=((7,),),
        dtypes=("int16",),
    ),
)
