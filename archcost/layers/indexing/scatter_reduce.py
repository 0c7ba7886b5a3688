"""Values that meet in one place, made one: summed, multiplied, averaged, or the largest or smallest kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from archcost.layers.base import Arity
from archcost.layers.card import Card
from archcost.layers.checks import whole_along
from archcost.layers.fields import Axis, Flag
from archcost.layers.indexing.gather import placing
from archcost.layers.indexing.scatter import ByIndex, Writing, require_slices
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, OUTPUT, PASSED_ON, Input, Moment, Own, Saved, beyond, worst_moment
from archcost.terms.windows import Rules
from archcost.work import Elementwise, Gather, Work

OPERATIONS = {"sum": (0, 0), "mean": (1, 1), "prod": (2, 2), "amax": (3, 3), "amin": (3, 3)}
"""Of the backward, a value of x and a value that was joined: a division by the count; a product and a quotient; a
comparison, and a count and a product with the share, or a division and the product.
"""


def mask_of(tensor: TensorType) -> TensorType:
    return TensorType(tensor.shape, "bool")


class Joining(Writing):
    """Into x: an operation a value that is joined, and a division a value of x where the mean is asked for."""

    arity: ClassVar[Arity] = Arity(3, 3)

    dim: Axis
    reduce: Any  # a Literal in each class
    include_self: Flag = True

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        x, _, values = inputs
        of_x, of_values = OPERATIONS[self.reduce]
        joined = Gather(values.numel, 1, {2: of_values} if of_values else {}, "values joined by index")
        means = self.reduce == "mean"
        return (joined, Elementwise(x.numel, int(means), {0: of_x}, "divided" if means else "")) if of_x else (joined,)

    def autograd(self, call: Call) -> Autograd:
        """It keeps all of its tensors, whatever `reduce` asks for; of an input that is overwritten a copy.

        (`scatter_reduce_backward` and `index_reduce_backward` in torch/csrc/autograd/FunctionsManual.cpp)
        """
        x, _, values = call.inputs
        before: Saved = Own("input before", x) if self.inplace else INPUT
        is_handed_on = self.reduce == "sum" and self.include_self
        given = tuple(
            [call.inputs[index] for index in (0, 2) if call.needs(index) and not (index == 0 and is_handed_on)]
        )
        return Autograd(
            (before, Input(1), Input(2), OUTPUT),
            (PASSED_ON if is_handed_on else x, None, values),
            backward=beyond("counts and shares", worst_moment(self.moments(x, values)), given),
        )

    def moments(self, x: TensorType, values: TensorType) -> Iterator[Moment]:
        """Both gradients are made, wanted or not. What one statement of C++ makes lives until its end."""
        match self.reduce:
            case "sum":
                yield (values,)
            case "mean":
                yield (x, x, values)
                yield (x, x, values, values, values)
            case "prod":
                yield (*[x] * 6, *[values] * 7, mask_of(values), mask_of(values))
            case _:
                yield from self.shares(x, values)
        if not self.include_self:
            yield (x, values) if self.reduce == "sum" else (x, x, values)

    def shares(self, x: TensorType, values: TensorType) -> Iterator[Moment]:
        """Of a maximum: its value, who equals it, how many do, and each one's share."""
        raise NotImplementedError


class ScatterReduce(Joining, ByIndex):
    """x with the values of the third input joined at the indices along `dim` (torch.scatter_reduce).

    `reduce` says how: an addition, a product or a comparison a value; `mean` divides each sum. Without `include_self`
    what x held at an index that is written does not count. Backward of `mean` divides by the counts again, that of
    `prod` multiplies and divides, and that of a maximum compares, counts equals and hands each its share.
    """

    type: Literal["scatter_reduce"] = "scatter_reduce"
    prefix: ClassVar[str] = "scatter_reduce"
    card: ClassVar[Card] = placing(None, "scatter_reduce")
    reduce: Literal["sum", "prod", "mean", "amax", "amin"]

    def output_types(self, inputs: Tensors) -> Tensors:
        self.check(inputs)
        return (inputs[0],)

    def shares(self, x: TensorType, values: TensorType) -> Iterator[Moment]:
        yield (*[x] * 4, values, values, mask_of(x))
        yield (*[x] * 4, *[values] * 4, mask_of(values))


class IndexReduce(Joining):
    """x with the slices of the third input joined along `dim` at the positions that the second lists
    (torch.index_reduce).

    `reduce` says how: a product or a comparison a value; `mean` adds and divides each sum. Without `include_self` what
    x held at a position that is written does not count. Backward as that of `scatter_reduce`.
    """

    type: Literal["index_reduce"] = "index_reduce"
    prefix: ClassVar[str] = "index_reduce"
    card: ClassVar[Card] = placing(None, "index_reduce")
    reduce: Literal["prod", "mean", "amax", "amin"]

    def output_types(self, inputs: Tensors) -> Tensors:
        require_slices(self.dim, inputs)
        return (inputs[0],)

    def shares(self, x: TensorType, values: TensorType) -> Iterator[Moment]:
        yield (*[x] * 4, *[values] * 4)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)
