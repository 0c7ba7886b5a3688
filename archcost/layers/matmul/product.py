"""Products of two tensors, neither of them a weight."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal, NamedTuple

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card, Counted, Onnx, onnx
from archcost.layers.checks import require_floating, require_rank
from archcost.layers.dtypes import IN_16_BITS, Outcome
from archcost.layers.rules import Autograd, Call, NewView, Placement, Quirk, Timing, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Input, Own, Saved, excess, worst
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout, Shape, strides_of, view
from archcost.terms.time_classes import TimeClass, is_unaligned
from archcost.work import Contraction, Work


def product_card(
    torch: str | None,
    calls: tuple[str, ...],
    operator: Onnx | None,
    fvcore: Counted,
    time: TimeClass = "batched product",
    promotion: Outcome = "first",
) -> Card:
    """What products have in common beside these."""
    return Card(
        torch=torch,
        calls=calls,
        onnx=operator,
        autocast=IN_16_BITS,
        promotion=promotion,
        fvcore=fvcore,
        time=time,
        blas=True,
    )


class Product(Layer):
    """Matrices in the last two axes: (…, m, k) · (…, k, n) → (…, m, n)."""

    prefix: ClassVar[str] = "matmul"
    arity: ClassVar[Arity] = Arity(2, 2)
    takes_complex: ClassVar[bool] = True

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Contraction(outputs[0].numel * inputs[0].shape[-1] * inputs[0].real_macs, (0, 1)),)

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """By rows, columns and depth; matrices alone have as many rows as the batch says."""
        (*rows, columns), depth = outputs[0].shape[1:], inputs[0].shape[-1]
        unaligned = is_unaligned(inputs[0].dtype, columns, depth)
        return Timing("unaligned batched product" if unaligned else self.card.time, (*rows[-1:], columns, depth))

    def placement(self, call: Call) -> Placement:
        return own_storage(call)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes of two tensors meet, so no receptive field is followed."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        *batch, m, n = outputs[0].shape
        values = {"matrices": prod(batch), "m": m, "k": inputs[0].shape[-1], "n": n}
        each = "4*" if inputs[0].is_complex else ""
        return (Step("MACs", f"{each}matrices*m*k*n", values, "every output value is one sum of k products"),)


def require_products(inputs: Tensors) -> None:
    """Two floating tensors of one dtype, the last axis of the first as long as the second last of the second."""
    left, right = inputs
    require_floating(inputs)
    if left.dtype != right.dtype:
        raise ShapeError("inputs have different dtypes", expected=left.dtype, found=f"{left.dtype} and {right.dtype}")
    if left.shape[-1] != right.shape[-2]:
        raise ShapeError(
            "matrices do not go together",
            expected=f"(…, {left.shape[-1]}, n) after {left}",
            found=str(right),
            hint="permute the last two axes" if left.shape[-1] == right.shape[-1] else None,
        )


class Bmm(Product):
    """(B, m, k) · (B, k, n) → (B, m, n), of as many matrices each (torch.bmm)."""

    type: Literal["bmm"] = "bmm"
    card: ClassVar[Card] = product_card("torch.bmm", ("bmm",), None, "macs")

    def output_types(self, inputs: Tensors) -> Tensors:
        left, right = inputs
        for tensor in inputs:
            require_rank(tensor, 3, "(batch, rows, columns)")
        if left.shape[0] != right.shape[0]:
            raise ShapeError(
                "inputs have different batches", expected=str(left.shape[0]), found=f"{left} and {right}", hint="matmul"
            )
        require_products(inputs)
        return (TensorType((*left.shape[:2], right.shape[2]), left.dtype),)

    def autograd(self, call: Call) -> Autograd:
        """Each is kept for the other's gradient."""
        return Autograd(tuple([Input(1 - operand) for operand in (1, 0) if call.needs(operand)]), call.inputs)


class _Operand(NamedTuple):
    """How torch's kernel takes an input: in which shape, repeated or not, and whether by a copy."""

    place: int
    source: TensorType
    expanded: Shape
    copied: bool
    is_view: bool

    @property
    def numel(self) -> int:
        return prod(self.expanded)

    @property
    def repeated(self) -> bool:
        return self.numel > self.source.numel

    @property
    def copy(self) -> Own:
        """Named by the input: both may be copied, to the same shape."""
        return Own(f"matrices of input {self.place + 1}", TensorType(self.expanded, self.source.dtype))


class _Plan(NamedTuple):
    """`turned`: both are transposed, and so is the result."""

    operands: tuple[_Operand, _Operand]
    turned: bool = False


class MatMul(Product):
    """(…, m, k) · (…, k, n) → (…, m, n); leading axes stretch as in a sum (torch.matmul).

    Torch multiplies two matrices, or two equal stacks of them, and brings what arrives into that form: by a view where
    there is one, else by a copy, which may then be kept (`_matmul_impl` in aten/src/ATen/native/LinearAlgebra.cpp).
    """

    type: Literal["matmul"] = "matmul"
    card: ClassVar[Card] = product_card(
        "torch.matmul", ("matmul", "mm", "__matmul__"), onnx("MatMul"), "macs of the first input"
    )
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed", "stops early"])

    def output_types(self, inputs: Tensors) -> Tensors:
        left, right = inputs
        for tensor in inputs:
            if tensor.rank < 2:
                raise ShapeError("needs matrices", expected="(…, rows, columns)", found=str(tensor))
        require_products(inputs)
        return (TensorType((*stretched_axes(inputs), left.shape[-2], right.shape[-1]), left.dtype),)

    def plan(self, call: Call) -> _Plan:
        left, right = call.inputs
        layouts = (call.setting.layout(0), call.setting.layout(1))
        if left.rank == right.rank == 2:
            return _Plan((_as_it_is(0, left), _as_it_is(1, right)))
        folds = self._folds(call)
        if folds == "left":
            rows = (left.numel // left.shape[-1], left.shape[-1])
            folded = _Operand(0, left, rows, view(left.shape, layouts[0], rows) is None, True)
            return _Plan((folded, _as_it_is(1, right)._replace(is_view=right.rank > 2)))
        if folds == "right":
            shape, strides = _transposed(right.shape, layouts[1])
            rows = (right.numel // right.shape[-2], right.shape[-2])
            folded = _Operand(1, right, rows, view(shape, strides, rows) is None, True)
            return _Plan((_as_it_is(0, left)._replace(is_view=True), folded), turned=True)
        batch = stretched_axes(call.inputs)
        made: list[_Operand] = []
        for index, (tensor, layout) in enumerate(zip(call.inputs, layouts, strict=True)):
            whole = (*batch, *tensor.shape[-2:])
            stack = (prod(batch), *tensor.shape[-2:])
            copied = view(whole, _expanded(tensor.shape, layout, whole), stack) is None
            summed = len(whole) == tensor.rank and whole != tensor.shape
            made.append(_Operand(index, tensor, stack, copied, is_view=not summed))
        return _Plan((made[0], made[1]))

    def _folds(self, call: Call) -> Literal["left", "right"] | None:
        """Which stack is taken as one matrix of many rows, times the other input: a matrix, or a stack of one.

        Torch does so where the matrix's gradient is wanted, which would else be a stack to be summed up; or where it is
        the right one and the stack lies so that there is a view.
        """
        left, right = call.inputs
        single = left.rank == right.rank == 3 and left.shape[0] != right.shape[0]
        if left.rank > 2 and (right.rank == 2 or (single and right.shape[0] == 1)):
            strides = strides_of(left.shape, call.layout)
            whole = all(strides[i] == strides[i + 1] * left.shape[i + 1] for i in range(left.rank - 2))
            return "left" if call.needs(1) or (right.rank == 2 and whole) else None
        if right.rank > 2 and (left.rank == 2 or (single and left.shape[0] == 1)):
            return "right" if call.needs(0) else None
        return None

    def autograd(self, call: Call) -> Autograd:
        """Each is kept for the other's gradient, in the form in which it was multiplied.

        Temporaries are copies that nobody keeps, a turned result before it is turned back, and gradients before they
        are summed up.
        """
        plan, result = self.plan(call), call.result
        saved: list[Saved] = []
        dropped: list[Own] = []
        for operand in plan.operands:
            if call.needs(1 - operand.place):
                saved.append(operand.copy if operand.copied else Input(operand.place))
            elif operand.copied:
                dropped.append(operand.copy)
        gradients = tuple([NewView(each.source) if each.is_view else each.source for each in plan.operands])
        wanted = [operand for operand in plan.operands if call.needs(operand.place)]
        given = sum([operand.source.numel for operand in wanted])
        if plan.turned and 1 not in result.shape[-2:]:
            backward = excess("turned gradient", result.numel - given, result.dtype)
            return Autograd(tuple(saved), gradients, (*dropped, Own("turned result", result)), backward)
        products = [operand.numel for operand in wanted]
        sums = [size for each in wanted[::-1] if each.repeated for size in (each.source.numel, -each.numel)]
        most = worst([*products, -result.numel, *sums])  # what arrived is gone once the products are made
        backward = excess("gradients before they are summed", most - given, result.dtype)
        return Autograd(tuple(saved), gradients, tuple(dropped), backward)


def _as_it_is(index: int, tensor: TensorType) -> _Operand:
    return _Operand(index, tensor, tensor.shape, False, False)


def stretched_axes(inputs: Tensors) -> Shape:
    """All axes but the last two, aligned at the last of them, a 1 stretching."""
    batches = [tensor.shape[:-2] for tensor in inputs]
    rank = max(map(len, batches))
    padded = [(1,) * (rank - len(batch)) + batch for batch in batches]
    sizes: list[int] = []
    for column in zip(*padded, strict=True):
        different = set(column) - {1}
        if len(different) > 1:
            raise ShapeError(
                "inputs do not go together",
                expected="equal leading axes, or 1 where they differ",
                found=" and ".join(str(tensor) for tensor in inputs),
            )
        sizes.append(different.pop() if different else 1)
    return tuple(sizes)


def _transposed(shape: Shape, layout: Layout) -> tuple[Shape, Layout]:
    """The last two axes exchanged."""
    strides = strides_of(shape, layout)
    turned = (*strides[:-2], strides[-1], strides[-2])
    return (*shape[:-2], shape[-1], shape[-2]), turned


def _expanded(shape: Shape, layout: Layout, wanted: Shape) -> Layout:
    """Strides of a tensor repeated along leading axes: 0 there."""
    if shape == wanted:
        return layout
    missing = len(wanted) - len(shape)
    given = zip(wanted[missing:], shape, strides_of(shape, layout), strict=True)
    return (0,) * missing + tuple(0 if size == 1 != new else stride for new, size, stride in given)
