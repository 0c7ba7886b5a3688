"""Parts of matrices, and sliding views: triangles, diagonals, strides of one's own."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis
from archcost.layers.fields import MAX_SIZE, Axis, Count, Size
from archcost.layers.rules import Autograd, Call, NewView
from archcost.layers.shape.reshape import Reshaping, moving
from archcost.layers.shape.views import SeenOtherwise, SizeOrSame
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Gradient, Own
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Shape, Strides, is_row_major, like, strides_of
from archcost.work import Elementwise, Operand, Work

Offset = Annotated[int, Field(strict=True, ge=-MAX_SIZE, le=MAX_SIZE)]


class Triangle(Reshaping):
    """Zeros on one side of a diagonal of the matrices in the last two axes. No arithmetic."""

    diagonal: Offset = 0

    def output_types(self, inputs: Tensors) -> Tensors:
        if inputs[0].rank < 2:
            raise ShapeError("needs matrices", expected="(…, rows, columns)", found=str(inputs[0]))
        return inputs


class Tril(Triangle):
    """What lies on the diagonal and below it, zeros above (torch.tril)."""

    type: Literal["tril"] = "tril"
    prefix: ClassVar[str] = "tril"
    card: ClassVar[Card] = moving("torch.tril", "tril")


class Triu(Triangle):
    """What lies on the diagonal and above it, zeros below (torch.triu)."""

    type: Literal["triu"] = "triu"
    prefix: ClassVar[str] = "triu"
    card: ClassVar[Card] = moving("torch.triu", "triu")


class Diagonal(SeenOtherwise):
    """The diagonal over the axes `dim1` and `dim2`, as a last axis in their place: a view (torch.diagonal).

    Backward puts the gradient into zeros of the input's shape.
    """

    type: Literal["diagonal"] = "diagonal"
    prefix: ClassVar[str] = "diagonal"
    card: ClassVar[Card] = moving("torch.diagonal", "diagonal")
    offset: Offset = 0
    dim1: Axis = 0
    dim2: Axis = 1

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        rows, columns = normalize_axis(self.dim1, len(shape), "dim1"), normalize_axis(self.dim2, len(shape), "dim2")
        if rows == columns:
            raise ShapeError("a diagonal lies over two axes", expected="dim1 and dim2 different", found=str(rows))
        above, below = max(self.offset, 0), max(-self.offset, 0)
        length = min(shape[rows] - below, shape[columns] - above)
        if length < 1:
            raise ShapeError(
                "no diagonal lies so far off",
                expected=f"an offset within {shape[rows]}×{shape[columns]}",
                found=str(self.offset),
            )
        rest = [axis for axis in range(len(shape)) if axis not in (rows, columns)]
        return (*(shape[axis] for axis in rest), length), (
            *(strides[axis] for axis in rest),
            strides[rows] + strides[columns],
        )

    def gradient(self, call: Call) -> Gradient:
        return call.source

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        length = outputs[0].shape[-1]
        return (Step(f"output axis {outputs[0].rank - 1}", "n", {"n": length}, "values on the diagonal"),)


class TensorUnfold(SeenOtherwise):
    """Slices of `size` values along `dimension`, one every `step`, as a last axis: a view (torch.Tensor.unfold).

    Backward adds up what slices share.
    """

    type: Literal["tensor_unfold"] = "tensor_unfold"
    prefix: ClassVar[str] = "slices"
    card: ClassVar[Card] = moving("Tensor.unfold", "windows", "aten::unfold")
    dimension: Axis
    size: Size
    step: Size

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        axis = normalize_axis(self.dimension, len(shape), "dimension")
        if self.size > shape[axis]:
            raise ShapeError("size is more than there are", expected=f"at most {shape[axis]}", found=str(self.size))
        slices = (shape[axis] - self.size) // self.step + 1
        return (
            (*shape[:axis], slices, *shape[axis + 1 :], self.size),
            (*strides[:axis], strides[axis] * self.step, *strides[axis + 1 :], strides[axis]),
        )

    def gradient(self, call: Call) -> Gradient:
        return call.source

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        shared = self.size > self.step
        return (Elementwise(outputs[0].reals, 0, {0: 1} if shared else {}, "values seen in slices"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = normalize_axis(self.dimension, inputs[0].rank)
        values = {"n": inputs[0].shape[axis], "k": self.size, "s": self.step}
        return (Step(f"output axis {axis}", "(n - k)//s + 1", values),)


class AsStrided(SeenOtherwise):
    """The input's storage seen with these strides, whatever the input's own are (torch.as_strided).

    `size` and `stride` are of the whole result; a first size of -1 is that of the input's first axis, the batch.
    `batch_strides` are the axes whose stride is given in first sizes of the input, where samples lie side by side.
    Backward adds up where values are seen more than once.
    """

    type: Literal["as_strided"] = "as_strided"
    prefix: ClassVar[str] = "strided"
    card: ClassVar[Card] = moving(None, "as_strided")
    size: tuple[SizeOrSame, ...]
    stride: tuple[Count, ...]
    batch_strides: tuple[Count, ...] = ()
    storage_offset: Count = 0

    def strides(self, shape: Shape) -> Strides:
        scales = [shape[0] if axis in self.batch_strides else 1 for axis in range(len(self.stride))]
        return tuple(stride * scale for stride, scale in zip(self.stride, scales, strict=True))

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        by_first = self.size[:1] == (-1,) or bool(self.batch_strides)
        if len(self.size) != len(self.stride) or -1 in self.size[1:] or (by_first and not shape):
            raise ShapeError(
                "size and stride do not go together",
                expected="as many of both, and -1 for the first size at most",
                found=f"{list(self.size)} and {list(self.stride)}",
            )
        if any(axis >= len(self.stride) for axis in self.batch_strides):
            raise ShapeError(
                "batch_strides are of other axes",
                expected=f"axes below {len(self.stride)}",
                found=f"{list(self.batch_strides)}",
            )
        strides = self.strides(shape)
        sizes = tuple(shape[0] if size == -1 else size for size in self.size)
        needed = self.storage_offset + _extent(sizes, strides)
        if needed > prod(shape):
            raise ShapeError(
                "reaches beyond the input", expected=f"at most {prod(shape):,} values", found=f"{needed:,}"
            )
        return sizes, strides

    def autograd(self, call: Call) -> Autograd:
        """The gradient is a view of a storage that holds what the input and the result look at.

        Where values are seen twice, backward makes positions of all values, and of those seen; and row by row a
        gradient whose axes lie as the output's do.
        """
        shape, seen = call.source.shape, call.result.shape
        strides = self.strides(shape)
        own = _extent(shape, strides_of(shape, call.layout))
        held = max(own, self.storage_offset + _extent(seen, strides))
        gradient = NewView(TensorType((held,), call.source.dtype))
        if not self.overlaps(call.inputs, call.outputs):
            return Autograd((), (gradient,))
        positions = Own("positions", TensorType((held + call.result.numel,), "int64"))
        is_copied = not is_row_major(seen, like(seen, [(seen, strides)]))
        copied = (Own("row-major gradient", call.result),) if is_copied else ()
        return Autograd((), (gradient,), backward=(positions, *copied))

    def overlaps(self, inputs: Tensors, outputs: Tensors) -> bool:
        """Whether a value may be seen twice (`_maybe_overlapping_memory` in FunctionsManual.cpp)."""
        reach = 0
        for stride, size in sorted(zip(self.strides(inputs[0].shape), outputs[0].shape, strict=True)):
            if size > 1:
                if stride <= reach:
                    return True
                reach += stride * (size - 1)
        return False

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        gradients: dict[Operand, int] = {0: 1} if self.overlaps(inputs, outputs) else {}
        return (Elementwise(outputs[0].reals, 0, gradients, "values seen otherwise"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        sizes = enumerate(outputs[0].shape)
        return tuple(Step(f"output axis {axis}", "n", {"n": size}, "as size says") for axis, size in sizes)


def _extent(shape: Shape, strides: Strides) -> int:
    """Values from the first to the last that is seen."""
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
