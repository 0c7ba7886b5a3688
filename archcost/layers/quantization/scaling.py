"""Floats scaled to integers or narrow floats, and back."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis, require_floating
from archcost.layers.dtypes import AS_GIVEN, Outcome
from archcost.layers.fields import Axis, Count, FloatingDtype, dtype_among
from archcost.layers.memory_order import value_by_value
from archcost.layers.rules import Autograd, Call, Placement
from archcost.layers.shape.copy import WEIGHTS
from archcost.tensors import DTYPE_BYTES, FLOATING, STORED, Tensors, TensorType, format_shape
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Reduction, Work

INTEGERS = tuple(dtype for dtype in DTYPE_BYTES if dtype not in FLOATING and dtype != "bool")
CODES = (*INTEGERS, *STORED)
"""Dtypes of values that stand for others: integers, and floats of so few bits that nobody computes in them."""

CodeDtype = Annotated[str, BeforeValidator(dtype_among(CODES))]


def card(time: TimeClass = "elementwise", promotion: Outcome = "named") -> Card:
    return Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=AS_GIVEN,
        promotion=promotion,
        fvcore="nothing",
        time=time,
        blas=False,
    )


def require_codes(tensor: TensorType, what: str = "input") -> None:
    if tensor.dtype not in CODES:
        raise ShapeError(f"{what} must hold quantised values", expected="int8, uint8 or the like", found=str(tensor))


class Scaling(Layer):
    """A value times its scale, or divided by it, beside its zero point.

    A second input holds the scales and a third the zero points, where they are more than one number each: one for each
    position of `axis`, or with `block_size` one for so many values along it. No gradient goes through.
    """

    arity: ClassVar[Arity] = Arity(1, 3)
    untouched: ClassVar[frozenset[int]] = frozenset({0, 1, 2})
    operations: ClassVar[int]
    what: ClassVar[str]
    axis: Axis = 1
    block_size: Count = 0

    def require_scales(self, inputs: Tensors) -> None:
        """Raises ShapeError where scales or zero points do not stretch over the values."""
        source, *others = inputs
        for tensor, what in zip(others, ("scales", "zero points"), strict=False):
            if tensor.numel != 1 or self.block_size:
                self._require_stretching(source, tensor, what)

    def _require_stretching(self, source: TensorType, tensor: TensorType, what: str) -> None:
        axis = normalize_axis(self.axis, source.rank, "axis")
        size = source.shape[axis]
        if not self.block_size:
            if tensor.shape != (size,):
                raise ShapeError(f"{what} do not fit", expected=f"one, or {size} along axis {axis}", found=str(tensor))
            return
        blocks = (*source.shape[:axis], -(-size // self.block_size), *source.shape[axis + 1 :])
        if tensor.shape != blocks:
            expected = f"{format_shape(blocks)}, one for {self.block_size} values along axis {axis}"
            raise ShapeError(f"{what} do not fit", expected=expected, found=str(tensor))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, self.operations, {}, self.what),)

    def autograd(self, call: Call) -> Autograd:
        """Rounding has no gradient, and nobody learns quantised values."""
        return Autograd((), (None,) * len(call.inputs))

    def placement(self, call: Call) -> Placement:
        first = call.inputs[:1]
        return value_by_value(Call(first, call.outputs, call.setting))


class Quantize(Scaling):
    """Floats as integers or 8-bit floats: x/scale, rounded, beside a zero point, within the range of `dtype`.

    Inputs: x, and where they are no single numbers its scales and zero points: one for each position of `axis`, or with
    `block_size` one for so many values along it. Four operations a value: a division, a rounding, an addition and a
    limit. No gradient goes through (ONNX's QuantizeLinear).
    """

    type: Literal["quantize"] = "quantize"
    prefix: ClassVar[str] = "quantize"
    card: ClassVar[Card] = card()
    operations: ClassVar[int] = 4
    what: ClassVar[str] = "quantised"
    dtype: CodeDtype = "int8"

    def output_types(self, inputs: Tensors) -> Tensors:
        if inputs[0].dtype != "int32":
            require_floating(inputs[:1])
        self.require_scales(inputs)
        return (TensorType(inputs[0].shape, self.dtype),)


class Dequantize(Scaling):
    """Integers or 8-bit floats as floats again: (q − zero point)·scale.

    Inputs: q, and where they are no single numbers its scales and zero points: one for each position of `axis`, or with
    `block_size` one for so many values along it. Two operations a value: a difference and a product. `weights` is the
    dtype of the network's weights, float32 unless the run says otherwise. No gradient goes through (ONNX's
    DequantizeLinear).
    """

    type: Literal["dequantize"] = "dequantize"
    prefix: ClassVar[str] = "dequantize"
    card: ClassVar[Card] = card()
    operations: ClassVar[int] = 2
    what: ClassVar[str] = "scaled back"
    dtype: FloatingDtype | Literal["weights"] = "weights"

    def output_types(self, inputs: Tensors) -> Tensors:
        require_codes(inputs[0])
        self.require_scales(inputs)
        return (TensorType(inputs[0].shape, "float32" if self.dtype == WEIGHTS else self.dtype),)


class DynamicQuantize(Layer):
    """Floats as uint8, by a scale and a zero point that come of the least and largest of them (DynamicQuantizeLinear).

    Outputs: values, scale, zero point. Six operations a value: two comparisons, then as `quantize` does. No gradient
    goes through.
    """

    type: Literal["dynamic_quantize"] = "dynamic_quantize"
    prefix: ClassVar[str] = "quantize"
    card: ClassVar[Card] = card()
    untouched: ClassVar[frozenset[int]] = frozenset({0})

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return (TensorType(inputs[0].shape, "uint8"), TensorType((), inputs[0].dtype), TensorType((), "uint8"))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        numel = inputs[0].numel
        return (Reduction(numel, 2, {}, "compared"), Elementwise(numel, Quantize.operations, {}, Quantize.what))

    def autograd(self, call: Call) -> Autograd:
        """Rounding has no gradient."""
        return Autograd((), (None,))

    def placement(self, call: Call) -> Placement:
        first = value_by_value(call)
        return Placement((None,) * 3, (*first.layouts, None, None))
