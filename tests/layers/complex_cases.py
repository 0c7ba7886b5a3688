"""Complex numbers: parts seen otherwise are free, and an operation on them is so many on their parts."""

from __future__ import annotations

from archcost.layers import (
    Add,
    AddMM,
    Angle,
    Bmm,
    Complex,
    ComplexScale,
    Conj,
    ConjPhysical,
    Div,
    Einsum,
    Exp,
    Imag,
    IndexSelect,
    Linear,
    Magnitude,
    MatMul,
    Mean,
    Mul,
    Neg,
    Polar,
    Real,
    Reciprocal,
    Rsub,
    Scale,
    Sub,
    Sum,
    ViewAsComplex,
    ViewAsReal,
    Write,
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
    Row(
        Add(),
        inputs=(z(2, 3, 5), (3, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: to the real part
        backward_input=30,  # 2*3*5: the real part of the stretched one's gradient
    ),
    Row(
        Add(),
        inputs=(z(2, 3, 5), z(1, 5), z(2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=120,  # 2*3*5 * 2 * 2
        backward_input=60,  # 2*3*5 * 2
    ),
    Row(
        Add(inplace=True),
        inputs=(z(2, 3), z(2, 3)),
        outputs=((2, 3),),
        forward=12,  # 2*3 * 2
    ),
    Row(
        Sub(),
        inputs=((2, 3, 5), z(2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=60,  # 2*3*5 * 2: the sign of both parts
        dtypes=("complex64",),
    ),
    Row(
        Mul(),
        inputs=(z(2, 3, 5), z(2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=180,  # 2*3*5 * 6
        backward_input=360,  # 2*3*5 * 6 * 2
    ),
    Row(
        Mul(),
        inputs=(z(2, 3, 5), z(3, 1)),
        outputs=((2, 3, 5),),
        forward=180,  # 2*3*5 * 6
        backward_input=420,  # 2*3*5 * (6 + 6 + 2)
    ),
    Row(
        Mul(),
        inputs=(z(2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=60,  # 2*3*5 * 2
        backward_input=240,  # 2*3*5 * (2 + 6): with the conjugate a whole product, whose real part is taken
    ),
    Row(
        Mul(),
        inputs=((3, 5), z(2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=60,  # 2*3*5 * 2
        backward_input=270,  # 2*3*5 * (2 + 6 + 1)
        dtypes=("complex64",),
    ),
    Row(
        Mul(inplace=True),
        inputs=(z(2, 3), (2, 3)),
        outputs=((2, 3),),
        forward=12,  # 2*3 * 2
        backward_input=48,  # 2*3 * (2 + 6)
    ),
    Row(
        Div(),
        inputs=(z(2, 3, 5), z(2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=330,  # 2*3*5 * (6 + 3 + 2)
        backward_input=1230,  # 2*3*5 * (11 + 2 + 11 + 11 + 6): divided; negated, divided twice, multiplied
    ),
    Row(
        Div(),
        inputs=(z(2, 3, 5), (3, 1)),
        outputs=((2, 3, 5),),
        forward=60,  # 2*3*5 * 2
        backward_input=450,  # 2*3*5 * (2 + 2 + 2 + 2 + 6 + 1)
    ),
    Row(
        Neg(),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=60,  # 2*3*5 * 2
        backward_input=60,  # 2*3*5 * 2
    ),
    Row(
        Exp(),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=150,  # 2*3*5 * (1 + 2 + 2): exp, cosine and sine, two products
        backward_input=180,  # 2*3*5 * 6
    ),
    Row(
        Reciprocal(),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=150,  # 2*3*5 * (3 + 2): the square of its absolute value, two divisions
        backward_input=420,  # 2*3*5 * (2 + 6 + 6)
    ),
    Row(
        Scale(factor=2.0),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=60,  # 2*3*5 * 2
        backward_input=60,  # 2*3*5 * 2
    ),
    Row(
        Scale(shift=2.0),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: the real part
    ),
    Row(
        Rsub(other=1.0),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5
        backward_input=60,  # 2*3*5 * 2
    ),
    Row(
        ComplexScale(),
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=60,  # 2*3*5 * 2
        backward_input=180,  # 2*3*5 * 6
        dtypes=("complex64",),
    ),
    Row(
        ComplexScale(real=2.0),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=180,  # 2*3*5 * 6
        backward_input=180,  # 2*3*5 * 6
    ),
    Row(
        Sum(dim=2),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3),),
        forward=60,  # 2*3*5 * 2
    ),
    Row(
        Mean(dim=2),
        inputs=(z(2, 3, 5),),
        outputs=((2, 3),),
        forward=60,  # 2*3*5 * 2
        backward_input=60,  # 2*3*5 * 2
    ),
    Row(Write(numel=10), inputs=(z(2, 3, 5), z(2, 2, 5)), outputs=((2, 3, 5),)),
    Row(
        Write(numel=10),
        inputs=(z(2, 3, 5), z(5)),
        outputs=((2, 3, 5),),
        backward_input=40,  # 2*10 * 2: both parts, summed for those that were stretched
    ),
    Row(
        IndexSelect(dim=1),
        inputs=(z(2, 3, 5), TensorType((7,), "int64")),
        outputs=((2, 7, 5),),
        backward_input=140,  # 2*7*5 * 2
    ),
)
