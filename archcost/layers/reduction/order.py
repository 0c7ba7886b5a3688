"""Values of an axis by their order: the middle, the k-th, the most frequent; both ends; how many are not zero."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis
from archcost.layers.fields import Axis, Size
from archcost.layers.reduction.folding import Folding, FoldingAxes, FoldingOneOrAll, Picked, card
from archcost.layers.rows import row
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, OUTPUT, Output, Own, beyond, worst_moment
from archcost.work import Reduction, Work


class PickedByOrder(Picked):
    """Of the last axis unless another is named."""

    dim: Axis = -1


def by_order(name: str, says: str) -> type[PickedByOrder]:
    type_ = name.lower()
    doc = f"{says} along an axis, and where it is (torch.{type_} with `dim`). Outputs: values, indices."
    return row(__name__, PickedByOrder, name, type_, doc, card(f"torch.{type_}"))


Median = by_order("Median", "The middle one of the values in order, of two the lower,")
NanMedian = by_order("NanMedian", "The middle one of the values that are numbers, of two the lower,")
Mode = by_order("Mode", "The value that is there most often")


class KthValue(PickedByOrder):
    """The `k`-th smallest value along an axis, and where it is (torch.kthvalue). Outputs: values, indices."""

    type: Literal["kthvalue"] = "kthvalue"
    prefix: ClassVar[str] = "kthvalue"
    card: ClassVar[Card] = card("torch.kthvalue")
    k: Size

    def output_types(self, inputs: Tensors) -> Tensors:
        size = inputs[0].shape[normalize_axis(self.dim, inputs[0].rank)]
        if self.k > size:
            raise ShapeError("k is more than there are", expected=f"at most {size}", found=str(self.k))
        return super().output_types(inputs)


class MiddleOfAll(Folding):
    """A comparison a value read. Backward [x = y]/n·dy with n the number of equals: comparison, addition, product."""

    def over(self) -> tuple[tuple[int, ...] | None, bool]:
        return None, False

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType((), inputs[0].dtype),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {0: 3}, "compared"),)

    def autograd(self, call: Call) -> Autograd:
        """Which are equal, or no number as the result is (`evenly_distribute_backward` in FunctionsManual.cpp)."""
        equals = TensorType((3 * call.source.numel + 1,), "bool")
        counts = (Own("counts", TensorType((), "int64")), Own("share", call.result))
        return Autograd((INPUT, OUTPUT), call.inputs, backward=(Own("equals", equals), *counts))


def middle_of_all(name: str, says: str) -> type[MiddleOfAll]:
    function = name.removesuffix("All").lower()
    doc = f"{says} of all axes; equals share the gradient (torch.{function} without `dim`)."
    return row(__name__, MiddleOfAll, name, f"{function}_all", doc, card(f"torch.{function}"))


MedianAll = middle_of_all("MedianAll", "The middle one of the values in order, of two the lower,")
NanMedianAll = middle_of_all("NanMedianAll", "The middle one of the values that are numbers, of two the lower,")


class AMinMax(FoldingOneOrAll):
    """The smallest and the largest value along an axis, or without `dim` of all (torch.aminmax).

    Two comparisons a value read. Backward [x = y]/n·dy for either, and their sum; equals share the gradient.
    """

    type: Literal["aminmax"] = "aminmax"
    prefix: ClassVar[str] = "aminmax"
    card: ClassVar[Card] = card(None)

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), inputs[0].dtype),) * 2

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 2, {0: 7}, "compared"),)

    def autograd(self, call: Call) -> Autograd:
        """Where the equals of one are, how many, and each one's share; and both gradients beside their sum."""
        source, mask = call.source, TensorType(call.source.shape, "bool")
        counts = TensorType(call.result.shape, "int64")
        moments = ((source, mask, counts, call.result, source), (source, source, mask, source))
        alive = beyond("gradients of both", worst_moment(moments), (source,))
        return Autograd((INPUT, OUTPUT, Output(1)), call.inputs, backward=alive)


class CountNonzero(Folding):
    """How many values are not zero, over one axis or several, or all (torch.count_nonzero): comparison and addition."""

    type: Literal["count_nonzero"] = "count_nonzero"
    prefix: ClassVar[str] = "count"
    card: ClassVar[Card] = card("torch.count_nonzero", promotion="named")
    dim: Axis | tuple[Axis, ...] | None = None

    def over(self) -> tuple[tuple[int, ...] | None, bool]:
        return (self.dim,) if isinstance(self.dim, int) else self.dim, False

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), "int64"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 2, {}, "counted"),)


class NanSum(FoldingAxes):
    """Sum of the values that are numbers, over one axis or several (torch.nansum): comparison and addition.

    Backward dy where x is a number: comparison, negation, product.
    """

    type: Literal["nansum"] = "nansum"
    prefix: ClassVar[str] = "sum"
    card: ClassVar[Card] = card("torch.nansum")

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 2, {0: 3}, "summed"),)

    def autograd(self, call: Call) -> Autograd:
        masks = Own("masks", TensorType((2 * call.source.numel,), "bool"))
        return Autograd((INPUT,), call.inputs, backward=(masks,))


class Multinomial(Folding):
    """Places drawn along the last axis by weights, in int64 (torch.multinomial). There is no gradient.

    Counted as one comparison a weight. Drawing is not counted.
    """

    type: Literal["multinomial"] = "multinomial"
    prefix: ClassVar[str] = "multinomial"
    card: ClassVar[Card] = card("torch.multinomial", promotion="named")
    num_samples: Size
    replacement: bool = False

    def over(self) -> tuple[tuple[int, ...] | None, bool]:
        return (-1,), True

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = inputs[0].shape
        if not 1 <= len(shape) <= 2:
            raise ShapeError("needs weights", expected="(weights) or (rows, weights)", found=str(inputs[0]))
        if self.num_samples > shape[-1] and not self.replacement:
            expected, found = f"at most {shape[-1]}", str(self.num_samples)
            raise ShapeError("draws more than there are", expected=expected, found=found, hint="replacement: true")
        return (TensorType((*shape[:-1], self.num_samples), "int64"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "drawn from"),)
