"""Values copied to other places: shapes only. Backward of what was repeated is a sum."""

from __future__ import annotations

from archcost.layers import ChannelShuffle, Flip, PixelShuffle, PixelUnshuffle, RepeatInterleave, Roll, Stack, Tile
from archcost.tensors import TensorType
from tests.layers.rows import Row

IMAGES = (2, 3, 5, 7)

ROWS: tuple[Row, ...] = (
    Row(Stack(), inputs=((2, 3, 5), (2, 3, 5)), outputs=((2, 2, 3, 5),)),
    Row(Stack(dim=-1), inputs=((2, 3, 5),) * 3, outputs=((2, 3, 5, 3),)),
    Row(Stack(), inputs=(IMAGES, IMAGES, IMAGES), outputs=((2, 3, 3, 5, 7),)),
    Row(Stack(dim=2), inputs=(IMAGES, IMAGES), outputs=((2, 3, 2, 5, 7),)),
    Row(Stack(dim=4), inputs=(IMAGES, IMAGES), outputs=((2, 3, 5, 7, 2),)),
    Row(Stack(dim=0), inputs=(TensorType((2, 3), "int64"),) * 5, outputs=((5, 2, 3),)),
    Row(Roll(shifts=(1, -2), dims=(2, 3)), inputs=(IMAGES,), outputs=(IMAGES,)),
    Row(Roll(shifts=(3,), dims=(1,)), inputs=((2, 5, 7),), outputs=((2, 5, 7),)),
    Row(Flip(dims=(-1,)), inputs=(IMAGES,), outputs=(IMAGES,)),
    Row(Flip(dims=(1, 2)), inputs=((2, 3, 5),), outputs=((2, 3, 5),)),
    Row(
        RepeatInterleave(repeats=3, dim=1),
        inputs=((2, 5, 7),),
        outputs=((2, 15, 7),),  # 5 * 3
        backward_input=210,  # 2*(5*3)*7: summed back
    ),
    Row(
        RepeatInterleave(repeats=2, dim=-1),
        inputs=(IMAGES,),
        outputs=((2, 3, 5, 14),),  # 7 * 2
        backward_input=420,  # 2*3*5*(7*2)
    ),
    Row(
        Tile(dims=(1, 2, 1, 3)),
        inputs=(IMAGES,),
        outputs=((2, 6, 5, 21),),  # 3 * 2, 7 * 3
        backward_input=1260,  # 2*(3*2)*5*(7*3)
    ),
    Row(Tile(dims=(1, 1)), inputs=((2, 3),), outputs=((2, 3),)),
    Row(
        Tile(dims=(2, 1, 5)),
        inputs=((3, 7, 1), (2, 11)),
        outputs=((12, 7, 5),),  # 3 * (2*2), 1 * 5
        backward_input=420,  # (3*4)*7*5: summed back
    ),
    Row(Tile(dims=(1, 1)), inputs=((2, 3), (1, 7)), outputs=((2, 3),)),
    Row(PixelShuffle(upscale_factor=2), inputs=((2, 12, 5, 7),), outputs=((2, 3, 10, 14),)),  # 12 / 4, 5 * 2, 7 * 2
    Row(PixelUnshuffle(downscale_factor=3), inputs=((2, 5, 6, 21),), outputs=((2, 45, 2, 7),)),  # 5 * 9, 6 / 3, 21 / 3
    Row(ChannelShuffle(groups=3), inputs=((2, 6, 5, 7),), outputs=((2, 6, 5, 7),)),
    Row(ChannelShuffle(groups=2), inputs=((2, 6, 5),), outputs=((2, 6, 5),)),
    Row(
        Tile(dims=(11, 1, 2)),
        inputs=((3, 5),),
        outputs=((11, 3, 10),),  # a new axis of 11; 5 * 2
        backward_input=330,  # 11*3*(5*2): summed back
    ),
    Row(
        Tile(dims=(1, 1, 1), dim=1),
        inputs=((3, 1, 5), (2, 7)),
        outputs=((3, 2, 5),),  # each of 3 once a sample
        backward_input=30,  # 3*2*5: summed back
    ),
    Row(
        Tile(dims=(1, 1, 1)),
        inputs=((3, 5), (2, 7)),
        outputs=((2, 3, 5),),  # a new axis of the batch
        backward_input=30,  # 2*3*5: summed back
    ),
)
