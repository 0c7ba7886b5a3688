"""Convolutions whose kernels arrive: image and kernels each have a gradient of as many MACs as forward."""

from __future__ import annotations

from archcost.layers import (
    DynamicConv1d,
    DynamicConv2d,
    DynamicConv3d,
    DynamicConvTranspose1d,
    DynamicConvTranspose2d,
    DynamicConvTranspose3d,
)
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        DynamicConv1d(),  # kernels for all samples
        inputs=((2, 7, 11), (5, 7, 3), (5,)),
        outputs=((2, 5, 9),),
        macs=1890,  # (2*5*9) * (3*7)
        macs_backward_input=3780,  # (2*5*9) * (3*7) * 2
        forward=90,  # 2*5*9: a bias an output
        backward_input=90,  # 2*5*9
    ),
    Row(
        DynamicConv1d(padding="same", dilation=2),  # an even kernel: 3 before, 3 after
        inputs=((1, 14, 11), (10, 7, 4)),
        outputs=((1, 10, 11),),
        macs=3080,  # (10*11) * (4*7)
        macs_backward_input=6160,  # (10*11) * (4*7) * 2
    ),
    Row(
        DynamicConv2d(padding=1, stride=2),  # of 3 samples, each with 5 kernels for its 2 channels
        inputs=((1, 6, 7, 11), (15, 2, 3, 3)),
        outputs=((1, 15, 4, 6),),
        macs=6480,  # (15*4*6) * (3*3*2)
        macs_backward_input=12960,  # (15*4*6) * (3*3*2) * 2
    ),
    Row(
        DynamicConv2d(padding="same"),
        inputs=((1, 6, 7, 11), (15, 2, 2, 2), (15,)),
        outputs=((1, 15, 7, 11),),
        macs=9240,  # (15*7*11) * (2*2*2)
        macs_backward_input=18480,  # (15*7*11) * (2*2*2) * 2
        forward=1155,  # 15*7*11
        backward_input=1155,  # 15*7*11
    ),
    Row(
        DynamicConv3d(dilation=(1, 2, 1)),
        inputs=((1, 6, 3, 7, 5), (10, 3, 2, 3, 1)),
        outputs=((1, 10, 2, 3, 5),),
        macs=5400,  # (10*2*3*5) * (2*3*1*3)
        macs_backward_input=10800,  # (10*2*3*5) * (2*3*1*3) * 2
    ),
    Row(
        DynamicConvTranspose1d(group_channels=7, stride=2),
        inputs=((2, 7, 11), (7, 5, 3), (5,)),
        outputs=((2, 5, 23),),  # 10*2 + 3
        macs=2310,  # (2*7*11) * (5*3): every input value with every kernel value
        macs_backward_input=4620,  # (2*7*11) * (5*3) * 2
        forward=230,  # 2*5*23
        backward_input=230,  # 2*5*23
    ),
    Row(
        DynamicConvTranspose2d(group_channels=2, stride=2, padding=1, output_padding=1),  # of 3 samples
        inputs=((1, 6, 7, 5), (6, 5, 3, 3)),
        outputs=((1, 15, 14, 10),),  # 6*2 - 2 + 3 + 1, 4*2 - 2 + 3 + 1
        macs=9450,  # (6*7*5) * (5*3*3)
        macs_backward_input=18900,  # (6*7*5) * (5*3*3) * 2
    ),
    Row(
        DynamicConvTranspose3d(group_channels=3),
        inputs=((1, 6, 2, 3, 5), (6, 5, 1, 2, 3)),
        outputs=((1, 10, 2, 4, 7),),
        macs=5400,  # (6*2*3*5) * (5*1*2*3)
        macs_backward_input=10800,  # (6*2*3*5) * (5*1*2*3) * 2
    ),
)
