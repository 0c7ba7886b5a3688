"""Pooling: k operations an output forward; backward 1 (maximum) or k (mean); adaptive windows by what they read."""

from __future__ import annotations

from archcost.layers import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    MaxUnpool1d,
    MaxUnpool2d,
    MaxUnpool3d,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row


def indices(*shape: int) -> TensorType:
    return TensorType(shape, "int64")


ROWS: tuple[Row, ...] = (
    Row(
        MaxPool1d(kernel_size=2),
        inputs=((2, 3, 7),),
        outputs=((2, 3, 3),),  # the stride is the kernel: the last value is left over
        forward=36,  # (2*3*3) * 2
        backward_input=18,  # 2*3*3
    ),
    Row(
        MaxPool1d(kernel_size=3, stride=2, padding=1, dilation=2, return_indices=True),
        inputs=((2, 3, 11),),
        outputs=((2, 3, 5), (2, 3, 5)),  # the window reaches over 5: (11 + 2 - 5) // 2 + 1
        forward=90,  # (2*3*5) * 3
        backward_input=30,  # 2*3*5
    ),
    Row(
        MaxPool2d(kernel_size=2),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 3, 5),),
        forward=360,  # (2*3*3*5) * (2*2)
        backward_input=90,  # 2*3*3*5
    ),
    Row(
        MaxPool2d(kernel_size=3, stride=2),  # overlapping, as AlexNet's
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 3, 5),),
        forward=810,  # (2*3*3*5) * (3*3)
        backward_input=90,  # 2*3*3*5
    ),
    Row(
        MaxPool2d(kernel_size=3, stride=2, padding=1),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 4, 6),),  # (7 + 2 - 3) // 2 + 1, (11 + 2 - 3) // 2 + 1
        forward=1296,  # (2*3*4*6) * (3*3)
        backward_input=144,  # 2*3*4*6
    ),
    Row(
        MaxPool2d(kernel_size=(2, 3), stride=(1, 2), padding=(1, 0)),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 8, 5),),  # 7 + 2 - 2 + 1, (11 - 3) // 2 + 1
        forward=1440,  # (2*3*8*5) * (2*3)
        backward_input=240,  # 2*3*8*5
    ),
    Row(
        MaxPool2d(kernel_size=2, ceil_mode=True),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 4, 6),),  # the last windows hang over
        forward=576,  # (2*3*4*6) * (2*2)
        backward_input=144,  # 2*3*4*6
    ),
    Row(
        # Rounding up gives 3 and 5, but those windows would start at 6 and 12, where the right padding starts.
        MaxPool2d(kernel_size=2, stride=3, padding=1, ceil_mode=True),
        inputs=((2, 3, 5, 11),),
        outputs=((2, 3, 2, 4),),
        forward=192,  # (2*3*2*4) * (2*2)
        backward_input=48,  # 2*3*2*4
    ),
    Row(
        MaxPool2d(kernel_size=3, stride=1, dilation=2),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 3, 7),),  # 7 - 4, 11 - 4
        forward=1134,  # (2*3*3*7) * (3*3)
        backward_input=126,  # 2*3*3*7
    ),
    Row(
        MaxPool2d(kernel_size=2, return_indices=True),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 3, 5), (2, 3, 3, 5)),
        forward=360,  # (2*3*3*5) * (2*2): finding the place is part of the comparison
        backward_input=90,  # 2*3*3*5
    ),
    Row(
        MaxPool3d(kernel_size=2),
        inputs=((2, 3, 5, 7, 11),),
        outputs=((2, 3, 2, 3, 5),),
        forward=1440,  # (2*3*2*3*5) * (2*2*2)
        backward_input=180,  # 2*3*2*3*5
    ),
    Row(
        MaxPool3d(kernel_size=(1, 2, 3), stride=(1, 2, 2), ceil_mode=True, return_indices=True),
        inputs=((2, 3, 5, 7, 11),),
        outputs=((2, 3, 5, 4, 5), (2, 3, 5, 4, 5)),  # 5, ⌈(7 - 2) / 2⌉ + 1, (11 - 3) / 2 + 1
        forward=3600,  # (2*3*5*4*5) * (1*2*3)
        backward_input=600,  # 2*3*5*4*5
    ),
    Row(
        AvgPool1d(kernel_size=3),
        inputs=((2, 3, 11),),
        outputs=((2, 3, 3),),
        forward=54,  # (2*3*3) * 3: 2 additions and a division
        backward_input=54,  # (2*3*3) * 3
    ),
    Row(
        AvgPool1d(kernel_size=2, stride=1, padding=1, count_include_pad=False),
        inputs=((2, 3, 11),),
        outputs=((2, 3, 12),),  # 11 + 2 - 2 + 1
        forward=144,  # (2*3*12) * 2: a window at the edge counts as a full one
        backward_input=144,  # (2*3*12) * 2
    ),
    Row(
        AvgPool2d(kernel_size=2),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 3, 5),),
        forward=360,  # (2*3*3*5) * (2*2)
        backward_input=360,  # (2*3*3*5) * (2*2)
    ),
    Row(
        AvgPool2d(kernel_size=3, stride=2, padding=1, count_include_pad=False),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 4, 6),),
        forward=1296,  # (2*3*4*6) * (3*3)
        backward_input=1296,  # (2*3*4*6) * (3*3)
    ),
    Row(
        AvgPool2d(kernel_size=2, ceil_mode=True, divisor_override=3),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 3, 4, 6),),
        forward=576,  # (2*3*4*6) * (2*2)
        backward_input=576,  # (2*3*4*6) * (2*2)
    ),
    Row(
        AvgPool3d(kernel_size=2),
        inputs=((2, 3, 5, 7, 11),),
        outputs=((2, 3, 2, 3, 5),),
        forward=1440,  # (2*3*2*3*5) * (2*2*2)
        backward_input=1440,  # (2*3*2*3*5) * (2*2*2)
    ),
    Row(
        AvgPool3d(kernel_size=(1, 2, 3), stride=(2, 3, 2), padding=(0, 1, 1), ceil_mode=True),
        inputs=((2, 3, 5, 5, 11),),
        # 5 // 2 + 1; 3 rounded up, less the window that starts in the padding; (11 + 2 - 3) / 2 + 1
        outputs=((2, 3, 3, 2, 6),),
        forward=1296,  # (2*3*3*2*6) * (1*2*3)
        backward_input=1296,  # (2*3*3*2*6) * (1*2*3)
    ),
    Row(
        AdaptiveAvgPool1d(output_size=3),
        inputs=((2, 5, 7),),
        outputs=((2, 5, 3),),
        forward=90,  # 2*5 * (3 + 3 + 3): windows [0, 3), [2, 5), [4, 7)
        backward_input=90,  # 2*5 * (3 + 3 + 3)
    ),
    Row(
        AdaptiveAvgPool2d(output_size=1),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 1, 1),),
        forward=210,  # 2*3*5*7
        backward_input=210,  # 2*3*5*7
    ),
    Row(
        AdaptiveAvgPool2d(output_size=(2, 3)),  # both divide: plain pooling by 3
        inputs=((2, 5, 6, 9),),
        outputs=((2, 5, 2, 3),),
        forward=540,  # (2*5*2*3) * (3*3)
        backward_input=540,  # (2*5*2*3) * (3*3)
    ),
    Row(
        AdaptiveAvgPool2d(output_size=(None, 3)),
        inputs=((2, 5, 7, 11),),
        outputs=((2, 5, 7, 3),),
        forward=910,  # 2*5*7 * (4 + 5 + 4): windows [0, 4), [3, 8), [7, 11)
        backward_input=910,  # 2*5*7 * (4 + 5 + 4)
    ),
    Row(
        AdaptiveAvgPool2d(output_size=(7, 5)),  # more than there is: values repeat
        inputs=((2, 5, 3, 5),),
        outputs=((2, 5, 7, 5),),
        forward=450,  # 2*5 * (1 + 1 + 2 + 1 + 2 + 1 + 1) * 5: [0,1) [0,1) [0,2) [1,2) [1,3) [2,3) [2,3)
        backward_input=450,  # 2*5 * (1 + 1 + 2 + 1 + 2 + 1 + 1) * 5
    ),
    Row(
        AdaptiveAvgPool3d(output_size=(2, 3, None)),
        inputs=((2, 3, 5, 7, 2),),
        outputs=((2, 3, 2, 3, 2),),
        forward=648,  # 2*3 * (3 + 3) * (3 + 3 + 3) * 2: depth [0, 3), [2, 5)
        backward_input=648,  # 2*3 * (3 + 3) * (3 + 3 + 3) * 2
    ),
    Row(
        AdaptiveMaxPool1d(output_size=3, return_indices=True),
        inputs=((2, 5, 7),),
        outputs=((2, 5, 3), (2, 5, 3)),
        forward=90,  # 2*5 * (3 + 3 + 3): windows [0, 3), [2, 5), [4, 7)
        backward_input=30,  # 2*5*3
    ),
    Row(
        AdaptiveMaxPool1d(output_size=1),
        inputs=((2, 5, 7),),
        outputs=((2, 5, 1),),
        forward=70,  # 2*5*7
        backward_input=10,  # 2*5
    ),
    Row(
        AdaptiveMaxPool3d(output_size=(2, None, 1)),
        inputs=((2, 3, 4, 5, 7),),
        outputs=((2, 3, 2, 5, 1),),
        forward=840,  # 2*3 * 4*5*7
        backward_input=60,  # 2*3*2*5
    ),
    Row(
        AdaptiveMaxPool2d(output_size=3),
        inputs=((2, 5, 7, 11),),
        outputs=((2, 5, 3, 3),),
        forward=1170,  # 2*5 * (3 + 3 + 3) * (4 + 5 + 4)
        backward_input=90,  # 2*5*3*3
    ),
    Row(
        AdaptiveMaxPool2d(output_size=(None, 2), return_indices=True),
        inputs=((2, 5, 3, 7),),
        outputs=((2, 5, 3, 2), (2, 5, 3, 2)),
        forward=240,  # 2*5*3 * (4 + 4): windows [0, 4), [3, 7)
        backward_input=60,  # 2*5*3*2
    ),
    Row(MaxUnpool1d(kernel_size=2), inputs=((2, 3, 5), indices(2, 3, 5)), outputs=((2, 3, 10),)),
    Row(
        MaxUnpool1d(kernel_size=3, stride=2, padding=1),
        inputs=((2, 3, 5), indices(2, 3, 5)),
        outputs=((2, 3, 9),),  # 4*2 - 2 + 3
    ),
    Row(MaxUnpool2d(kernel_size=2), inputs=((2, 3, 5, 7), indices(2, 3, 5, 7)), outputs=((2, 3, 10, 14),)),
    Row(
        MaxUnpool2d(kernel_size=(3, 2), stride=(2, 3), padding=(1, 0)),
        inputs=((2, 3, 5, 7), indices(2, 3, 5, 7)),
        outputs=((2, 3, 9, 20),),  # 4*2 - 2 + 3, 6*3 + 2
    ),
    Row(
        MaxUnpool2d(kernel_size=2, output_size=(11, 13)),  # the even 10 and 14 would lose or add a line
        inputs=((2, 3, 5, 7), indices(2, 3, 5, 7)),
        outputs=((2, 3, 11, 13),),
    ),
    Row(
        MaxUnpool3d(kernel_size=(1, 2, 3)),
        inputs=((2, 3, 5, 2, 3), indices(2, 3, 5, 2, 3)),
        outputs=((2, 3, 5, 4, 9),),
    ),
)
