"""Upsampling: replication moves values; interpolation sums t neighbours: 2t - 1 operations, backward 2t."""

from __future__ import annotations

from archcost.layers import Upsample
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Upsample(scale_factor=3),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 15),),
        backward_input=90,  # 2*3*15: every output's gradient is added to where it came from
    ),
    Row(
        Upsample(scale_factor=2.0, mode="nearest"),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 10, 14),),
        backward_input=840,  # 2*3*10*14
    ),
    Row(
        Upsample(scale_factor=(2, 3)),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 10, 21),),
        backward_input=1260,  # 2*3*10*21
    ),
    Row(
        Upsample(scale_factor=1.5),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 7, 10),),  # ⌊7.5⌋, ⌊10.5⌋
        backward_input=420,  # 2*3*7*10
    ),
    Row(
        Upsample(scale_factor=0.5),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 2, 3),),
        backward_input=36,  # 2*3*2*3
    ),
    Row(
        Upsample(size=(5, 7, 11)),
        inputs=((2, 3, 2, 3, 5),),
        outputs=((2, 3, 5, 7, 11),),
        backward_input=2310,  # 2*3*5*7*11
    ),
    Row(
        Upsample(size=7),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 7, 7),),
        backward_input=294,  # 2*3*7*7
    ),
    Row(
        Upsample(size=(7, 4), mode="nearest-exact"),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 7, 4),),
        backward_input=168,  # 2*3*7*4
    ),
    Row(
        Upsample(scale_factor=2, mode="linear"),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 10),),
        forward=180,  # (2*3*10) * (2 + 1): 2 products, 1 addition
        backward_input=240,  # (2*3*10) * (2 + 2)
    ),
    Row(
        Upsample(size=(7, 11), mode="bilinear"),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 7, 11),),
        forward=3234,  # (2*3*7*11) * (4 + 3)
        backward_input=3696,  # (2*3*7*11) * (4 + 4)
    ),
    Row(
        Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 10, 14),),
        forward=5880,  # (2*3*10*14) * (4 + 3)
        backward_input=6720,  # (2*3*10*14) * (4 + 4)
    ),
    Row(
        Upsample(scale_factor=2, mode="bicubic", align_corners=False),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 10, 14),),
        forward=26040,  # (2*3*10*14) * (16 + 15)
        backward_input=26880,  # (2*3*10*14) * (16 + 16)
    ),
    Row(
        Upsample(scale_factor=2, mode="trilinear"),
        inputs=((2, 3, 2, 3, 5),),
        outputs=((2, 3, 4, 6, 10),),
        forward=21600,  # (2*3*4*6*10) * (8 + 7)
        backward_input=23040,  # (2*3*4*6*10) * (8 + 8)
    ),
    Row(
        Upsample(size=(3, 7), mode="bilinear", antialias=True),
        inputs=((2, 3, 11, 5),),
        outputs=((2, 3, 3, 7),),
        forward=3906,  # (2*3*3*7) * (8*2 + 8*2 - 1): 11/3 of 2 values is 8, and width grows
        backward_input=4032,  # (2*3*3*7) * (8*2 + 8*2)
    ),
    Row(
        Upsample(scale_factor=(0.5, 1), mode="bicubic", antialias=True),
        inputs=((2, 3, 10, 7),),
        outputs=((2, 3, 5, 7),),
        forward=13230,  # (2*3*5*7) * (8*4 + 8*4 - 1)
        backward_input=13440,  # (2*3*5*7) * (8*4 + 8*4)
    ),
)
