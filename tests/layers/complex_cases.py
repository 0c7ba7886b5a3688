"""Complex numbers: parts seen otherwise are free, and an operation on them is so many on their parts."""

from __future__ import annotations

from archcost.layers import (
    Angle,
    Complex,
    Conj,
    ConjPhysical,
    Imag,
    Magnitude,
    Polar,
    Real,
    ViewAsComplex,
    ViewAsReal,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row


def z(*shape: int) -> TensorType:
    return TensorType(shape, "complex64")


ROWS: tuple[Row, ...] = (
    Row(ViewAsComplex(), inputs=((2, 3, 5, 2),), outputs=((2, 3, 5),), dtypes=("complex64",)),
    Row(ViewAsComplex(), inputs=((3, 2),), outputs=((3,),), dtypes=("complex64",)),
    Row(ViewAsReal(), inputs=(z(2, 3, 5),), outputs=((2, 3, 5, 2),), dtypes=("float32",)),
    Row(Real(), inputs=(z(2, 3, 5),), outputs=((2, 3, 5),), dtypes=("float32",)),
    Row(Imag(), inputs=(z(2, 3, 5),), outputs=((2, 3, 5),), dtypes=("float32",)),
    Row(Conj(), inputs=(z(2, 3, 5),), outputs=((2, 3, 5),)),
    Row(
        ConjPhysical(),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=30,  # 2*3*5
    ),
    Row(Complex(), inputs=((2, 3, 5), (2, 3, 5)), outputs=((2, 3, 5),), dtypes=("complex64",)),
    Row(
        Complex(),
        inputs=((2, 3, 5), (3, 1)),
        outputs=((2, 3, 5),),
        backward_input=30,  # 2*3*5: the stretched part's gradient
        dtypes=("complex64",),
    ),
    Row(
        Polar(),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=120,  # (2*3*5) * 4: sine, cosine, two products
        # |y| 2 + 1 + 1, two divisions, and a complex product of 4 products and 2 sums; two of those
        backward_input=720,  # (2*3*5) * (4 + 2 + 6 + 6 + 6)
        dtypes=("complex64",),
    ),
    Row(
        Angle(),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=480,  # (2*3*5) * (2 + 4 + 1 + 2 + 6 + 1)
        dtypes=("float32",),
    ),
    Row(
        Magnitude(),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=120,  # (2*3*5) * 4: two squares, a sum, a root
        backward_input=240,  # (2*3*5) * (4 + 2 + 2)
        dtypes=("float32",),
    ),
)
