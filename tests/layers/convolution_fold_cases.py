"""Patches of images: copies one way, additions the other."""

from __future__ import annotations

from archcost.layers import Fold, Unfold
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Unfold(kernel_size=(2, 3)),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 18, 20),),  # 3 * 2 * 3, (5 - 1) * (7 - 2)
        backward_input=720,  # 2*(3*2*3)*((5-1)*(7-2)): an addition a value of the patches
    ),
    Row(
        Unfold(kernel_size=2, dilation=2, padding=1, stride=(3, 2)),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 12, 8),),  # 3 * 2 * 2; (5 + 2 - 2 - 1)//3 + 1 = 2, (7 + 2 - 2 - 1)//2 + 1 = 4
        backward_input=192,  # 2*12*8
    ),
    Row(
        Unfold(kernel_size=1, stride=3),  # fewer values than the image has
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 6),),  # 4//3 + 1 = 2, 6//3 + 1 = 3
        backward_input=36,  # 2*3*6
    ),
    Row(
        Fold(output_size=(5, 7), kernel_size=(2, 3)),
        inputs=((2, 18, 20),),
        outputs=((2, 3, 5, 7),),
        forward=720,  # 2*18*20: an addition a value of the patches; backward copies
    ),
    Row(
        Fold(output_size=(5, 7), kernel_size=1, stride=3),
        inputs=((2, 3, 6),),
        outputs=((2, 3, 5, 7),),
        forward=36,  # 2*3*6
    ),
)
