"""Layers that fold axes: sums, extrema, norms, variances, and whether values are true."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card, onnx
from archcost.layers.checks import normalize_axis, require_floating
from archcost.layers.dtypes import AS_GIVEN, FLOAT32_OUT_ON_CUDA, IN_FLOAT32_ON_CUDA, Autocast, Outcome
from archcost.layers.fields import Axis, Count, Flag, FloatingDtype
from archcost.layers.rows import row
from archcost.layers.rules import Autograd, Call, Quirk
from archcost.tensors import Tensors, TensorType, summed
from archcost.terms.autograd import INPUT, OUTPUT, VIEWED, Output, Own, Saved, before_cast
from archcost.terms.windows import SAME, WHOLE, Rules
from archcost.work import Reduction, Work


def card(
    torch: str | None, operator: str | None = None, autocast: Autocast = AS_GIVEN, promotion: Outcome = "first"
) -> Card:
    return Card(
        torch=torch,
        calls=(),
        onnx=onnx(operator) if operator else None,
        autocast=autocast,
        promotion=promotion,
        fvcore="nothing",
        time="reduction",
        blas=False,
    )


class Folding(Layer):
    """Axes go, or with `keepdim: true` are left with a single value."""

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

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)

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
    card: ClassVar[Card] = card("torch.mean", "ReduceMean")
    takes_complex: ClassVar[bool] = True
    dtype: FloatingDtype | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        (folded,) = super().output_types(inputs)
        return (folded._replace(dtype=self.dtype or folded.dtype),)

    def autograd(self, call: Call) -> Autograd:
        """In another dtype, backward's quotients while they are cast."""
        quotients = Own("quotients", TensorType(call.source.shape, call.result.dtype))
        is_cast = call.source.dtype != call.result.dtype
        return Autograd((), call.inputs, backward=(quotients,) if is_cast else ())

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].reals, 1, {0: 1}, "mean"),)


class Sum(FoldingAxes):
    """Sum over one axis or several (torch.sum), of integers in int64: an addition a value read.

    It comes out in `dtype`, if one is named. Backward is free: the gradient that arrives, seen repeated.
    """

    type: Literal["sum"] = "sum"
    prefix: ClassVar[str] = "sum"
    card: ClassVar[Card] = card("torch.sum", "ReduceSum", FLOAT32_OUT_ON_CUDA)
    takes_complex: ClassVar[bool] = True
    dtype: FloatingDtype | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), self.dtype or summed(inputs[0])),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (VIEWED,) if call.source.dtype == call.result.dtype else call.inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].reals, 1, {}, "summed"),)


class Extreme(FoldingAxes):
    """A comparison a value read. Backward [x = y]/n·dy with n the number of equals: comparison, addition, product."""

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        """Which are equal, how many, and each one's share of the gradient."""
        equals = Own("equals", TensorType(call.source.shape, "bool"))
        counts = Own("counts", TensorType(call.result.shape, "int64"))
        return Autograd((INPUT, OUTPUT), call.inputs, backward=(equals, counts, Own("shares", call.result)))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {0: 3}, "compared"),)


def extreme(name: str, says: str) -> type[Extreme]:
    type_ = name.lower()
    doc = f"{says} over one axis or several; equals share the gradient (torch.{type_})."
    return row(__name__, Extreme, name, type_, doc, card(f"torch.{type_}"))


AMax = extreme("AMax", "Maximum")
AMin = extreme("AMin", "Minimum")


class Picked(FoldingOne):
    """One value of an axis, and its index: a comparison a value read. Backward puts the gradient at the index."""

    quirks: ClassVar[frozenset[Quirk]] = frozenset(["puts gradient back"])

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = self.folded(inputs)
        return (TensorType(shape, inputs[0].dtype), TensorType(shape, "int64"))

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Output(1),), call.inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "compared"),)


def picked(name: str, says: str) -> type[Picked]:
    type_ = name.lower()
    doc = f"{says} along an axis, and where it is (torch.{type_} with `dim`). Outputs: values, indices."
    return row(__name__, Picked, name, type_, doc, card(f"torch.{type_}"))


Max = picked("Max", "Maximum")
Min = picked("Min", "Minimum")


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

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), "int64"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "compared"),)


def index(name: str, says: str) -> type[Index]:
    type_ = name.lower()
    doc = f"Where along an axis the {says} is, or without `dim` in all, counted row by row (torch.{type_})."
    return row(__name__, Index, name, type_, doc, card(f"torch.{type_}", name, promotion="named"))


ArgMax = index("ArgMax", "maximum")
ArgMin = index("ArgMin", "minimum")


class Truth(FoldingSome):
    """Bool comes out of one comparison a value read. There is no gradient."""

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), "bool"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "compared"),)


def truth(name: str, type_: str, says: str) -> type[Truth]:
    doc = f"Whether {says}, over one axis or several; over all without `dim` (torch.{type_})."
    return row(__name__, Truth, name, type_, doc, card(None, promotion="named"))


AnyTrue = truth("AnyTrue", "any", "a value is not zero")
All = truth("All", "all", "no value is zero")


class Prod(FoldingOneOrAll):
    """Product over one axis, of integers in int64; over all without `dim` (torch.prod): a product a value read.

    Backward dy·y/x: division and product.
    """

    type: Literal["prod"] = "prod"
    prefix: ClassVar[str] = "prod"
    card: ClassVar[Card] = card(None, "ReduceProd", Autocast("float32", "float32 out"))

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.folded(inputs), summed(inputs[0])),)

    def autograd(self, call: Call) -> Autograd:
        """Zeros are looked for, and none is found: then the quotients (`prod_backward` in FunctionsManual.cpp)."""
        source, result = call.source, call.result
        zeros = Own("zeros", TensorType(source.shape, "bool"))
        counts = Own("counts", TensorType(result.shape, "int64"))
        wide = TensorType(source.shape, result.dtype)
        cast = () if wide == source else (Own("input cast", wide), *before_cast(source, wide.dtype))
        return Autograd((INPUT, OUTPUT), call.inputs, backward=(zeros, counts, Own("quotients", wide), *cast))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {0: 2}, "multiplied"),)


class LogSumExp(FoldingAxes):
    """log Σ exp x over one axis or several (torch.logsumexp): maximum, difference, exp, sum.

    Backward dy·exp(x − y): difference, exp, product.
    """

    type: Literal["logsumexp"] = "logsumexp"
    prefix: ClassVar[str] = "logsumexp"
    card: ClassVar[Card] = card("torch.logsumexp", "ReduceLogSumExp", IN_FLOAT32_ON_CUDA)

    def autograd(self, call: Call) -> Autograd:
        """The largest, and all values less them, which the CPU's kernel has for itself."""
        on_cuda = call.setting.device == "cuda"
        made = (Own("largest", call.result), Own("differences", call.source)) if on_cuda else ()
        factors = Own("factors", TensorType((2 * call.source.numel,), call.source.dtype))
        return Autograd((INPUT, OUTPUT), call.inputs, forward=made, backward=(factors,))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 4, {0: 3}, "exponentials added"),)


class Spread(FoldingAxes):
    """Σ(x − mean)²/(n − correction): mean, difference, square, sum a value read.

    Backward 2/(n − correction)·dy·(x − mean): the mean again, difference, product.
    """

    correction: Count = 1
    saved: ClassVar[tuple[Saved, ...]]
    factors: ClassVar[int]
    """How many tensors like the output backward makes beside the differences: the mean, and what they are multiplied
    with.
    """

    def output_types(self, inputs: Tensors) -> Tensors:
        values = prod(inputs[0].shape[axis] for axis in self.axes(inputs))
        if values <= self.correction:
            raise ShapeError(
                "too few values for a variance", expected=f"more than correction, {self.correction}", found=str(values)
            )
        return super().output_types(inputs)

    def autograd(self, call: Call) -> Autograd:
        factors = TensorType((self.factors * call.result.numel,), call.result.dtype)
        made = (Own("differences", call.source), Own("mean and factors", factors))
        return Autograd(self.saved, call.inputs, backward=made)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 4, {0: 3}, "squared differences"),)


class Var(Spread):
    """Variance over one axis or several (torch.var): mean, difference, square, sum a value read.

    Backward 2/(n − correction)·dy·(x − mean): the mean again, difference, product.
    """

    type: Literal["var"] = "var"
    prefix: ClassVar[str] = "var"
    card: ClassVar[Card] = card("torch.var")
    saved: ClassVar[tuple[Saved, ...]] = (INPUT,)
    factors: ClassVar[int] = 2


class Std(Spread):
    """Standard deviation over one axis or several (torch.std): as the variance, whose root is not counted."""

    type: Literal["std"] = "std"
    prefix: ClassVar[str] = "std"
    card: ClassVar[Card] = card("torch.std")
    saved: ClassVar[tuple[Saved, ...]] = (INPUT, OUTPUT)
    factors: ClassVar[int] = 3
