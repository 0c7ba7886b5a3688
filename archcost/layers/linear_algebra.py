"""Factors of matrices and what is solved with them: LAPACK's operations, in the column of elementwise ones.

The counts are the highest powers of those in LAPACK Working Note 41 (S. Blackford, J. Dongarra, "Installation Guide for
LAPACK", 1999, table of operation counts): 2/3·n³ for a factorisation by LU, n²·k for k right-hand sides of a triangle.
Products of matrices in backward are contractions, as torch's counter has them.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CPU, Autocast
from archcost.layers.fields import Flag
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import OUTPUT, Input, Own, excess
from archcost.terms.memory_format import Layout, Shape, laid, strides_of
from archcost.work import Contraction, Elementwise, Shared, Work


def card(*calls: str, autocast: Autocast = IN_FLOAT32_ON_CPU) -> Card:
    return Card(
        torch=None,
        calls=calls,
        onnx=None,
        autocast=autocast,
        promotion="named",
        fvcore="nothing",
        time="reduction",
        blas=True,
    )


def require_square(tensor: TensorType) -> None:
    require_floating((tensor,))
    if tensor.rank < 2 or tensor.shape[-1] != tensor.shape[-2]:
        raise ShapeError("needs square matrices", expected="(…, n, n)", found=str(tensor))
    if tensor.dtype not in ("float32", "float64"):
        raise ShapeError("torch has no factors of this dtype", expected="float32 or float64", found=tensor.dtype)


def require_sides(inputs: Tensors) -> None:
    """Matrices of right-hand sides, as many as there are square ones."""
    square, sides = inputs
    require_square(square)
    if sides.dtype != square.dtype or sides.rank != square.rank or sides.shape[:-1] != square.shape[:-1]:
        raise ShapeError("sides do not go with the matrices", expected=f"{square} and (…, k)", found=str(sides))


def column_major(shape: Shape) -> Layout:
    """As LAPACK leaves matrices: their columns lie together."""
    turned = strides_of((*shape[:-2], shape[-1], shape[-2]), None)
    return laid(shape, (*turned[:-2], turned[-1], turned[-2]))


def status(tensor: TensorType) -> Own:
    """Whether it went well, of each matrix."""
    return Own("status", TensorType(tensor.shape[:-2], "int32"))


class OfMatrices(Layer):
    """Matrices in the last two axes."""

    def placement(self, call: Call) -> Placement:
        return own_storage(call, (column_major(call.result.shape),))

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Every value of a matrix looks at all."""
        return


class Inverse(OfMatrices):
    """Inverses, 2·n³ operations by LU (torch.linalg.inv). dx = −yᵀ·dy·yᵀ: two products of matrices, and a sign."""

    type: Literal["inverse"] = "inverse"
    prefix: ClassVar[str] = "inverse"
    card: ClassVar[Card] = card("linalg_inv", "inverse")

    def output_types(self, inputs: Tensors) -> Tensors:
        require_square(inputs[0])
        return inputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        *batch, n, _ = inputs[0].shape
        return (
            Elementwise(prod(batch), 2 * n**3, {0: n**2}, "inverted"),
            Shared(Contraction(2 * prod(batch) * n**3), (0,), "two products with the inverse"),
        )

    def autograd(self, call: Call) -> Autograd:
        made = excess("products", 2 * call.source.numel, call.source.dtype)
        return Autograd((OUTPUT,), call.inputs, (status(call.source),), made)


class Solve(OfMatrices):
    """X of A·X = B by LU, 2/3·n³ operations and 2·n²·k for k columns (torch.linalg.solve). Inputs: A, B.

    dB is solved by the same factors, dA = −dB·Xᵀ.
    """

    type: Literal["solve"] = "solve"
    prefix: ClassVar[str] = "solve"
    card: ClassVar[Card] = card("linalg_solve")
    arity: ClassVar[Arity] = Arity(2, 2)

    def output_types(self, inputs: Tensors) -> Tensors:
        require_sides(inputs)
        return (inputs[1],)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        *batch, n, k = outputs[0].shape
        count = prod(batch)
        return (
            Elementwise(count, round(2 * n**3 / 3) + 2 * n**2 * k, {0: n**2}, "factorised and solved"),
            Shared(Elementwise(count, 2 * n**2 * k, {}, "solved"), (0, 1), "gradient of the sides"),
            Shared(Contraction(count * n**2 * k), (0,), "product with the solution"),
        )

    def autograd(self, call: Call) -> Autograd:
        square = call.source
        factors = Own("factors", square)
        pivots = Own("pivots", TensorType(square.shape[:-1], "int32"))
        saved = (Input(0), factors, pivots, OUTPUT)
        return Autograd(saved, call.inputs, (status(square),), gradients_made(call), saves_for_nobody=True)


def gradients_made(call: Call) -> tuple[Own, ...]:
    """The product before its sign is turned, and the gradient of the sides where nobody wants it."""
    if not call.needs(0):
        return ()
    unwanted = 0 if call.needs(1) else call.inputs[1].numel
    return excess("product and sides", call.source.numel + unwanted, call.source.dtype)


class SolveTriangular(OfMatrices):
    """X of A·X = B for triangles A, n²·k operations for k columns (torch.linalg.solve_triangular). Inputs: A, B.

    dB is solved by the same triangle, dA = −dB·Xᵀ, its other half left out.
    """

    type: Literal["solve_triangular"] = "solve_triangular"
    prefix: ClassVar[str] = "solve"
    card: ClassVar[Card] = card("linalg_solve_triangular", autocast=AS_GIVEN)
    arity: ClassVar[Arity] = Arity(2, 2)
    upper: Flag

    def output_types(self, inputs: Tensors) -> Tensors:
        require_sides(inputs)
        return (inputs[1],)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        *batch, n, k = outputs[0].shape
        count = prod(batch)
        return (
            Elementwise(count, n**2 * k, {0: n**2}, "solved"),
            Shared(Elementwise(count, n**2 * k, {}, "solved"), (0, 1), "gradient of the sides"),
            Shared(Contraction(count * n**2 * k), (0,), "product with the solution"),
        )

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Input(0), OUTPUT), call.inputs, backward=gradients_made(call))
