"""A product of matrices added to a tensor, in one operation of torch."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import broadcast_shape
from archcost.layers.card import Card
from archcost.layers.checks import require_rank
from archcost.layers.fields import Number
from archcost.layers.matmul.product import product_card, require_products
from archcost.layers.rules import Autograd, Call, NewView, Placement, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Input, excess, worst
from archcost.terms.expressions import Step
from archcost.work import Contraction, Elementwise, Work


class AddedProduct(Layer):
    """beta·x + alpha·(A·B). Inputs: x, which stretches over the product, A, B. A factor of 1 costs nothing."""

    prefix: ClassVar[str] = "addmm"
    arity: ClassVar[Arity] = Arity(3, 3)
    takes_complex: ClassVar[bool] = True
    meaning: ClassVar[tuple[str, ...]]
    beta: Number = 1.0
    alpha: Number = 1.0

    def output_types(self, inputs: Tensors) -> Tensors:
        added, left, right = inputs
        for tensor in (left, right):
            require_rank(tensor, len(self.meaning), f"({', '.join(self.meaning)})")
        require_products((left, right))
        if left.shape[:-2] != right.shape[:-2]:
            raise ShapeError("inputs have different batches", expected=str(left.shape[0]), found=f"{left} and {right}")
        result = TensorType(self.product(inputs), left.dtype)
        if added.dtype != result.dtype or broadcast_shape((added, result)) != result.shape:
            raise ShapeError(
                "cannot be added to the product", expected=f"{result}, or what stretches to it", found=str(added)
            )
        return (result,)

    def product(self, inputs: Tensors) -> tuple[int, ...]:
        """The shape of what is added."""
        return (*inputs[1].shape[:-1], inputs[2].shape[-1])

    def autograd(self, call: Call) -> Autograd:
        """Each matrix is kept for the other's gradient.

        Their gradients come first, each before it is scaled, then x's, which autograd's engine sums up at last: with
        all its axes, then seen without those in front.
        """
        added, left, right = call.inputs
        passed_on = added == call.result and self.beta == 1
        gradient = NewView(added) if added.rank < call.result.rank else added
        wanted = [call.inputs[index].numel for index in (1, 2) if call.needs(index)]
        steps = [size for numel in wanted for size in ((numel,) if self.alpha == 1 else (numel, numel, -numel))]
        given = sum(wanted)
        if call.needs(0) and not passed_on:
            scaled = call.result.numel if self.beta != 1 else 0
            summed = added.numel if added.shape != call.result.shape else 0
            steps += [scaled, summed]
            given += added.numel
        return Autograd(
            tuple([Input(3 - index) for index in (1, 2) if call.needs(index)]),
            (PASSED_ON if passed_on else gradient, left, right),
            backward=excess("gradients before they are whole", worst(steps) - given, call.result.dtype),
        )

    def placement(self, call: Call) -> Placement:
        return own_storage(call)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Sums of products, and an addition; a product for a factor that is not 1. x's gradient is summed back."""
        numel = outputs[0].numel
        factors = (self.beta != 1) + (self.alpha != 1)
        summed = (self.beta != 1) + (inputs[0].numel != numel)
        return (
            Contraction(inputs[1].numel * inputs[2].shape[-1] * outputs[0].real_macs, (1, 2)),
            Elementwise(outputs[0].reals, 1 + factors, {0: summed}, "added"),
        )

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes of two tensors meet, so no receptive field is followed."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        *batch, m, k = inputs[1].shape
        values = {"matrices": prod(batch), "m": m, "k": k, "n": inputs[2].shape[-1]}
        each = "4*" if outputs[0].is_complex else ""
        return (Step("MACs", f"{each}matrices*m*k*n", values, "every value of a product is one sum of k products"),)


class AddMM(AddedProduct):
    """beta·x + alpha·(A·B) of matrices (torch.addmm). Inputs: x, which stretches over the product, A, B."""

    type: Literal["addmm"] = "addmm"
    card: ClassVar[Card] = product_card("torch.addmm", ("addmm",), None, "macs", "product")
    meaning: ClassVar[tuple[str, ...]] = ("rows", "columns")


class BAddBMM(AddedProduct):
    """beta·x + alpha·(A·B) of as many matrices each (torch.baddbmm). Inputs: x, which stretches, A, B."""

    type: Literal["baddbmm"] = "baddbmm"
    card: ClassVar[Card] = product_card("torch.baddbmm", ("baddbmm",), None, "nothing", "product")
    meaning: ClassVar[tuple[str, ...]] = ("batch", "rows", "columns")


class AddBMM(AddedProduct):
    """beta·x + alpha·Σ(A·B), the sum of the products of as many matrices each (torch.addbmm).

    Inputs: x, which stretches over one of them, A, B. A product goes on adding to the one before it.
    """

    type: Literal["addbmm"] = "addbmm"
    card: ClassVar[Card] = product_card("torch.addbmm", ("addbmm",), None, "nothing", "product")
    meaning: ClassVar[tuple[str, ...]] = ("batch", "rows", "columns")

    def product(self, inputs: Tensors) -> tuple[int, ...]:
        return (inputs[1].shape[1], inputs[2].shape[2])
