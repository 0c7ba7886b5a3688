"""Fourier transforms: 5·n·log2 n operations for n complex values, half of it for real ones, axis by axis."""

from __future__ import annotations

from archcost.layers import FFT, IRFFT, RFFT, OverlapAdd
from archcost.tensors import TensorType
from tests.layers.rows import Row


def z(*shape: int) -> TensorType:
    return TensorType(shape, "complex64")


ROWS: tuple[Row, ...] = (
    Row(
        FFT(),
        inputs=(z(3, 5, 8),),
        outputs=((3, 5, 8),),
        forward=1800,  # 3*5 * (5*8*3): log2 8 = 3
        backward_input=1800,  # 3*5 * (5*8*3)
    ),
    Row(
        FFT(dim=(1,)),
        inputs=(z(2, 7, 3),),
        outputs=((2, 7, 3),),
        forward=588,  # 2*3 * 98: 5*7*log2 7 = 98.26
        backward_input=588,  # 2*3 * 98
    ),
    Row(
        FFT(dim=(-2, -1)),
        inputs=(z(3, 4, 8),),
        outputs=((3, 4, 8),),
        forward=2400,  # 3*8 * (5*4*2) + 3*4 * (5*8*3)
        backward_input=2400,  # 3*8 * (5*4*2) + 3*4 * (5*8*3)
    ),
    Row(
        FFT(dim=(3, 1)),
        inputs=(z(2, 4, 3, 2),),
        outputs=((2, 4, 3, 2),),
        forward=720,  # 2*4*3 * (5*2*1) + 2*3*2 * (5*4*2)
        backward_input=720,  # 2*4*3 * (5*2*1) + 2*3*2 * (5*4*2)
    ),
    Row(
        RFFT(),
        inputs=((3, 5, 8),),
        outputs=((3, 5, 5),),
        forward=900,  # 3*5 * (5*8*3) // 2
        backward_input=1800,  # 3*5 * (5*8*3): of complex numbers
        dtypes=("complex64",),
    ),
    Row(
        RFFT(onesided=False, dim=(1,)),
        inputs=((3, 4, 5),),
        outputs=((3, 4, 5),),
        forward=300,  # 3*5 * (5*4*2) // 2
        backward_input=600,  # 3*5 * (5*4*2)
        dtypes=("complex64",),
    ),
    Row(
        RFFT(dim=(1, 2)),
        inputs=((3, 4, 8),),
        outputs=((3, 4, 5),),
        forward=1320,  # 3*4 * (5*8*3) // 2 + 3*5 * (5*4*2): the others of half as many
        backward_input=2400,  # 3*4 * (5*8*3) + 3*8 * (5*4*2)
        dtypes=("complex64",),
    ),
    Row(
        RFFT(dim=(2, 1)),
        inputs=((3, 9, 4),),
        outputs=((3, 5, 4),),
        forward=1452,  # 3*4 * 71 + 3*5 * (5*4*2): 5/2*9*log2 9 = 71.32
        backward_input=2796,  # 3*4 * 143 + 3*9 * (5*4*2): 5*9*log2 9 = 142.65
        dtypes=("complex64",),
    ),
    Row(
        IRFFT(),
        inputs=(z(3, 5, 5),),
        outputs=((3, 5, 8),),
        forward=900,  # 3*5 * (5*8*3) // 2
        backward_input=990,  # 3*5 * (5*8*3) // 2 + 2 * 3*5*3: three of five are doubled, both parts
        dtypes=("float32",),
    ),
    Row(
        IRFFT(n=9),
        inputs=(z(3, 2, 5),),
        outputs=((3, 2, 9),),
        forward=426,  # 3*2 * 71
        backward_input=474,  # 3*2 * 71 + 2 * 3*2*4
        dtypes=("float32",),
    ),
    Row(
        IRFFT(n=1),
        inputs=(z(3, 2, 1),),
        outputs=((3, 2, 1),),
        dtypes=("float32",),
    ),
    Row(
        IRFFT(dim=(1, 2)),
        inputs=(z(3, 4, 5),),
        outputs=((3, 4, 8),),
        forward=1320,  # 3*4 * (5*8*3) // 2 + 3*5 * (5*4*2)
        backward_input=1392,  # 3*4 * (5*8*3) // 2 + 3*5 * (5*4*2) + 2 * 3*4*3
        dtypes=("float32",),
    ),
    Row(
        OverlapAdd(length=13, step=3),
        inputs=((2, 3, 7),),
        outputs=((2, 13),),
        forward=42,  # 2*3*7: every value is added
    ),
    Row(
        OverlapAdd(length=10, step=2),
        inputs=(z(2, 3, 5),),
        outputs=((2, 10),),
        forward=60,  # 2*3*5 * 2: both parts
    ),
)
