"""Convolutions. Values are 2 samples of prime sizes; `bias added` is one operation an output, both ways."""

from __future__ import annotations

from archcost.layers import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Conv1d(out_channels=5, kernel_size=3),
        inputs=((2, 7, 11),),
        outputs=((2, 5, 9),),  # 11 - 3 + 1
        parameters=110,  # (3*7 + 1) * 5
        macs=1890,  # (2*5*9) * (3*7): outputs times products
        forward=90,  # 2*5*9: a bias an output
        backward_weight=90,  # 2*5*9: the bias sums all outputs' gradients
    ),
    Row(
        Conv1d(out_channels=5, kernel_size=4, stride=3, padding=2, dilation=2, bias=False),
        inputs=((2, 7, 19),),
        outputs=((2, 5, 6),),  # the kernel reaches over 7: (19 + 4 - 7) // 3 + 1
        parameters=140,  # 4*7 * 5
        macs=1680,  # (2*5*6) * (4*7)
    ),
    Row(
        Conv1d(out_channels=5, kernel_size=4, padding="same"),  # an even kernel: 1 before, 2 after
        inputs=((2, 7, 11),),
        outputs=((2, 5, 11),),
        parameters=145,  # (4*7 + 1) * 5
        macs=3080,  # (2*5*11) * (4*7)
        forward=110,  # 2*5*11
        backward_weight=110,  # 2*5*11
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=3),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 5, 9),),  # 7 - 2, 11 - 2
        parameters=140,  # (3*3*3 + 1) * 5
        macs=12150,  # (2*5*5*9) * (3*3*3)
        forward=450,  # 2*5*5*9
        backward_weight=450,  # 2*5*5*9
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=3, bias=False),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 5, 9),),
        parameters=135,  # 3*3*3 * 5
        macs=12150,  # (2*5*5*9) * (3*3*3)
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=(3, 5)),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 5, 7),),  # 7 - 2, 11 - 4
        parameters=230,  # (3*5*3 + 1) * 5
        macs=15750,  # (2*5*5*7) * (3*5*3)
        forward=350,  # 2*5*5*7
        backward_weight=350,  # 2*5*5*7
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=3, stride=2),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 3, 5),),  # (7 - 3) / 2 + 1, (11 - 3) / 2 + 1
        parameters=140,  # (3*3*3 + 1) * 5
        macs=4050,  # (2*5*3*5) * (3*3*3)
        forward=150,  # 2*5*3*5
        backward_weight=150,  # 2*5*3*5
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=3, stride=(2, 3)),
        inputs=((2, 3, 7, 13),),
        outputs=((2, 5, 3, 4),),  # (13 - 3) // 3 + 1: one column is left over
        parameters=140,  # (3*3*3 + 1) * 5
        macs=3240,  # (2*5*3*4) * (3*3*3)
        forward=120,  # 2*5*3*4
        backward_weight=120,  # 2*5*3*4
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=3, padding=1),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 7, 11),),
        parameters=140,  # (3*3*3 + 1) * 5
        macs=20790,  # (2*5*7*11) * (3*3*3): products with the padding's zeros count too
        forward=770,  # 2*5*7*11
        backward_weight=770,  # 2*5*7*11
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=3, padding=(1, 2)),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 7, 13),),  # 7 + 2 - 2, 11 + 4 - 2
        parameters=140,  # (3*3*3 + 1) * 5
        macs=24570,  # (2*5*7*13) * (3*3*3)
        forward=910,  # 2*5*7*13
        backward_weight=910,  # 2*5*7*13
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=3, dilation=2),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 3, 7),),  # the kernel reaches over 5: 7 - 4, 11 - 4
        parameters=140,  # (3*3*3 + 1) * 5
        macs=5670,  # (2*5*3*7) * (3*3*3)
        forward=210,  # 2*5*3*7
        backward_weight=210,  # 2*5*3*7
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=(3, 2), dilation=(1, 3)),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 5, 8),),  # 7 - 2, 11 - 3*1
        parameters=95,  # (3*2*3 + 1) * 5
        macs=7200,  # (2*5*5*8) * (3*2*3)
        forward=400,  # 2*5*5*8
        backward_weight=400,  # 2*5*5*8
    ),
    Row(
        Conv2d(out_channels=15, kernel_size=3, groups=3),
        inputs=((2, 6, 5, 7),),
        outputs=((2, 15, 3, 5),),
        parameters=285,  # (3*3 * 6/3 + 1) * 15
        macs=8100,  # (2*15*3*5) * (3*3*2): an output reads the 2 channels of its group
        forward=450,  # 2*15*3*5
        backward_weight=450,  # 2*15*3*5
    ),
    Row(
        Conv2d(out_channels=7, kernel_size=3, padding=1, groups=7, bias=False),  # depthwise
        inputs=((2, 7, 5, 11),),
        outputs=((2, 7, 5, 11),),
        parameters=63,  # 3*3*1 * 7
        macs=6930,  # (2*7*5*11) * (3*3*1)
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=5, padding="same"),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 7, 11),),
        parameters=380,  # (5*5*3 + 1) * 5
        macs=57750,  # (2*5*7*11) * (5*5*3)
        forward=770,  # 2*5*7*11
        backward_weight=770,  # 2*5*7*11
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=(2, 4), padding="same"),  # 0 before and 1 after, 1 before and 2 after
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 7, 11),),
        parameters=125,  # (2*4*3 + 1) * 5
        macs=18480,  # (2*5*7*11) * (2*4*3)
        forward=770,  # 2*5*7*11
        backward_weight=770,  # 2*5*7*11
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=2, dilation=3, padding="same"),  # 3 in all: 1 before, 2 after
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 7, 11),),
        parameters=65,  # (2*2*3 + 1) * 5
        macs=9240,  # (2*5*7*11) * (2*2*3)
        forward=770,  # 2*5*7*11
        backward_weight=770,  # 2*5*7*11
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=3, stride=2, padding="valid"),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 3, 5),),
        parameters=140,  # (3*3*3 + 1) * 5
        macs=4050,  # (2*5*3*5) * (3*3*3)
        forward=150,  # 2*5*3*5
        backward_weight=150,  # 2*5*3*5
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=5, padding=(2, 3), padding_mode="reflect"),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 7, 13),),  # 7 + 4 - 4, 11 + 6 - 4
        parameters=380,  # (5*5*3 + 1) * 5
        macs=68250,  # (2*5*7*13) * (5*5*3)
        forward=910,  # 2*5*7*13
        backward_weight=910,  # 2*5*7*13
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=3, padding=2, padding_mode="replicate"),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 9, 13),),  # 7 + 4 - 2, 11 + 4 - 2
        parameters=140,  # (3*3*3 + 1) * 5
        macs=31590,  # (2*5*9*13) * (3*3*3)
        forward=1170,  # 2*5*9*13
        backward_weight=1170,  # 2*5*9*13
    ),
    Row(
        Conv2d(out_channels=5, kernel_size=2, padding="same", padding_mode="circular", bias=False),
        inputs=((2, 3, 7, 11),),
        outputs=((2, 5, 7, 11),),
        parameters=60,  # 2*2*3 * 5
        macs=9240,  # (2*5*7*11) * (2*2*3)
    ),
    Row(
        Conv2d(out_channels=13, kernel_size=1),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 13, 5, 7),),
        parameters=52,  # (1*1*3 + 1) * 13
        macs=2730,  # (2*13*5*7) * 3
        forward=910,  # 2*13*5*7
        backward_weight=910,  # 2*13*5*7
    ),
    Row(
        Conv3d(out_channels=5, kernel_size=(2, 3, 5)),
        inputs=((2, 3, 5, 7, 11),),
        outputs=((2, 5, 4, 5, 7),),
        parameters=455,  # (2*3*5*3 + 1) * 5
        macs=126000,  # (2*5*4*5*7) * (2*3*5*3)
        forward=1400,  # 2*5*4*5*7
        backward_weight=1400,  # 2*5*4*5*7
    ),
    Row(
        Conv3d(out_channels=6, kernel_size=3, stride=2, padding=1, dilation=(1, 1, 2), groups=2),
        inputs=((2, 4, 5, 7, 11),),
        outputs=((2, 6, 3, 4, 5),),  # (5 + 2 - 3)//2 + 1, (7 + 2 - 3)//2 + 1, (11 + 2 - 5)//2 + 1
        parameters=330,  # (3*3*3 * 4/2 + 1) * 6
        macs=38880,  # (2*6*3*4*5) * (3*3*3*2)
        forward=720,  # 2*6*3*4*5
        backward_weight=720,  # 2*6*3*4*5
    ),
    Row(
        Conv3d(out_channels=5, kernel_size=(1, 2, 3), padding="same", bias=False),
        inputs=((2, 3, 2, 5, 7),),
        outputs=((2, 5, 2, 5, 7),),
        parameters=90,  # 1*2*3*3 * 5
        macs=12600,  # (2*5*2*5*7) * (1*2*3*3)
    ),
    Row(
        ConvTranspose1d(out_channels=5, kernel_size=3),
        inputs=((2, 7, 11),),
        outputs=((2, 5, 13),),  # 11 + 3 - 1
        parameters=110,  # (3*7 + 1) * 5
        macs=2310,  # (2*7*11) * (3*5): inputs times what each is multiplied with
        forward=130,  # 2*5*13
        backward_weight=130,  # 2*5*13
    ),
    Row(
        ConvTranspose1d(out_channels=5, kernel_size=4, stride=3, padding=1, output_padding=2, dilation=2, bias=False),
        inputs=((2, 7, 11),),
        outputs=((2, 5, 37),),  # 10*3 - 2 + 2*3 + 2 + 1
        parameters=140,  # 4*7 * 5
        macs=3080,  # (2*7*11) * (4*5)
    ),
    Row(
        ConvTranspose2d(out_channels=5, kernel_size=3),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 5, 7, 9),),
        parameters=140,  # (3*3*3 + 1) * 5
        macs=9450,  # (2*3*5*7) * (3*3*5)
        forward=630,  # 2*5*7*9
        backward_weight=630,  # 2*5*7*9
    ),
    Row(
        ConvTranspose2d(out_channels=5, kernel_size=4, stride=2, padding=1),  # doubles
        inputs=((2, 3, 5, 7),),
        outputs=((2, 5, 10, 14),),  # 4*2 - 2 + 3 + 1, 6*2 - 2 + 3 + 1
        parameters=245,  # (4*4*3 + 1) * 5
        macs=16800,  # (2*3*5*7) * (4*4*5)
        forward=1400,  # 2*5*10*14
        backward_weight=1400,  # 2*5*10*14
    ),
    Row(
        ConvTranspose2d(out_channels=5, kernel_size=3, stride=2, padding=1),  # 2H - 1
        inputs=((2, 3, 5, 7),),
        outputs=((2, 5, 9, 13),),  # 4*2 - 2 + 2 + 1, 6*2 - 2 + 2 + 1
        parameters=140,  # (3*3*3 + 1) * 5
        macs=9450,  # (2*3*5*7) * (3*3*5)
        forward=1170,  # 2*5*9*13
        backward_weight=1170,  # 2*5*9*13
    ),
    Row(
        ConvTranspose2d(out_channels=5, kernel_size=3, stride=2, padding=1, output_padding=1),  # doubles
        inputs=((2, 3, 5, 7),),
        outputs=((2, 5, 10, 14),),
        parameters=140,  # (3*3*3 + 1) * 5
        macs=9450,  # (2*3*5*7) * (3*3*5): output_padding adds places, no products
        forward=1400,  # 2*5*10*14
        backward_weight=1400,  # 2*5*10*14
    ),
    Row(
        ConvTranspose2d(out_channels=15, kernel_size=3, groups=3),
        inputs=((2, 6, 5, 7),),
        outputs=((2, 15, 7, 9),),
        parameters=285,  # (3*3 * 6/3 + 1) * 15
        macs=18900,  # (2*6*5*7) * (3*3 * 15/3)
        forward=1890,  # 2*15*7*9
        backward_weight=1890,  # 2*15*7*9
    ),
    Row(
        ConvTranspose2d(
            out_channels=5,
            kernel_size=(2, 3),
            stride=(3, 1),
            padding=(0, 1),
            dilation=(1, 2),
            output_padding=1,  # less than the stride of one axis, and than the dilation of the other
            bias=False,
        ),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 5, 15, 10),),  # 4*3 + 1 + 1 + 1, 6*1 - 2 + 2*2 + 1 + 1
        parameters=90,  # 2*3*3 * 5
        macs=6300,  # (2*3*5*7) * (2*3*5)
    ),
    Row(
        ConvTranspose3d(out_channels=5, kernel_size=2, stride=2),
        inputs=((2, 3, 2, 3, 5),),
        outputs=((2, 5, 4, 6, 10),),
        parameters=125,  # (2*2*2*3 + 1) * 5
        macs=7200,  # (2*3*2*3*5) * (2*2*2*5)
        forward=2400,  # 2*5*4*6*10
        backward_weight=2400,  # 2*5*4*6*10
    ),
    Row(
        ConvTranspose3d(out_channels=6, kernel_size=(1, 2, 3), stride=(1, 2, 2), output_padding=(0, 1, 0), groups=2),
        inputs=((2, 4, 2, 3, 5),),
        outputs=((2, 6, 2, 7, 11),),  # 1 + 1, 2*2 + 1 + 1 + 1, 4*2 + 2 + 1
        parameters=78,  # (1*2*3 * 4/2 + 1) * 6
        macs=4320,  # (2*4*2*3*5) * (1*2*3 * 6/2)
        forward=1848,  # 2*6*2*7*11
        backward_weight=1848,  # 2*6*2*7*11
    ),
)
