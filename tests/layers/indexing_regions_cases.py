"""Regions of images, and which boxes are kept: on what is assumed of them."""

from __future__ import annotations

from archcost.layers import Nms, Nonzero, PsRoiAlign, PsRoiPool, RoiAlign, RoiPool
from archcost.tensors import TensorType
from tests.layers.rows import Row

IMAGES, REGIONS = (2, 3, 11, 13), (7, 5)

ROWS: tuple[Row, ...] = (
    Row(
        RoiAlign(output_size=(2, 5), spatial_scale=0.25, sampling_ratio=3, aligned=True),
        inputs=(IMAGES, REGIONS),
        outputs=((7, 3, 2, 5),),
        forward=15120,  # (7*3*2*5) * (3*3*7 + 3*3 - 1 + 1): points, their sum, its division
        backward_input=15330,  # (7*3*2*5) * (1 + 3*3*8): a division, and 4 products and additions a point
    ),
    Row(
        RoiAlign(output_size=2),  # 2*2 points a bin are assumed
        inputs=(IMAGES, REGIONS),
        outputs=((7, 3, 2, 2),),
        forward=2688,  # (7*3*2*2) * (2*2*8)
        backward_input=2772,  # (7*3*2*2) * (1 + 2*2*8)
    ),
    Row(
        PsRoiAlign(output_size=2, sampling_ratio=1),
        inputs=((2, 12, 11, 13), REGIONS),
        outputs=((7, 3, 2, 2), (7, 3, 2, 2)),
        forward=672,  # (7*3*2*2) * (1*8)
        backward_input=756,  # (7*3*2*2) * (1 + 1*8)
        dtypes=("float32", "int32"),
    ),
    Row(
        RoiPool(output_size=(2, 5)),
        inputs=(IMAGES, REGIONS),
        outputs=((7, 3, 2, 5), (7, 3, 2, 5)),
        forward=3003,  # 7*3 * 11*13: a comparison a value of the image
        backward_input=210,  # 7*3*2*5
        dtypes=("float32", "int32"),
    ),
    Row(
        PsRoiPool(output_size=2, spatial_scale=0.5),
        inputs=((2, 12, 11, 13), REGIONS),
        outputs=((7, 3, 2, 2), (7, 3, 2, 2)),
        forward=3003,  # 7*3 * 11*13
        backward_input=3003,  # 7*3 * 11*13
        dtypes=("float32", "int32"),
    ),
    Row(
        Nms(),
        inputs=((11, 4), (11,)),
        outputs=((11,),),
        forward=748,  # 11*3 + 11*10//2 * 13: areas, pairs
        dtypes=("int64",),
    ),
    Row(Nonzero(), inputs=(TensorType((2, 3), "bool"),), outputs=((6, 2),), dtypes=("int64",)),
    Row(Nonzero(count=5), inputs=((2, 7),), outputs=((5, 2),), dtypes=("int64",)),
)
