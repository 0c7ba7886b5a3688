"""Triangles, diagonals and sliding views."""

from __future__ import annotations

from archcost.layers import AsStrided, Diagonal, TensorUnfold, Tril, Triu
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(Tril(), inputs=((2, 3, 5),), outputs=((2, 3, 5),)),
    Row(Triu(diagonal=-1), inputs=((2, 7, 3, 5),), outputs=((2, 7, 3, 5),)),
    Row(Triu(), inputs=(TensorType((3, 5), "bool"),), outputs=((3, 5),)),
    Row(Diagonal(), inputs=((2, 3, 5),), outputs=((5, 2),)),
    Row(Diagonal(offset=2, dim1=-2, dim2=-1), inputs=((2, 7, 3, 5),), outputs=((2, 7, 3),)),  # min(3, 5 - 2)
    Row(Diagonal(offset=-1, dim1=1, dim2=3), inputs=((2, 7, 3, 5),), outputs=((2, 3, 5),)),  # min(7 - 1, 5)
    Row(
        TensorUnfold(dimension=1, size=3, step=2),
        inputs=((2, 7, 5),),
        outputs=((2, 3, 5, 3),),  # (7 - 3) / 2 + 1
        backward_input=90,  # 2*3*5*3: slices share values
    ),
    Row(TensorUnfold(dimension=-1, size=2, step=3), inputs=((2, 7),), outputs=((2, 2, 2),)),  # (7 - 2) / 3 + 1
    Row(
        AsStrided(size=(-1, 3, 3, 5), stride=(35, 10, 5, 1)),
        inputs=((2, 7, 5),),
        outputs=((2, 3, 3, 5),),
        backward_input=90,  # 2*3*3*5: slices of 3 rows, one every 2, share values
    ),
    Row(AsStrided(size=(3, 2), stride=(2, 7), storage_offset=2), inputs=((2, 7),), outputs=((3, 2),)),
    Row(
        AsStrided(size=(-1, 3, 2, 4), stride=(4, 1, 2, 1), batch_strides=(1, 2)),
        inputs=((8, 4, 4),),
        outputs=((8, 3, 2, 4),),
        backward_input=192,  # 8*3*2*4
    ),
    Row(AsStrided(size=(), stride=()), inputs=((2, 7),), outputs=((),)),
)
