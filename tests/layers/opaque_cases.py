"""Operations that no rule is known for: shapes as observed, and not a single number of work."""

from __future__ import annotations

from archcost.layers import Opaque
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Opaque(op="aten::foo", shapes=((1, 5, 7),), dtypes=("float32",), batch_dims=(0,), saved=((1, 5), ())),
        inputs=((2, 3, 7),),
        outputs=((2, 5, 7),),
    ),
    Row(
        Opaque(op="vision::bar", shapes=((4, 7), ()), dtypes=("int64", "float32"), batch_dims=(-2, None)),
        inputs=((11, 2), (3, 13)),
        outputs=((12, 7), ()),  # 4*3: four for each sample of the last input
        dtypes=("int64", "float32"),
    ),
    Row(Opaque(op="x::y", shapes=((5,),), dtypes=("bool",)), inputs=(), outputs=((5,),), dtypes=("bool",)),
)
