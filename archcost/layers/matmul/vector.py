"""Products with vectors: of a matrix and a vector, of two vectors, and sums with such a product."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import broadcast_shape
from archcost.layers.card import Card
from archcost.layers.checks import require_floating, require_rank
from archcost.layers.dtypes import IN_16_BITS_ON_CUDA, WIDEST_ON_CUDA, Autocast, Outcome
from archcost.layers.fields import Number
from archcost.layers.rules import Autograd, Call, NewView, Placement, Timing, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Input, excess, worst
from archcost.terms.expressions import Step
from archcost.work import Contraction, Elementwise, Shared, Work


def card(torch: str, calls: tuple[str, ...], autocast: Autocast, promotion: Outcome = "first") -> Card:
    return Card(
        torch=torch,
        calls=calls,
        onnx=None,
        autocast=autocast,
        promotion=promotion,
        fvcore="nothing",
        time="batched product",
        blas=True,
    )


def require_one_dtype(inputs: Tensors) -> None:
    require_floating(inputs)
    if len({tensor.dtype for tensor in inputs}) > 1:
        found = " and ".join(str(tensor) for tensor in inputs)
        raise ShapeError("inputs have different dtypes", expected=inputs[0].dtype, found=found)


def require_sizes(wanted: int, vector: TensorType, beside: TensorType) -> None:
    if vector.shape[0] != wanted:
        raise ShapeError("do not go together", expected=f"{wanted} values beside {beside}", found=str(vector))


class VectorProduct(Layer):
    """Axes of two tensors meet, so no receptive field is followed."""

    def placement(self, call: Call) -> Placement:
        return own_storage(call)

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """As many rows as the batch says, one column."""
        return Timing(self.card.time, (1, inputs[0].shape[-1]))

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return


class MV(VectorProduct):
    """(m, k) · (k) → (m) (torch.mv, and torch.matmul of a vector).

    The matrix's gradient is a product for each of its values, without a sum; the vector's is a product with the matrix.
    """

    type: Literal["mv"] = "mv"
    prefix: ClassVar[str] = "mv"
    arity: ClassVar[Arity] = Arity(2, 2)
    card: ClassVar[Card] = card("torch.mv", ("mv",), IN_16_BITS_ON_CUDA)

    def output_types(self, inputs: Tensors) -> Tensors:
        matrix, vector = inputs
        require_one_dtype(inputs)
        require_rank(matrix, 2, "(rows, columns)")
        require_rank(vector, 1, "(columns)")
        require_sizes(matrix.shape[1], vector, matrix)
        return (TensorType(matrix.shape[:1], matrix.dtype),)

    def autograd(self, call: Call) -> Autograd:
        """Each is kept for the other's gradient."""
        return Autograd(tuple([Input(1 - operand) for operand in (1, 0) if call.needs(operand)]), call.inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        numel = inputs[0].numel
        return (Contraction(numel, (1,)), Elementwise(numel, 0, {0: 1}, "products of the gradient"))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        m, k = inputs[0].shape
        return (
            Step("output axis 0", "m", {"m": m}, "a value a row"),
            Step("MACs", "m*k", {"m": m, "k": k}, "every output value is one sum of k products"),
        )


class Dot(VectorProduct):
    """(k) · (k) → one value (torch.dot, torch.vdot). Backward a product with the other for each value."""

    type: Literal["dot"] = "dot"
    prefix: ClassVar[str] = "dot"
    arity: ClassVar[Arity] = Arity(2, 2)
    card: ClassVar[Card] = card("torch.dot", ("dot", "vdot"), WIDEST_ON_CUDA)

    def output_types(self, inputs: Tensors) -> Tensors:
        require_one_dtype(inputs)
        for tensor in inputs:
            require_rank(tensor, 1, "(values)")
        require_sizes(inputs[0].shape[0], inputs[1], inputs[0])
        return (TensorType((), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        """Each is kept for the other's gradient."""
        return Autograd(tuple([Input(1 - operand) for operand in (1, 0) if call.needs(operand)]), call.inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        numel = inputs[0].numel
        return (Contraction(numel, ()), Elementwise(numel, 0, {0: 1, 1: 1}, "products of the gradient"))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step("MACs", "k", {"k": inputs[0].numel}, "one sum of k products"),)


class AddedVectors(VectorProduct):
    """beta·x + alpha·(a product). Inputs: x, which stretches over the product, and its factors. A factor of 1 costs
    nothing.
    """

    arity: ClassVar[Arity] = Arity(3, 3)
    beta: Number = 1.0
    alpha: Number = 1.0

    def product(self, inputs: Tensors) -> tuple[int, ...]:
        """The shape of the product. Raises ShapeError."""
        raise NotImplementedError

    def output_types(self, inputs: Tensors) -> Tensors:
        require_one_dtype(inputs)
        result = TensorType(self.product(inputs), inputs[0].dtype)
        if broadcast_shape((inputs[0], result)) != result.shape:
            raise ShapeError(
                "cannot be added to the product", expected=f"{result}, or what stretches to it", found=str(inputs[0])
            )
        return (result,)

    def autograd(self, call: Call) -> Autograd:
        """The factors' gradients are made by one operation or two, of which the first is dropped; x's is scaled before
        or after them, by the names of torch's arguments, and summed up at last by autograd's engine.
        """
        added, result = call.inputs[0], call.result
        passed_on = added == result and self.beta == 1
        gradient = NewView(added) if 0 < added.rank < result.rank else added
        steps: list[int] = []
        for index in self.in_order():
            numel = call.inputs[index].numel
            if call.needs(index) and index:
                steps += (numel,) if self.alpha == 1 else (numel, numel, -numel)
            elif call.needs(index) and self.beta != 1:
                steps.append(result.numel)
        summed = call.needs(0) and added.shape != result.shape
        steps += (added.numel,) if summed else ()
        given = sum([call.inputs[index].numel for index in (1, 2) if call.needs(index)])
        given += added.numel if call.needs(0) and not passed_on else 0
        return Autograd(
            tuple([Input(3 - index) for index in (1, 2) if call.needs(index)]),
            (PASSED_ON if passed_on else gradient, *call.inputs[1:]),
            backward=excess("gradients before they are whole", worst(steps) - given, result.dtype),
        )

    def in_order(self) -> tuple[int, ...]:
        """The inputs as torch works out their gradients."""
        raise NotImplementedError

    def sums(self, inputs: Tensors, outputs: Tensors) -> Elementwise:
        """The addition, and a product for a factor that is not 1; x's gradient is scaled and summed back."""
        numel = outputs[0].numel
        factors, summed = (self.beta != 1) + (self.alpha != 1), (self.beta != 1) + (inputs[0].numel != numel)
        return Elementwise(numel, 1 + factors, {0: summed}, "added")


class AddMV(AddedVectors):
    """beta·x + alpha·(A·v) (torch.addmv). Inputs: x, A (m, k), v (k)."""

    type: Literal["addmv"] = "addmv"
    prefix: ClassVar[str] = "addmv"
    card: ClassVar[Card] = card("torch.addmv", ("addmv",), IN_16_BITS_ON_CUDA)

    def product(self, inputs: Tensors) -> tuple[int, ...]:
        return MV().output_types(inputs[1:])[0].shape

    def in_order(self) -> tuple[int, ...]:
        return (1, 0, 2)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """The matrix's gradient is a product a value, scaled by alpha; so is the vector's scaled."""
        scaled, matrix = int(self.alpha != 1), inputs[1].numel
        return (
            Contraction(matrix, (2,)),
            Elementwise(matrix, 0, {1: 1 + scaled}, "products of the gradient"),
            Elementwise(inputs[2].numel, 0, {2: scaled}, "gradient scaled"),
            self.sums(inputs, outputs),
        )

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return MV().working(inputs[1:], outputs)


class AddR(AddedVectors):
    """beta·x + alpha·(u·vᵀ), of each value of u with each of v (torch.addr). Inputs: x, u (m), v (n).

    A product a value, without a sum; the gradient of either vector is a product of the matrix that arrives with the
    other.
    """

    type: Literal["addr"] = "addr"
    prefix: ClassVar[str] = "addr"
    card: ClassVar[Card] = card("torch.addr", ("addr",), IN_16_BITS_ON_CUDA, "promoted")

    def product(self, inputs: Tensors) -> tuple[int, ...]:
        for tensor in inputs[1:]:
            require_rank(tensor, 1, "(values)")
        return (*inputs[1].shape, *inputs[2].shape)

    def in_order(self) -> tuple[int, ...]:
        return (0, 1, 2)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        numel, scaled = outputs[0].numel, int(self.alpha != 1)
        return (
            Elementwise(numel, 1, {}, "multiplied"),
            *[Shared(Contraction(numel, ()), (index,), "gradient of a vector") for index in (1, 2)],
            *[Elementwise(inputs[index].numel, 0, {index: scaled}, "gradient scaled") for index in (1, 2)],
            self.sums(inputs, outputs),
        )

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        (m,), (n,) = inputs[1].shape, inputs[2].shape
        return (Step("output axis 0", "m", {"m": m}), Step("output axis 1", "n", {"n": n}))
