"""Values picked by index: free forward; backward adds up what was picked more than once."""

from __future__ import annotations

from archcost.layers import Gather, GridSample, Index, IndexSelect, Write
from archcost.tensors import TensorType
from tests.layers.rows import Row

IMAGES = (2, 3, 5, 7)


def indices(*shape: int) -> TensorType:
    return TensorType(shape, "int64")


ROWS: tuple[Row, ...] = (
    Row(
        Gather(dim=2),
        inputs=(IMAGES, indices(2, 3, 11, 5)),
        outputs=((2, 3, 11, 5),),
        backward_input=330,  # 2*3*11*5: an addition a value picked
    ),
    Row(
        Gather(dim=1),
        inputs=((2, 3), indices(2, 7)),
        outputs=((2, 7),),
        backward_input=14,  # 2*7
    ),
    Row(
        IndexSelect(dim=1),
        inputs=(IMAGES, indices(11)),
        outputs=((2, 11, 5, 7),),
        backward_input=770,  # 2*11*5*7
    ),
    Row(
        IndexSelect(dim=-1),
        inputs=((2, 3, 5), indices(2)),
        outputs=((2, 3, 2),),
        backward_input=12,  # 2*3*2
    ),
    Row(
        IndexSelect(dim=0),
        inputs=(indices(5, 3), indices(7)),
        outputs=((7, 3),),
    ),
    Row(
        Index(dims=(1,)),
        inputs=(IMAGES, indices(2, 11)),
        outputs=((2, 2, 11, 5, 7),),
        backward_input=1540,  # 2*2*11*5*7: an addition a value picked
    ),
    Row(
        Index(dims=(0, 2)),  # not side by side, so what is picked comes in front
        inputs=(IMAGES, indices(2, 1), indices(2, 11)),
        outputs=((2, 11, 3, 7),),
        backward_input=462,  # 2*11*3*7
    ),
    Row(
        Index(dims=(-1, 2)),
        inputs=(IMAGES, indices(2, 1, 13), indices(2, 11, 1)),
        outputs=((2, 3, 2, 11, 13),),
        backward_input=1716,  # 2*3*2*11*13
    ),
    Row(
        Index(dims=(0, 1)),
        inputs=((2, 3, 5), indices(2), indices(2)),
        outputs=((2, 5),),
        backward_input=10,  # 2*5
    ),
    Row(
        Index(dims=(1,)),
        inputs=(IMAGES, indices()),
        outputs=((2, 5, 7),),
        backward_input=70,  # 2*5*7
    ),
    Row(
        Index(dims=(1, 3)),
        inputs=(indices(2, 3, 5, 7), indices(11), indices()),
        outputs=((11, 2, 5),),
    ),
    Row(
        GridSample(),
        inputs=(IMAGES, (2, 11, 13, 2)),
        outputs=((2, 3, 11, 13),),
        forward=6006,  # (2*3*11*13) * (4 + 3): products, additions
        backward_input=27456,  # (2*3*11*13) * (4 + 4 + 2*4*3): image; grid, in 2 axes, 4 times 2 products and a sum
    ),
    Row(
        GridSample(mode="nearest", padding_mode="border", align_corners=True),
        inputs=(IMAGES, (2, 11, 13, 2)),
        outputs=((2, 3, 11, 13),),
        backward_input=858,  # 2*3*11*13: an addition at the value that was picked
    ),
    Row(
        GridSample(mode="bicubic", padding_mode="reflection"),
        inputs=(IMAGES, (2, 11, 13, 2)),
        outputs=((2, 3, 11, 13),),
        forward=26598,  # (2*3*11*13) * (16 + 15)
        backward_input=109824,  # (2*3*11*13) * (16 + 16 + 2*16*3)
    ),
    Row(
        GridSample(align_corners=True),
        inputs=((2, 3, 5, 7, 2), (2, 11, 2, 3, 3)),
        outputs=((2, 3, 11, 2, 3),),
        forward=5940,  # (2*3*11*2*3) * (8 + 7)
        backward_input=34848,  # (2*3*11*2*3) * (8 + 8 + 3*8*3)
    ),
    Row(
        GridSample(mode="nearest"),
        inputs=((2, 3, 5, 7, 2), (2, 11, 2, 3, 3)),
        outputs=((2, 3, 11, 2, 3),),
        backward_input=396,  # 2*3*11*2*3
    ),
    Row(Write(), inputs=(IMAGES, (2, 3, 7)), outputs=(IMAGES,)),  # x[:, :, 0] = y,
    Row(
        Write(numel=21),
        inputs=(IMAGES, (3, 7)),
        outputs=(IMAGES,),
        backward_input=42,  # 2*21: an addition a value written, for the second input was stretched
    ),
    Row(Write(numel=21), inputs=(IMAGES,), outputs=(IMAGES,)),
    Row(Write(), inputs=(IMAGES,), outputs=(IMAGES,)),
    Row(Write(), inputs=((2, 3, 5), (2, 3, 5)), outputs=((2, 3, 5),)),
    Row(Write(), inputs=((2, 3, 5), (2, 1, 3, 5)), outputs=((2, 3, 5),)),  # all, but through a view,
    Row(Write(), inputs=((2, 3, 5), TensorType((2, 5), "bfloat16")), outputs=((2, 3, 5),)),
    Row(
        Write(numel=5),
        inputs=((2, 3, 5), TensorType((), "float64")),
        outputs=((2, 3, 5),),
        backward_input=10,  # 2*5
    ),
    Row(Write(numel=1), inputs=(indices(2, 7), TensorType((2,), "bool")), outputs=((2, 7),)),
    Row(Write(dims=(1,)), inputs=(IMAGES, (2, 11, 5, 7), indices(11)), outputs=(IMAGES,)),
    Row(
        Write(dims=(1, 3)),
        inputs=(IMAGES, (11, 1, 5), indices(11), indices()),
        outputs=(IMAGES,),
        backward_input=110,  # 11*2*5
    ),
    Row(Write(dims=(0,)), inputs=((2, 3), (3,), indices(1)), outputs=((2, 3),)),
    Row(
        Write(dims=(0,)),
        inputs=((2, 3), (), indices(2)),
        outputs=((2, 3),),
        backward_input=6,  # 2*3
    ),
)
