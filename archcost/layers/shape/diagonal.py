"""Layers that form tensors for masks and tables: triangles, diagonals, classes, bins, sliding views."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import MAX_SIZE, Arity, Axis, Count, Flag, Layer, Size, normalize_axis
from archcost.layers.dtypes import AS_GIVEN, Autocast, Outcome
from archcost.layers.indexing.gather import require_indices
from archcost.layers.memory_order import ValueByValue
from archcost.layers.shape.reshape import Reshaping
from archcost.layers.shape.views import SeenOtherwise, SizeOrSame
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Gradient, Own, Saved, Scratch, Setting
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout, Shape, Strides, is_row_major, like, strides_of
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import Rules
from archcost.work import Copy, Elementwise, Operand, Work

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


class Triu(Triangle):
    """What lies on the diagonal and above it, zeros below (torch.triu)."""

    type: Literal["triu"] = "triu"
    prefix: ClassVar[str] = "triu"


class Diagonal(SeenOtherwise):
    """The diagonal over the axes `dim1` and `dim2`, as a last axis in their place: a view (torch.diagonal).

    Backward puts the gradient into zeros of the input's shape.
    """

    type: Literal["diagonal"] = "diagonal"
    prefix: ClassVar[str] = "diagonal"
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

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return inputs

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        length = outputs[0].shape[-1]
        return (Step(f"output axis {outputs[0].rank - 1}", "n", {"n": length}, "values on the diagonal"),)


class TensorUnfold(SeenOtherwise):
    """Slices of `size` values along `dimension`, one every `step`, as a last axis: a view (torch.Tensor.unfold).

    Backward adds up what slices share.
    """

    type: Literal["tensor_unfold"] = "tensor_unfold"
    prefix: ClassVar[str] = "slices"
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

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return inputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        shared = self.size > self.step
        return (Elementwise(outputs[0].numel, 0, {0: 1} if shared else {}, "values seen in slices"),)

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

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        """A storage that holds what the input and the result look at."""
        shape = inputs[0].shape
        own = _extent(shape, strides_of(shape, setting.layout(0)))
        held = max(own, self.storage_offset + _extent(outputs[0].shape, self.strides(shape)))
        return (TensorType((held,), inputs[0].dtype),)

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        return True

    def overlaps(self, inputs: Tensors, outputs: Tensors) -> bool:
        """Whether a value may be seen twice (`_maybe_overlapping_memory` in FunctionsManual.cpp)."""
        reach = 0
        for stride, size in sorted(zip(self.strides(inputs[0].shape), outputs[0].shape, strict=True)):
            if size > 1:
                if stride <= reach:
                    return True
                reach += stride * (size - 1)
        return False

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Positions of all values, and of those seen; and row by row a gradient whose axes lie as the output's do."""
        if not self.overlaps(inputs, outputs):
            return Scratch()
        (storage,) = self.gradients(inputs, outputs, setting)
        assert isinstance(storage, TensorType)
        positions = Own("positions", TensorType((storage.numel + outputs[0].numel,), "int64"))
        shape = outputs[0].shape
        arrived = like(shape, [(shape, self.strides(inputs[0].shape))])
        copied = () if is_row_major(shape, arrived) else (Own("row-major gradient", outputs[0]),)
        return Scratch(backward=(positions, *copied))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        gradients: dict[Operand, int] = {0: 1} if self.overlaps(inputs, outputs) else {}
        return (Elementwise(outputs[0].numel, 0, gradients, "values seen otherwise"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        sizes = enumerate(outputs[0].shape)
        return tuple(Step(f"output axis {axis}", "n", {"n": size}, "as size says") for axis, size in sizes)


def _extent(shape: Shape, strides: Strides) -> int:
    """Values from the first to the last that is seen."""
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))


class OneHot(Layer):
    """For each class among `num_classes` a 1, the others 0, in a last axis of int64 (torch.nn.functional.one_hot)."""

    type: Literal["one_hot"] = "one_hot"
    prefix: ClassVar[str] = "one_hot"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "copy"
    comes_out: ClassVar[Outcome] = "named"
    num_classes: Size

    def output_types(self, inputs: Tensors) -> Tensors:
        require_indices(inputs[0], "the input")
        return (TensorType((*inputs[0].shape, self.num_classes), "int64"),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """There is no gradient."""
        return ()

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Writing zeros and ones is free."""
        return (Copy(outputs[0].numel, 0, {}, "values written"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step(f"output axis {inputs[0].rank}", "C", {"C": self.num_classes}, "as num_classes says"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """A new axis, so no receptive field is followed."""
        return


class Bucketize(ValueByValue):
    """The bin of each value between the rising boundaries of the second input, in int64 (torch.bucketize).

    Halving n boundaries takes ⌈log2(n + 1)⌉ comparisons a value. There is no gradient.
    """

    type: Literal["bucketize"] = "bucketize"
    prefix: ClassVar[str] = "bucketize"
    arity: ClassVar[Arity] = Arity(2, 2)
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "copy"
    comes_out: ClassVar[Outcome] = "named"
    right: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        if inputs[1].rank != 1:
            raise ShapeError("boundaries must be a list", expected="one axis", found=str(inputs[1]))
        return (TensorType(inputs[0].shape, "int64"),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        return (None,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, inputs[1].numel.bit_length(), {}, "compared"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        return super().windows(inputs, outputs)
