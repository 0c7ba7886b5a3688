"""Layers that fold axes, and the running sum along one."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Axis, Flag, FloatingDtype, Layer, normalize_axis, require_floating
from archcost.layers.dtypes import AS_GIVEN, FLOAT32_OUT_ON_CUDA, IN_FLOAT32_ON_CUDA, Autocast, Outcome
from archcost.layers.rules import Quirk
from archcost.tensors import Tensors, TensorType, summed
from archcost.terms.autograd import (
    INPUT,
    NO_SCRATCH,
    OUTPUT,
    VIEWED,
    Gradient,
    Output,
    Own,
    Saved,
    Scratch,
    Setting,
    before_cast,
)
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import SAME, WHOLE, Rules
from archcost.work import Reduction, Work


class Folding(Layer):
    """Axes go, or with `keepdim: true` are left with a single value."""

    comes_out: ClassVar[Outcome] = "first"

    def over(self) -> tuple[tuple[int, ...] | None, bool]:
        """`dim` as a tuple, None for all; and `keepdim`."""
        raise NotImplementedError

    def axes(self, inputs: Tensors) -> frozenset[int]:
        dims, _ = self.over()
        if dims is None:
            return frozenset(range(inputs[0].rank))
        axes = frozenset(normalize_axis(axis, inputs[0].rank) for axis in dims)
        if not dims or len(axes) != len(dims):
            raise ShapeError("dim must name axes once each", expected="different axes", found=str(list(dims)))
        return axes

    def folded(self, inputs: Tensors) -> tuple[int, ...]:
        axes = self.axes(inputs)
        _, keepdim = self.over()
        sizes = ((axis, size) for axis, size in enumerate(inputs[0].shape) if keepdim or axis not in axes)
        return tuple(1 if axis in axes else size for axis, size in sizes)

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return (TensorType(self.folded(inputs), inputs[0].dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        axes = self.axes(inputs)
        _, keepdim = self.over()
        spatial = frozenset(range(2, inputs[0].rank))
        kept_in_place = keepdim or axes >= spatial
        return tuple(WHOLE if axis in axes else SAME for axis in sorted(spatial)) if kept_in_place else None


class FoldingAxes(Folding):
    """Over one axis or several."""

    dim: Axis | tuple[Axis, ...]
    keepdim: Flag = False

    def over(self) -> tuple[tuple[int, ...] | None, bool]:
        return (self.dim,) if isinstance(self.dim, int) else self.dim, self.keepdim


class FoldingOne(Folding):
    """Over one axis."""

    dim: Axis
    keepdim: Flag = False

    def over(self) -> tuple[tuple[int, ...] | None, bool]:
        return (self.dim,), self.keepdim


class Mean(FoldingAxes):
    """Mean over one axis or several (torch.mean): an addition a value read; backward a scaled copy of as many.

    It comes out in `dtype`, if one is named.
    """

    type: Literal["mean"] = "mean"
    prefix: ClassVar[str] = "mean"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "reduction"
    dtype: FloatingDtype | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        (folded,) = super().output_types(inputs)
        return (folded._replace(dtype=self.dtype or folded.dtype),)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """In another dtype, backward's quotients while they are cast."""
        if inputs[0].dtype == outputs[0].dtype:
            return NO_SCRATCH
        return Scratch(backward=(Own("quotients", TensorType(inputs[0].shape, outputs[0].dtype)),))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {0: 1}, "mean"),)


class Sum(FoldingAxes):
    """Sum over one axis or several (torch.sum), of integers in int64: an addition a value read.

    It comes out in `dtype`, if one is named. Backward is free: the gradient that arrives, seen repeated.
    """

    type: Literal["sum"] = "sum"
    prefix: ClassVar[str] = "sum"
    autocast: ClassVar[Autocast] = FLOAT32_OUT_ON_CUDA
    time_class: ClassVar[TimeClass] = "reduction"
    dtype: FloatingDtype | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), self.dtype or summed(inputs[0])),)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (VIEWED,) if inputs[0].dtype == outputs[0].dtype else inputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "summed"),)


class Extreme(FoldingAxes):
    """A comparison a value read. Backward [x = y]/n·dy with n the number of equals: comparison, addition, product."""

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "reduction"

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), inputs[0].dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, OUTPUT)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Which are equal, how many, and each one's share of the gradient."""
        equals = Own("equals", TensorType(inputs[0].shape, "bool"))
        return Scratch(
            backward=(equals, Own("counts", TensorType(outputs[0].shape, "int64")), Own("shares", outputs[0]))
        )

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {0: 3}, "compared"),)


class AMax(Extreme):
    """Maximum over one axis or several; equals share the gradient (torch.amax)."""

    type: Literal["amax"] = "amax"
    prefix: ClassVar[str] = "amax"


class AMin(Extreme):
    """Minimum over one axis or several; equals share the gradient (torch.amin)."""

    type: Literal["amin"] = "amin"
    prefix: ClassVar[str] = "amin"


class Picked(FoldingOne):
    """One value of an axis, and its index: a comparison a value read. Backward puts the gradient at the index."""

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "reduction"
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["puts gradient back"])

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = self.folded(inputs)
        return (TensorType(shape, inputs[0].dtype), TensorType(shape, "int64"))

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Output(1),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "compared"),)


class Max(Picked):
    """Maximum along an axis, and where it is (torch.max with `dim`). Outputs: values, indices."""

    type: Literal["max"] = "max"
    prefix: ClassVar[str] = "max"


class Min(Picked):
    """Minimum along an axis, and where it is (torch.min with `dim`). Outputs: values, indices."""

    type: Literal["min"] = "min"
    prefix: ClassVar[str] = "min"


class FoldingSome(Folding):
    """Over one axis or several; over all without `dim`."""

    dim: Axis | tuple[Axis, ...] | None = None
    keepdim: Flag = False

    def over(self) -> tuple[tuple[int, ...] | None, bool]:
        return (self.dim,) if isinstance(self.dim, int) else self.dim, self.keepdim


class FoldingOneOrAll(Folding):
    """Over one axis; over all without `dim`."""

    dim: Axis | None = None
    keepdim: Flag = False

    def over(self) -> tuple[tuple[int, ...] | None, bool]:
        return None if self.dim is None else (self.dim,), self.keepdim


class Index(FoldingOneOrAll):
    """Where along an axis a value is, or without `dim` in all: a comparison a value read. There is no gradient."""

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "reduction"
    comes_out: ClassVar[Outcome] = "named"

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), "int64"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "compared"),)


class ArgMax(Index):
    """Where along an axis the maximum is, or without `dim` in all, counted row by row (torch.argmax)."""

    type: Literal["argmax"] = "argmax"
    prefix: ClassVar[str] = "argmax"


class ArgMin(Index):
    """Where along an axis the minimum is, or without `dim` in all, counted row by row (torch.argmin)."""

    type: Literal["argmin"] = "argmin"
    prefix: ClassVar[str] = "argmin"


class Norm(FoldingAxes):
    """Σ|x| or √Σx² over one axis or several (torch.linalg.vector_norm with `ord` 1 or 2)."""

    type: Literal["norm"] = "norm"
    prefix: ClassVar[str] = "norm"
    autocast: ClassVar[Autocast] = FLOAT32_OUT_ON_CUDA
    time_class: ClassVar[TimeClass] = "reduction"
    ord: Literal[1, 2] = 2

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, OUTPUT)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Signs; or the values over their norm, and where that is zero."""
        wide = before_cast(inputs[0], outputs[0].dtype)
        if self.ord == 1:
            return Scratch(backward=(Own("signs", inputs[0]), *wide))
        directions = Own("directions", TensorType(inputs[0].shape, outputs[0].dtype))
        return Scratch(backward=(directions, Own("zeros", TensorType(outputs[0].shape, "bool")), *wide))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Absolute value or square, and sum; backward sign or x/y, and the product with dy."""
        return (Reduction(inputs[0].numel, 2, {0: 2}, "absolute values" if self.ord == 1 else "squares"),)


class Truth(FoldingSome):
    """Bool comes out of one comparison a value read. There is no gradient."""

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "reduction"
    comes_out: ClassVar[Outcome] = "named"

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), "bool"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "judged"),)


class AnyTrue(Truth):
    """Whether a value is not zero, over one axis or several; over all without `dim` (torch.any)."""

    type: Literal["any"] = "any"
    prefix: ClassVar[str] = "any"


class All(Truth):
    """Whether no value is zero, over one axis or several; over all without `dim` (torch.all)."""

    type: Literal["all"] = "all"
    prefix: ClassVar[str] = "all"


class Prod(FoldingOneOrAll):
    """Product over one axis, of integers in int64; over all without `dim` (torch.prod): a product a value read.

    Backward dy·y/x: division and product.
    """

    type: Literal["prod"] = "prod"
    prefix: ClassVar[str] = "prod"
    autocast: ClassVar[Autocast] = Autocast("float32", "float32 out")
    time_class: ClassVar[TimeClass] = "reduction"

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), summed(inputs[0])),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, OUTPUT)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Zeros are looked for, and none is found: then the quotients (`prod_backward` in FunctionsManual.cpp)."""
        zeros = Own("zeros", TensorType(inputs[0].shape, "bool"))
        counts = Own("counts", TensorType(outputs[0].shape, "int64"))
        wide = TensorType(inputs[0].shape, outputs[0].dtype)
        cast = () if wide == inputs[0] else (Own("input cast", wide), *before_cast(inputs[0], wide.dtype))
        return Scratch(backward=(zeros, counts, Own("quotients", wide), *cast))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {0: 2}, "multiplied"),)


class LogSumExp(FoldingAxes):
    """log Σ exp x over one axis or several (torch.logsumexp): maximum, difference, exp, sum.

    Backward dy·exp(x − y): difference, exp, product.
    """

    type: Literal["logsumexp"] = "logsumexp"
    prefix: ClassVar[str] = "logsumexp"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "reduction"

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, OUTPUT)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The largest, and all values less them, which the CPU's kernel has for itself."""
        made = (Own("largest", outputs[0]), Own("differences", inputs[0])) if setting.device == "cuda" else ()
        return Scratch(made, (Own("factors", TensorType((2 * inputs[0].numel,), inputs[0].dtype)),))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 4, {0: 3}, "exponentials added"),)
