"""Deformable convolutions: columns of values between those of the image, and a product, which backward has twice."""

from __future__ import annotations

from archcost.layers import DeformConv2d
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        DeformConv2d(out_channels=5, kernel_size=3),
        inputs=((2, 3, 7, 11), (2, 18, 5, 9)),
        outputs=((2, 5, 5, 9),),
        parameters=140,  # (3*3*3 + 1) * 5
        macs=12150,  # (2*5*5*9) * (3*3*3)
        forward=17460,  # 2*3*9*5*9 * 7 + 2*5*5*9: neighbours of each column value weighed, a bias an output
        backward_input=77760,  # 2*3*9*5*9 * (8 + 24): image, offsets
        backward_weight=450,  # 2*5*5*9
    ),
    Row(
        DeformConv2d(out_channels=10, kernel_size=(2, 3), stride=2, padding=1, groups=2, bias=False),
        inputs=((3, 6, 7, 11), (3, 36, 4, 6), (3, 18, 4, 6)),  # 3 groups of channels have offsets of their own
        outputs=((3, 10, 4, 6),),
        parameters=180,  # 2*3 * 3 * 10
        macs=12960,  # (3*10*4*6) * (2*3*3)
        forward=21456,  # 3*6*6*4*6 * 8 + 3*10*4*6: the mask too; zeros in place of a bias are added as well
        backward_input=111456,  # 3*6*6*4*6 * (9 + 25 + 9): image, offsets, mask
    ),
    Row(
        DeformConv2d(out_channels=5, kernel_size=3, dilation=2, padding=2),
        inputs=((2, 3, 7, 11), (2, 18, 7, 11), (2, 9, 7, 11)),
        outputs=((2, 5, 7, 11),),
        parameters=140,  # (3*3*3 + 1) * 5
        macs=20790,  # (2*5*7*11) * (3*3*3)
        forward=34034,  # 2*3*9*7*11 * 8 + 2*5*7*11
        backward_input=178794,  # 2*3*9*7*11 * (9 + 25 + 9)
        backward_weight=770,  # 2*5*7*11
    ),
)
