"""Distances between the rows of two tensors, each to each."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import ClassVar, Literal, NamedTuple

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import summed_back
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import IN_FLOAT32
from archcost.layers.fields import Number
from archcost.layers.matmul.product import stretched_axes
from archcost.layers.rules import Autograd, Call, NewView, Placement, Timing, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import OUTPUT, Input, Own, Saved
from archcost.terms.expressions import Step
from archcost.terms.memory_format import is_row_major
from archcost.work import Contraction, Elementwise, Reduction, Shared, Work

FEW = 25
"""Rows up to which torch works out Euclidean distances one by one, where it is left to it."""


class _Sizes(NamedTuple):
    """Stacks, rows of the first and of the second, values a row."""

    stacks: int
    left: int
    right: int
    values: int

    @property
    def pairs(self) -> int:
        return self.stacks * self.left * self.right


class CDist(Layer):
    """(…, P, M), (…, R, M) → (…, P, R): the p-norm of the difference of each two rows (torch.cdist).

    Pair by pair it takes difference, absolute value or square, and sum a value, and a root a pair; a backward goes over
    as many values for each input. Euclidean distances of more than 25 rows are √(|a|² − 2a·b + |b|²): a product of
    matrices with two columns more, which hold the squares (`_euclidean_dist` in native/Distance.cpp). Its backward is a
    product of each input with dy/y; torch makes both gradients, whichever is wanted.
    """

    type: Literal["cdist"] = "cdist"
    prefix: ClassVar[str] = "cdist"
    arity: ClassVar[Arity] = Arity(2, 2)
    card: ClassVar[Card] = Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=IN_FLOAT32,
        promotion="first",
        fvcore="nothing",
        time="batched product",
        blas=True,
    )
    p: Number | Literal["inf"] = 2.0
    compute_mode: Literal[
        "use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"
    ] = "use_mm_for_euclid_dist_if_necessary"

    def output_types(self, inputs: Tensors) -> Tensors:
        left, right = inputs
        require_floating(inputs)
        for tensor in inputs:
            if tensor.rank < 2:
                raise ShapeError("needs rows", expected="(…, rows, values)", found=str(tensor))
        if left.shape[-1] != right.shape[-1] or left.dtype != right.dtype:
            raise ShapeError("rows do not go together", expected=f"{left.shape[-1]} values a row", found=str(right))
        if isinstance(self.p, float) and self.p < 0:
            raise ShapeError("no norm", expected="p of 0 or more", found=str(self.p))
        return (TensorType((*stretched_axes(inputs), left.shape[-2], right.shape[-2]), left.dtype),)

    def by_products(self, inputs: Tensors) -> bool:
        if self.p != 2 or self.compute_mode == "donot_use_mm_for_euclid_dist":
            return False
        return self.compute_mode == "use_mm_for_euclid_dist" or max(tensor.shape[-2] for tensor in inputs) > FEW

    def _sizes(self, inputs: Tensors) -> _Sizes:
        (left, values), right = inputs[0].shape[-2:], inputs[1].shape[-2]
        return _Sizes(prod(stretched_axes(inputs)), left, right, values)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return self._products(inputs) if self.by_products(inputs) else self._pairs(inputs)

    def _products(self, inputs: Tensors) -> tuple[Work, ...]:
        """Squares, their sums, the doubled input, the product, bound and root. Backward dy/y, 0 where y is, its sums,
        their products with the inputs, and differences.
        """
        sizes, both = self._sizes(inputs), (0, 1)
        rows = sizes.stacks * (sizes.left + sizes.right) * sizes.values
        return (
            Reduction(rows, 2, {}, "squares"),
            Elementwise(sizes.stacks * sizes.left * sizes.values, 1, {}, "doubled"),
            Contraction(sizes.pairs * (sizes.values + 2), ()),
            Elementwise(sizes.pairs, 2, {}, "roots"),
            Shared(Contraction(2 * sizes.pairs * sizes.values, ()), both, "products of both gradients"),
            Shared(Elementwise(sizes.pairs, 4, {}), both, "dy/y and its sums"),
            Shared(Elementwise(rows, 2, {}), both, "products and differences"),
            *self._summed_back(inputs),
        )

    def _pairs(self, inputs: Tensors) -> tuple[Work, ...]:
        """A difference and what the norm does of it; see `NORMS`."""
        sizes, (forward, roots, backward) = self._sizes(inputs), norm(self.p)
        return (
            Reduction(sizes.pairs * sizes.values, forward, dict.fromkeys((0, 1), backward), "differences"),
            Elementwise(sizes.pairs, roots, {}, "roots"),
            *self._summed_back(inputs),
        )

    def _summed_back(self, inputs: Tensors) -> tuple[Work, ...]:
        whole = self._stretched(inputs)
        return tuple(
            [
                Elementwise(tensor.numel, 0, {index: 1}, "gradient summed back")
                for index, tensor in enumerate(whole)
                if tensor.numel != inputs[index].numel
            ]
        )

    def _stretched(self, inputs: Tensors) -> Tensors:
        batch = stretched_axes(inputs)
        return tuple([TensorType((*batch, *tensor.shape[-2:]), tensor.dtype) for tensor in inputs])

    def autograd(self, call: Call) -> Autograd:
        return self._kept_for_products(call) if self.by_products(call.inputs) else self._kept_for_pairs(call)

    def _kept_for_pairs(self, call: Call) -> Autograd:
        """The second's gradient is the first's of all turned round, by copies of what arrived and of the result."""
        whole, result = self._stretched(call.inputs), call.result
        is_copied = 1 not in result.shape[-2:]
        turned = (result, result) if is_copied else ()
        first = (whole[0],) if call.needs(0) else ()
        second = (*first, *turned, whole[1]) if call.needs(1) else ()
        return summed_back(call, (Input(0), Input(1), OUTPUT), dict(enumerate(whole)), during=(first, second))

    def _kept_for_products(self, call: Call) -> Autograd:
        """Inputs that are stretched, or not row-major, are copied; of several stacks the copies are what is multiplied.
        Both gradients are made in one expression.
        """
        whole, result = self._stretched(call.inputs), call.result
        kept: list[Saved] = []
        dropped: list[Own] = []
        for index, (tensor, given) in enumerate(zip(whole, call.inputs, strict=True)):
            is_copied = tensor.numel != given.numel or not is_row_major(given.shape, call.setting.layout(index))
            copy = Own(f"rows of input {index + 1}", tensor)
            is_multiplied = is_copied and tensor.shape[-2] * tensor.shape[-1] != tensor.numel
            kept.append(copy if is_multiplied else Input(index))
            dropped += [copy] if is_copied and not is_multiplied else []
        sums = [TensorType(tensor.shape[:-1], tensor.dtype) for tensor in whole]
        ratio = (result, TensorType(result.shape, "bool"))
        both = (result, *[tensor for index in (0, 1) for tensor in (*[whole[index]] * 3, sums[index])])
        given_back = summed_back(
            call, (*kept, OUTPUT), dict(enumerate(whole)), during=(ratio, both), forward=tuple(dropped)
        )
        views = [
            NewView(tensor) if tensor.shape == stretched.shape and len(tensor.shape) > 2 else gradient
            for tensor, stretched, gradient in zip(call.inputs, whole, given_back.gradients, strict=True)
        ]
        return replace(given_back, gradients=tuple(views), saves_for_nobody=True)

    def placement(self, call: Call) -> Placement:
        """A product of stacks is seen in the shape of the inputs."""
        return own_storage(call)._replace(is_view=self.by_products(call.inputs) or None)

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        sizes = self._sizes(inputs)
        extents = (sizes.left, sizes.right, sizes.values)
        return Timing(self.card.time, extents) if self.by_products(inputs) else Timing("reduction")

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Rows of two tensors meet, so no receptive field is followed."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        sizes, rank = self._sizes(inputs), outputs[0].rank
        values = {"stacks": sizes.stacks, "P": sizes.left, "R": sizes.right, "M": sizes.values}
        shapes = (
            Step(f"output axis {rank - 2}", "P", {"P": sizes.left}, "rows of the first"),
            Step(f"output axis {rank - 1}", "R", {"R": sizes.right}, "rows of the second"),
        )
        if not self.by_products(inputs):
            return shapes
        return (*shapes, Step("MACs", "stacks*P*R*(M + 2)", values, "two columns more hold the squares"))


def norm(p: float | str) -> tuple[int, int, int]:
    """Operations a value, and a pair, of a distance; and of its gradient a value.

    The gradient is dy·(a − b)/y of p 2, dy·sign(a − b) of p 1, zeros of p 0, dy·sign(a − b)·[|a − b| = y] of inf, and
    else dy·sign(a − b)·|a − b|^(p − 1)/y^(p − 1); each is added up.
    """
    match p:
        case 0:
            return 3, 0, 0
        case 1:
            return 3, 0, 4
        case 2:
            return 3, 1, 4
        case "inf":
            return 3, 0, 7
        case _:
            return 4, 1, 9
