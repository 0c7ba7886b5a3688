"""A product of matrices added to a tensor, in one operation of torch."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer, Number, require_rank
from archcost.layers.broadcasting import broadcast_shape
from archcost.layers.dtypes import IN_16_BITS, Autocast, Outcome
from archcost.layers.matmul.product import require_products
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Gradient, Input, Saved, Scratch, Setting, excess
from archcost.terms.expressions import Step
from archcost.terms.time_classes import TimeClass
from archcost.work import Contraction, Elementwise, Work


class AddedProduct(Layer):
    """beta·x + alpha·(A·B). Inputs: x, which stretches over the product, A, B. A factor of 1 costs nothing."""

    prefix: ClassVar[str] = "addmm"
    arity: ClassVar[Arity] = Arity(3, 3)
    autocast: ClassVar[Autocast] = IN_16_BITS
    time_class: ClassVar[TimeClass] = "product"
    comes_out: ClassVar[Outcome] = "first"
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
        result = TensorType((*left.shape[:-1], right.shape[-1]), left.dtype)
        if added.dtype != result.dtype or broadcast_shape((added, result)) != result.shape:
            raise ShapeError(
                "cannot be added to the product", expected=f"{result}, or what stretches to it", found=str(added)
            )
        return (result,)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Each matrix for the other's gradient."""
        return tuple(Input(3 - index) for index in (1, 2) if index in setting.needs)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        added, left, right = inputs
        return (PASSED_ON if added == outputs[0] and self.beta == 1 else added, left, right)

    def viewed_gradients(self, inputs: Tensors, setting: Setting) -> tuple[bool, ...]:
        """Summed with all its axes, then seen without those in front."""
        return (inputs[0].rank < len(self.meaning), False, False)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The matrices' gradients come first, each before it is scaled, then x's, which the engine sums up at last."""
        live = most = 0
        for index in (1, 2):
            if index in setting.needs:
                numel = inputs[index].numel
                most = max(most, live + numel * (1 if self.alpha == 1 else 2))
                live += numel
        given = live
        if 0 in setting.needs and self.gradients(inputs, outputs, setting)[0] != PASSED_ON:
            live += outputs[0].numel if self.beta != 1 else 0
            summed = inputs[0].numel if inputs[0].shape != outputs[0].shape else 0
            most, given = max(most, live + summed), given + inputs[0].numel
        return Scratch(backward=excess("gradients before they are whole", most - given, outputs[0].dtype))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Sums of products, and an addition; a product for a factor that is not 1. x's gradient is summed back."""
        numel = outputs[0].numel
        factors = (self.beta != 1) + (self.alpha != 1)
        summed = (self.beta != 1) + (inputs[0].numel != numel)
        return (
            Contraction(numel * inputs[1].shape[-1], (1, 2)),
            Elementwise(numel, 1 + factors, {0: summed}, "added"),
        )

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes of two tensors meet, so no receptive field is followed."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        *batch, m, n = outputs[0].shape
        values = {"matrices": prod(batch), "m": m, "k": inputs[1].shape[-1], "n": n}
        return (Step("MACs", "matrices*m*k*n", values, "every output value is one sum of k products"),)


class AddMM(AddedProduct):
    """beta·x + alpha·(A·B) of matrices (torch.addmm). Inputs: x, which stretches over the product, A, B."""

    type: Literal["addmm"] = "addmm"
    meaning: ClassVar[tuple[str, ...]] = ("rows", "columns")


class BAddBMM(AddedProduct):
    """beta·x + alpha·(A·B) of as many matrices each (torch.baddbmm). Inputs: x, which stretches, A, B."""

    type: Literal["baddbmm"] = "baddbmm"
    meaning: ClassVar[tuple[str, ...]] = ("batch", "rows", "columns")
