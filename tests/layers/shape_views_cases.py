"""Inputs seen otherwise: shapes only. Backward of a repeated axis is a sum."""

from __future__ import annotations

from archcost.layers import Detach, Expand, Select, Slice, Squeeze, Transpose, Unsqueeze
from archcost.tensors import TensorType
from tests.layers.rows import Row

IMAGES = (2, 3, 5, 7)

ROWS: tuple[Row, ...] = (
    Row(Transpose(dim0=1, dim1=-1), inputs=(IMAGES,), outputs=((2, 7, 5, 3),)),
    Row(Transpose(dim0=1, dim1=0), inputs=((2, 3),), outputs=((3, 2),)),
    Row(Squeeze(dim=2), inputs=((2, 3, 1, 7),), outputs=((2, 3, 7),)),
    Row(Squeeze(dim=(-1, -2)), inputs=((2, 3, 1, 1),), outputs=((2, 3),)),
    Row(Squeeze(dim=(1, 2)), inputs=((2, 1, 3, 1),), outputs=((2, 3, 1),)),  # 3 is not 1, and stays
    Row(Squeeze(dim=1), inputs=(IMAGES,), outputs=(IMAGES,)),
    Row(Unsqueeze(dim=1), inputs=((2, 3, 5),), outputs=((2, 1, 3, 5),)),
    Row(Unsqueeze(dim=-1), inputs=((2, 3),), outputs=((2, 3, 1),)),
    Row(Slice(start=1, stop=3), inputs=((2, 5, 7),), outputs=((2, 2, 7),)),  # 1, 2
    Row(Slice(start=1, stop=-1, step=2, dim=2), inputs=((2, 3, 11, 7),), outputs=((2, 3, 5, 7),)),  # 1, 3, 5, 7, 9
    Row(Slice(start=-2, dim=-1), inputs=((2, 3, 7),), outputs=((2, 3, 2),)),
    Row(Slice(stop=13, dim=2), inputs=((2, 3, 5),), outputs=((2, 3, 5),)),  # beyond the end: all there is
    Row(Slice(step=3), inputs=(TensorType((2, 7), "int64"),), outputs=((2, 3),)),  # 0, 3, 6
    Row(Select(index=2), inputs=(IMAGES,), outputs=((2, 5, 7),)),
    Row(Select(index=-1, dim=2), inputs=((2, 3, 5),), outputs=((2, 3),)),
    Row(
        Expand(size=(-1, 3, -1)),
        inputs=((2, 1, 5),),
        outputs=((2, 3, 5),),
        backward_input=30,  # 2*3*5: summed back to 2×1×5
    ),
    Row(
        Expand(size=(-1, 3, 5, 7)),
        inputs=((2, 3, 1, 1),),
        outputs=(IMAGES,),
        backward_input=210,  # 2*3*5*7: summed back to 2×3×1×1
    ),
    Row(
        Expand(size=(2, -1, -1, 7)),
        inputs=((3, 5, 1),),
        outputs=(IMAGES,),
        backward_input=210,  # 2*3*5*7
    ),
    Row(Expand(size=(-1, -1, 5)), inputs=((2, 3, 5),), outputs=((2, 3, 5),)),
    Row(Detach(), inputs=(IMAGES,), outputs=(IMAGES,)),
    Row(Detach(data=True), inputs=(IMAGES,), outputs=(IMAGES,)),
)
