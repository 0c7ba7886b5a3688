"""Layers whose output is their input seen otherwise: the same storage, other axes or fewer values."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.card import Card, onnx
from archcost.layers.checks import normalize_axis
from archcost.layers.fields import MAX_SIZE, Axis, Flag, Size
from archcost.layers.rules import Call, NewView, Placement
from archcost.layers.shape.reshape import Reshaping, moving
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, VIEWED, Gradient
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Shape, Strides, laid, strides_of, unsqueezed
from archcost.terms.windows import SAME, WHOLE, Rules, Window
from archcost.work import Copy, Reduction, Work

Position = Annotated[int, Field(strict=True, ge=-MAX_SIZE, le=MAX_SIZE)]
"""Of a value along an axis; negative ones count from the end."""


class Repeating(Reshaping):
    """Values stand in the output several times."""

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Free forward; backward sums what was repeated, an addition a value of the output."""
        if inputs[0].numel == outputs[0].numel:
            return (Copy(outputs[0].numel, 0, {}, "values repeated"),)
        return (Reduction(outputs[0].reals, 0, {0: 1}, "values repeated"),)


class SeenOtherwise(Reshaping):
    """Never a copy. Subclasses give the shape and the strides that the same storage is seen with."""

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        """Raises ShapeError when a tensor of this shape cannot be seen so."""
        raise NotImplementedError

    def output_types(self, inputs: Tensors) -> Tensors:
        shape, _ = self.seen(inputs[0].shape, strides_of(inputs[0].shape, None))
        return (TensorType(shape, inputs[0].dtype),)

    def gradient(self, call: Call) -> Gradient | NewView:
        """What arrives, seen as the input; where there was nothing to do, torch returns the input itself."""
        return PASSED_ON if call.outputs == call.inputs else VIEWED

    def placement(self, call: Call) -> Placement:
        shape = call.source.shape
        return Placement((0,), (laid(*self.seen(shape, strides_of(shape, call.layout))),), is_view=True)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """Axes change their meaning, so the receptive field is not followed further."""
        return None


class Detach(SeenOtherwise):
    """The input itself, from which no gradient flows back (torch.Tensor.detach).

    `data`: as `Tensor.data`, through which values may be written without autograd's noticing.
    """

    type: Literal["detach"] = "detach"
    prefix: ClassVar[str] = "detach"
    card: ClassVar[Card] = moving(None, "detach", "detach_")
    untouched: ClassVar[frozenset[int]] = frozenset({0})
    data: Flag = False

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        return shape, strides

    def gradient(self, call: Call) -> None:
        return None

    def placement(self, call: Call) -> Placement:
        return super().placement(call)._replace(hides_writes=self.data)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return tuple(SAME for _ in inputs[0].shape[2:])


class Reordered(SeenOtherwise):
    """Axes in another order: a view, even where it is the order that there was."""

    def order(self, rank: int) -> list[int]:
        """Which axis stands at each place. Raises ShapeError."""
        raise NotImplementedError

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        order = self.order(len(shape))
        return tuple([shape[axis] for axis in order]), tuple([strides[axis] for axis in order])

    def gradient(self, call: Call) -> Gradient:
        return VIEWED


class Transpose(Reordered):
    """Two axes change places (torch.transpose)."""

    type: Literal["transpose"] = "transpose"
    prefix: ClassVar[str] = "transpose"
    positional: ClassVar[tuple[str, ...]] = ("dim0", "dim1")
    card: ClassVar[Card] = moving("torch.transpose", "transpose", "swapaxes", "swapdims", "transpose_")
    dim0: Axis
    dim1: Axis

    def order(self, rank: int) -> list[int]:
        order = list(range(rank))
        first, second = normalize_axis(self.dim0, rank, "dim0"), normalize_axis(self.dim1, rank, "dim1")
        order[first], order[second] = second, first
        return order


class Permute(Reordered):
    """Axes in another order, the batch's included (torch.permute)."""

    type: Literal["permute"] = "permute"
    prefix: ClassVar[str] = "permute"
    positional: ClassVar[tuple[str, ...]] = ("dims",)
    card: ClassVar[Card] = moving("torch.permute", "permute", operator=onnx("Transpose"))
    dims: tuple[Axis, ...]

    def order(self, rank: int) -> list[int]:
        order = [normalize_axis(axis, rank, "dims") for axis in self.dims]
        if sorted(order) != list(range(rank)):
            raise ShapeError(
                "dims must name every axis once", expected=f"an order of 0 to {rank - 1}", found=str(list(self.dims))
            )
        return order


class Squeeze(SeenOtherwise):
    """The axes `dim` left out where they have a single value (torch.squeeze)."""

    type: Literal["squeeze"] = "squeeze"
    prefix: ClassVar[str] = "squeeze"
    positional: ClassVar[tuple[str, ...]] = ("dim",)
    card: ClassVar[Card] = moving("torch.squeeze", "squeeze", operator=onnx("Squeeze"))
    dim: Axis | tuple[Axis, ...]

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        dims = (self.dim,) if isinstance(self.dim, int) else self.dim
        named = {normalize_axis(axis, len(shape)) for axis in dims}
        if len(named) != len(dims):
            raise ShapeError("dim must name axes once each", expected="different axes", found=str(list(dims)))
        kept = [axis for axis, size in enumerate(shape) if axis not in named or size != 1]
        return tuple([shape[axis] for axis in kept]), tuple([strides[axis] for axis in kept])

    def gradient(self, call: Call) -> Gradient:
        return VIEWED if call.outputs != call.inputs or isinstance(self.dim, tuple) else PASSED_ON

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """Features are left where every spatial axis goes."""
        if outputs == inputs:
            return tuple(SAME for _ in inputs[0].shape[2:])
        return tuple(WHOLE for _ in inputs[0].shape[2:]) if outputs[0].shape == inputs[0].shape[:2] else None


class Unsqueeze(SeenOtherwise):
    """A new axis of a single value at `dim` (torch.unsqueeze)."""

    type: Literal["unsqueeze"] = "unsqueeze"
    prefix: ClassVar[str] = "unsqueeze"
    positional: ClassVar[tuple[str, ...]] = ("dim",)
    card: ClassVar[Card] = moving("torch.unsqueeze", "unsqueeze", operator=onnx("Unsqueeze"))
    dim: Axis

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        axis = normalize_axis(self.dim, len(shape) + 1)
        return (*shape[:axis], 1, *shape[axis:]), unsqueezed(shape, strides, axis)


class Slice(SeenOtherwise):
    """Every `step`-th value from `start` up to `stop` along `dim`, as Python counts them (x[:, start:stop:step]).

    `dim` defaults to 1, the channels. Backward puts the gradient into zeros of the input's shape.
    """

    type: Literal["slice"] = "slice"
    prefix: ClassVar[str] = "slice"
    card: ClassVar[Card] = moving(None, "slice", operator=onnx("Slice"))
    start: Position | None = None
    stop: Position | None = None
    step: Size = 1
    dim: Axis = 1

    def along(self, size: int) -> range:
        return range(size)[self.start : self.stop : self.step]

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        axis = normalize_axis(self.dim, len(shape))
        taken = self.along(shape[axis])
        if not taken:
            raise ShapeError(
                "the slice is empty", expected=f"positions of an axis of {shape[axis]}", found=f"{self._written()}"
            )
        stride = strides[axis] * self.step
        return (*shape[:axis], len(taken), *shape[axis + 1 :]), (*strides[:axis], stride, *strides[axis + 1 :])

    def _written(self) -> str:
        ends = ["" if end is None else str(end) for end in (self.start, self.stop)]
        return ":".join(ends if self.step == 1 else [*ends, str(self.step)])

    def gradient(self, call: Call) -> Gradient:
        return PASSED_ON if call.outputs == call.inputs else call.source

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = normalize_axis(self.dim, inputs[0].rank)
        taken = self.along(inputs[0].shape[axis])
        values = {"a": taken.start, "b": taken.stop, "s": self.step}
        if self.step == 1:
            return (Step(f"output axis {axis}", "b - a", values, "from a up to b"),)
        return (Step(f"output axis {axis}", "(b - a + s - 1)//s", values, "every s-th from a up to b"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        along = normalize_axis(self.dim, inputs[0].rank)
        first = self.along(inputs[0].shape[along]).start
        rule = Window(self.step, first, first)
        return tuple(rule if axis == along else SAME for axis in range(2, inputs[0].rank))


class Select(SeenOtherwise):
    """The values at one `index` of the axis `dim`, which goes (x[:, index]). `dim` defaults to 1, the channels.

    Backward puts the gradient into zeros of the input's shape.
    """

    type: Literal["select"] = "select"
    prefix: ClassVar[str] = "select"
    card: ClassVar[Card] = moving("torch.select", "select")
    index: Position
    dim: Axis = 1

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        axis = normalize_axis(self.dim, len(shape))
        normalize_axis(self.index, shape[axis], "index", "a position")
        return (*shape[:axis], *shape[axis + 1 :]), (*strides[:axis], *strides[axis + 1 :])

    def gradient(self, call: Call) -> Gradient:
        return call.source

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """One position of the only spatial axis leaves features that look there."""
        if (inputs[0].rank, normalize_axis(self.dim, inputs[0].rank)) != (3, 2):
            return None
        position = self.index % inputs[0].shape[2]
        return (Window(0, position, position),)


SizeOrSame = Annotated[int, Field(strict=True, ge=-1, le=MAX_SIZE)]


def expanded(shape: Shape, strides: Strides, size: tuple[int, ...]) -> tuple[Shape, Strides]:
    """A tensor seen in `size`: -1 leaves an axis as it is. Raises ShapeError when it cannot be seen so."""
    new = len(size) - len(shape)
    given = ((1,) * max(new, 0) + shape, (0,) * max(new, 0) + strides)
    wanted = tuple([have if want == -1 else want for want, have in zip(size, given[0], strict=False)])
    mismatched = any(want != have and have != 1 for want, have in zip(wanted, given[0], strict=False))
    if new < 0 or -1 in size[:new] or 0 in size or mismatched:
        raise ShapeError(
            "cannot be expanded to this size",
            expected=f"an axis for each of {TensorType(shape)}, -1 or its size where it is not 1",
            found=str(list(size)),
        )
    columns = zip(wanted, *given, strict=True)
    return wanted, tuple([stride if want == have else 0 for want, have, stride in columns])


def summed_to(tensor: TensorType, rank: int) -> TensorType | NewView:
    """The gradient of what was stretched to so many axes: summed with its axes kept, then seen without those in front
    (`at::sum_to` in ExpandUtils.h).
    """
    return NewView(tensor) if rank > tensor.rank else tensor


def repeated_windows(inputs: Tensors, outputs: Tensors) -> Rules | None:
    """Every position of a repeated axis looks at its one value."""
    if outputs[0].rank != inputs[0].rank:
        return None
    pairs = zip(inputs[0].shape[2:], outputs[0].shape[2:], strict=True)
    return tuple(SAME if before == after else WHOLE for before, after in pairs)


class Expand(Repeating, SeenOtherwise):
    """Axes of a single value repeated to `size` without a copy (torch.Tensor.expand).

    `size` names every axis, the batch's as well; -1 leaves one as it is, and further axes may stand in front.
    """

    type: Literal["expand"] = "expand"
    prefix: ClassVar[str] = "expand"
    card: ClassVar[Card] = moving("Tensor.expand", "expand", operator=onnx("Expand"))
    size: tuple[SizeOrSame, ...]

    def seen(self, shape: Shape, strides: Strides) -> tuple[Shape, Strides]:
        return expanded(shape, strides, self.size)

    def gradient(self, call: Call) -> Gradient | NewView:
        return PASSED_ON if call.outputs == call.inputs else summed_to(call.source, len(self.size))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        return repeated_windows(inputs, outputs)
