"""Complex numbers: parts seen otherwise are free, and an operation on them is so many on their parts."""

from __future__ import annotations

from archcost.layers import (
    AddMM,
    Angle,
    Bmm,
    Complex,
    Conj,
    ConjPhysical,
    Einsum,
    Imag,
    Linear,
    Magnitude,
    MatMul,
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
    Row(
        MatMul(),
        inputs=(z(2, 3, 5), z(5, 7)),
        outputs=((2, 3, 7),),
        macs=840,  # 4 * 2*3*5*7
        macs_backward_input=1680,  # 4 * 2*3*5*7 * 2
    ),
    Row(
        MatMul(),
        inputs=(z(2, 1, 3, 5), z(3, 5, 7)),
        outputs=((2, 3, 3, 7),),
        macs=2520,  # 4 * 2*3*3*5*7
        macs_backward_input=5040,  # 4 * 2*3*3*5*7 * 2
    ),
    Row(
        Bmm(),
        inputs=(z(2, 3, 5), z(2, 5, 7)),
        outputs=((2, 3, 7),),
        macs=840,  # 4 * 2*3*5*7
        macs_backward_input=1680,  # 4 * 2*3*5*7 * 2
    ),
    Row(
        Einsum(equation="bixy,ioxy->boxy"),
        inputs=(z(2, 3, 4, 5), z(3, 7, 4, 5)),
        outputs=((2, 7, 4, 5),),
        macs=3360,  # 4 * 2*3*7*4*5
        macs_backward_input=6720,  # 4 * 2*3*7*4*5 * 2
    ),
    Row(
        Einsum(equation="bhl,hl->bhl"),
        inputs=(z(2, 3, 5), z(3, 5)),
        outputs=((2, 3, 5),),
        forward=180,  # 2*3*5 * 6
        backward_input=420,  # 2*3*5 * (6 + 6 + 2)
    ),
    Row(
        AddMM(),
        inputs=(z(7), z(3, 5), z(5, 7)),
        outputs=((3, 7),),
        macs=420,  # 4 * 3*5*7
        macs_backward_input=840,  # 4 * 3*5*7 * 2
        forward=42,  # 2 * 3*7
        backward_input=42,  # 2 * 3*7
    ),
    Row(
        Linear(out_features=7),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 7),),
        parameters=42,  # (5 + 1) * 7: a complex number is one
        macs=840,  # 4 * 2*3*5*7
        forward=84,  # 2 * 2*3*7
        backward_weight=84,  # 2 * 2*3*7
    ),
)
