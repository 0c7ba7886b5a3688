"""Activations: one value in, one value out; and softmax, which looks along an axis.

Operations a value, forward and backward, follow the convention of docs/conventions.md: every addition,
product, division, comparison and elementary function of the formula as written counts one. What backward
can take from the kept output or input is not counted again.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Axis, Flag, Number, Size, Weight, WeightedLayer, normalize_axis, require_floating
from archcost.layers.dtypes import AS_GIVEN, IN_16_BITS, IN_FLOAT32_ON_CUDA, Autocast, Outcome
from archcost.layers.memory_order import ValueByValue
from archcost.layers.rules import Quirk
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, OUTPUT, Own, Saved, Scratch, Setting, Stored, excess
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import SAME, WHOLE, Rules
from archcost.work import Elementwise, Work


def require_numbers(tensor: TensorType) -> None:
    if tensor.dtype == "bool":
        raise ShapeError("needs numbers", expected="integers or floats", found=str(tensor), hint="cast")


class Activation(ValueByValue):
    """A function of each value alone; subclasses give its price forward and backward, and what backward works from."""

    comes_out: ClassVar[Outcome] = "first"
    operations: ClassVar[int]
    operations_backward: ClassVar[int]
    backward_from: ClassVar[Saved]
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "refused"
    """What becomes of integers."""

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, self.result_dtype(inputs[0])),)

    def result_dtype(self, source: TensorType) -> str:
        """Raises ShapeError for values that the function has no result for."""
        if self.integers == "refused":
            require_floating((source,))
        elif self.integers == "kept":
            require_numbers(source)
        elif not source.is_floating:
            return "float32"
        return source.dtype

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (self.backward_from,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(inputs[0].numel, self.operations, {0: self.operations_backward}, self.type),)


class Overwriting(Activation):
    """`inplace: true` overwrites the input. Where backward works from the input, torch then keeps a copy of it."""

    inplace: Flag = False
    result_serves: ClassVar[bool] = False
    """In place, backward can work from the result instead of a copy of the input."""

    def output_types(self, inputs: Tensors) -> Tensors:
        outputs = super().output_types(inputs)
        if self.inplace and outputs != inputs:
            raise ShapeError("inplace needs a result like the input", expected=str(outputs[0]), found=str(inputs[0]))
        return outputs

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        if not self.inplace or self.backward_from == OUTPUT:
            return (self.backward_from,)
        return (OUTPUT,) if self.result_serves else (Own("copy of the input", inputs[0]),)

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (0,) if self.inplace else (None,)

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace


class InplaceActivation(Overwriting):
    """One whose module in torch has `inplace`, so that a network may be asked to overwrite wherever it can."""


class ReLU(InplaceActivation):
    """max(x, 0); dy where x > 0."""

    type: Literal["relu"] = "relu"
    prefix: ClassVar[str] = "relu"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 1
    backward_from: ClassVar[Saved] = OUTPUT


class ReLU6(InplaceActivation):
    """min(max(x, 0), 6); dy where 0 < x < 6."""

    type: Literal["relu6"] = "relu6"
    prefix: ClassVar[str] = "relu"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    operations: ClassVar[int] = 2
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT


class LeakyReLU(InplaceActivation):
    """max(x, slope·x); dy or slope·dy."""

    type: Literal["leaky_relu"] = "leaky_relu"
    prefix: ClassVar[str] = "relu"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    negative_slope: Number = 0.01
    operations: ClassVar[int] = 2
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT
    result_serves: ClassVar[bool] = True


class ELU(InplaceActivation):
    """x or α(exp(x) − 1): comparison, exp, difference, product; dy or dy·(y + α)."""

    type: Literal["elu"] = "elu"
    prefix: ClassVar[str] = "elu"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    alpha: Number = 1.0
    operations: ClassVar[int] = 4
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = INPUT
    result_serves: ClassVar[bool] = True


class GELU(Activation):
    """x·Φ(x); `approximate: tanh` takes x/2·(1 + tanh u) with u = √(2/π)·(x + 0.044715·x³)."""

    type: Literal["gelu"] = "gelu"
    prefix: ClassVar[str] = "gelu"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    approximate: Literal["none", "tanh"] = "none"
    backward_from: ClassVar[Saved] = INPUT

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """x/2·(1 + erf(x/√2)) (5); backward dy·(Φ + x·φ) with Φ (4) and φ = exp(−x²/2)/√(2π) (4).

        With tanh: u (5), tanh, 3 around it; backward u and tanh again (6), (1 + t)/2 (2), x/2·(1 − t²) (4),
        du/dx (3), their product, the sum, the product with dy.
        """
        forward, backward = (5, 11) if self.approximate == "none" else (9, 18)
        return (Elementwise(inputs[0].numel, forward, {0: backward}, self.type),)


class SiLU(InplaceActivation):
    """x·σ(x), with σ = 1/(1 + exp(−x)) (4 operations); backward dy·σ·(1 + x·(1 − σ))."""

    type: Literal["silu"] = "silu"
    prefix: ClassVar[str] = "silu"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 9
    backward_from: ClassVar[Saved] = INPUT


class Hardsigmoid(InplaceActivation):
    """min(max(x/6 + 1/2, 0), 1); dy/6 where −3 < x < 3."""

    type: Literal["hardsigmoid"] = "hardsigmoid"
    prefix: ClassVar[str] = "hardsigmoid"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    operations: ClassVar[int] = 4
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = INPUT


class Hardswish(InplaceActivation):
    """x·hardsigmoid(x); dy·(x/3 + 1/2) where −3 < x < 3."""

    type: Literal["hardswish"] = "hardswish"
    prefix: ClassVar[str] = "hardswish"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 5
    backward_from: ClassVar[Saved] = INPUT


class Sigmoid(Activation):
    """1/(1 + exp(−x)): negation, exp, addition, division; dy·y·(1 − y)."""

    type: Literal["sigmoid"] = "sigmoid"
    prefix: ClassVar[str] = "sigmoid"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    operations: ClassVar[int] = 4
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = OUTPUT


class Tanh(Activation):
    """tanh x, one elementary function; dy·(1 − y²)."""

    type: Literal["tanh"] = "tanh"
    prefix: ClassVar[str] = "tanh"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = OUTPUT


class Softplus(Activation):
    """log(1 + exp(βx))/β: product, exp, addition, log, division; dy·σ(βx), product and σ and product."""

    type: Literal["softplus"] = "softplus"
    prefix: ClassVar[str] = "softplus"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    beta: Number = 1.0
    threshold: Number = 20.0
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 6
    backward_from: ClassVar[Saved] = INPUT


class SELU(InplaceActivation):
    """λ·elu(x) with α and λ fixed: comparison, exp, difference, two products; dy·λ or dy·(y + λα)."""

    type: Literal["selu"] = "selu"
    prefix: ClassVar[str] = "selu"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = INPUT
    result_serves: ClassVar[bool] = True


class Hardtanh(InplaceActivation):
    """min(max(x, min_val), max_val); dy where min_val < x < max_val."""

    type: Literal["hardtanh"] = "hardtanh"
    prefix: ClassVar[str] = "hardtanh"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    min_val: Number = -1.0
    max_val: Number = 1.0
    operations: ClassVar[int] = 2
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT


class Mish(InplaceActivation):
    """x·t with t = tanh(log(1 + exp(x))): exp, addition, log, tanh, product.

    Backward dy·(t + x·(1 − t²)·σ(x)): t and σ(x) again (4 + 4), square, difference, two products, addition, product.
    """

    type: Literal["mish"] = "mish"
    prefix: ClassVar[str] = "mish"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 14
    backward_from: ClassVar[Saved] = INPUT


class LogSigmoid(Activation):
    """−log(1 + exp(−x)): negation, exp, addition, log, negation; dy/(1 + exp(x)): exp, addition, division."""

    type: Literal["logsigmoid"] = "logsigmoid"
    prefix: ClassVar[str] = "logsigmoid"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = INPUT

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """The CPU's kernel keeps exp(−|x|) as well; CUDA's leaves it empty (`log_sigmoid_forward` in native)."""
        return (INPUT, Own("exp(−|x|)", inputs[0])) if setting.device == "cpu" else (INPUT,)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """The CPU's kernel writes row by row."""
        return (None,) if setting.device == "cpu" else super().layouts(inputs, outputs, setting)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        return Scratch(self.unkept(inputs, outputs, setting))


class PReLU(WeightedLayer, ValueByValue):
    """max(x, 0) + a·min(x, 0), one learnt slope for all or one a channel (torch.nn.PReLU)."""

    type: Literal["prelu"] = "prelu"
    prefix: ClassVar[str] = "relu"
    autocast: ClassVar[Autocast] = IN_16_BITS
    time_class: ClassVar[TimeClass] = "elementwise"
    comes_out: ClassVar[Outcome] = "first"
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["weight gradient is view"])
    num_parameters: Size = 1

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        channels = inputs[0].shape[1] if inputs[0].rank > 1 else 1
        if self.num_parameters not in (1, channels):
            raise ShapeError(
                "num_parameters is not the number of channels",
                expected=f"1 or {channels}" if channels > 1 else "1",
                found=f"{self.num_parameters} for input {inputs[0]}",
            )
        return inputs

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return (Weight("weight", (self.num_parameters,)),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Comparison and product; backward the same, and comparison, product and sum for the slope."""
        return (Elementwise(inputs[0].numel, 2, {0: 2, "weight": 3}, self.type),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, Stored("weight"))

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Both gradients are made together, the slope's for every value before it is summed."""
        numel = inputs[0].numel
        made = numel if 0 in setting.needs else 2 * numel - self.num_parameters
        return Scratch(backward=excess("gradients of every value", made, inputs[0].dtype))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step("parameters", "n", {"n": self.num_parameters}, "as num_parameters says"),)


class GLU(ValueByValue):
    """a·σ(b), a and b the halves along `dim` (torch.nn.GLU)."""

    type: Literal["glu"] = "glu"
    prefix: ClassVar[str] = "glu"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    comes_out: ClassVar[Outcome] = "first"
    dim: Axis = -1

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        shape = inputs[0].shape
        axis = normalize_axis(self.dim, len(shape))
        if shape[axis] % 2:
            raise ShapeError(f"axis {axis} cannot be halved", expected="an even number", found=str(shape[axis]))
        return (TensorType((*shape[:axis], shape[axis] // 2, *shape[axis + 1 :]), inputs[0].dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """σ(b) (4) and a product; backward σ(b) again, dy·σ, and dy·σ·a·(1 − σ): difference and two products."""
        return (Elementwise(outputs[0].numel, 5, {0: 8}, self.type),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = normalize_axis(self.dim, inputs[0].rank)
        return (Step(f"output axis {axis}", "n/2", {"n": inputs[0].shape[axis]}),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        along = normalize_axis(self.dim, inputs[0].rank)
        return tuple(WHOLE if axis == along else SAME for axis in range(2, inputs[0].rank))
