"""Activations: one value in, one value out; those with learnt slopes, gates, and softmax, which looks along an axis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Layer, Weight, WeightedLayer
from archcost.layers.card import Card, Onnx, onnx
from archcost.layers.checks import normalize_axis, require_floating, whole_along
from archcost.layers.dtypes import (
    AS_GIVEN,
    FLOAT32_OF_BFLOAT16_ON_CUDA,
    IN_16_BITS,
    IN_FLOAT32_ON_CUDA,
    Autocast,
)
from archcost.layers.fields import Axis, Number, Size
from archcost.layers.memory_order import value_by_value
from archcost.layers.rows import REQUIRED
from archcost.layers.rules import Autograd, Call, Placement, Quirk, own_storage
from archcost.layers.value_function import Activation, Base, Formula, OverwritingFunction, ValueFunction, function
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, OUTPUT, Own, Stored, excess
from archcost.terms.expressions import Step
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import Rules
from archcost.work import Elementwise, Reduction, Work


def card(
    torch: str,
    calls: tuple[str, ...],
    operator: str | Onnx | None,
    time: TimeClass,
    autocast: Autocast = AS_GIVEN,
) -> Card:
    """What all activations have in common beside these: fvcore leaves them out."""
    return Card(
        torch=torch,
        calls=calls,
        onnx=onnx(operator) if isinstance(operator, str) else operator,
        autocast=autocast,
        promotion="first",
        fvcore="nothing",
        time=time,
        blas=False,
    )


def activation(
    base: type[Base],
    name: str,
    type_: str,
    operator: str | Onnx | None,
    time: TimeClass,
    forward: str,
    backward: str,
    saved: str | None = None,
    prefix: str | None = None,
    autocast: Autocast = AS_GIVEN,
    **fields: tuple[Any, Any],
) -> type[Base]:
    """A module of torch's that has a kernel of its own for backward, which makes nothing on the way.

    What overwrites and is no `Activation` is a method of tensors, since the module does not.
    """
    torch = f"Tensor.{type_}" if base is OverwritingFunction else f"nn.{name}"
    cards = card(torch, (type_, *SYNONYMS.get(type_, ())), operator, time, autocast)
    return function(__name__, base, name, type_, Formula(forward, backward, saved), cards, fields=fields, prefix=prefix)


SYNONYMS = {"silu": ("swish",)}
FAST: TimeClass = "elementwise"
SLOW: TimeClass = "transcendental"
ONE, HALF = (Number, 1.0), (Number, 0.5)

# fmt: off
ReLU = activation(Activation, "ReLU", "relu", "Relu", FAST, "max(x, 0)", "where(y > 0, dy, 0)")
ReLU6 = activation(
    Activation, "ReLU6", "relu6", None, FAST, "min(max(x, 0), 6)", "where(0 < x < 6, dy, 0)", prefix="relu")
LeakyReLU = activation(
    Activation, "LeakyReLU", "leaky_relu", onnx("LeakyRelu", alpha="negative_slope"), FAST,
    "max(x, negative_slope*x)", "where(y > 0, dy, negative_slope*dy)", "x", "relu", negative_slope=(Number, 0.01))
ELU = activation(
    Activation, "ELU", "elu", onnx("Elu", alpha="alpha"), SLOW,
    "where(x > 0, x, alpha*(exp(x) - 1))", "where(y > 0, dy, dy*(y + alpha))", "x", alpha=ONE)
CELU = activation(
    Activation, "CELU", "celu", onnx("Celu", alpha="alpha"), SLOW,
    "where(x > 0, x, alpha*(exp(x/alpha) - 1))", "where(y > 0, dy, dy*(y + alpha)/alpha)", "x", alpha=ONE)
SELU = activation(
    Activation, "SELU", "selu", "Selu", SLOW,
    "scale*where(x > 0, x, alpha*(exp(x) - 1))", "dy*where(y > 0, scale, y + scale*alpha)", "x")
SiLU = activation(
    Activation, "SiLU", "silu", None, SLOW, "x*sigmoid(x)", "s = sigmoid(x); dy*s*(1 + x*(1 - s))")
Mish = activation(
    Activation, "Mish", "mish", "Mish", SLOW,
    "x*tanh(log(1 + exp(x)))", "t = tanh(log(1 + exp(x))); dy*(t + x*(1 - t*t)*sigmoid(x))")
Hardsigmoid = activation(
    Activation, "Hardsigmoid", "hardsigmoid", None, FAST, "min(max(x/6 + 1/2, 0), 1)", "where(-3 < x < 3, dy/6, 0)")
Hardswish = activation(
    Activation, "Hardswish", "hardswish", "HardSwish", FAST,
    "x*min(max(x/6 + 1/2, 0), 1)", "where(x <= -3, 0, where(x < 3, dy*(x/3 + 1/2), dy))")
Hardtanh = activation(
    Activation, "Hardtanh", "hardtanh", None, FAST,
    "min(max(x, min_val), max_val)", "where(min_val < x < max_val, dy, 0)", min_val=(Number, -1.0), max_val=ONE)
Threshold = activation(
    Activation, "Threshold", "threshold", None, FAST, "where(x > threshold, x, value)",
    "where(x > threshold, dy, 0)", threshold=(Number, REQUIRED), value=(Number, REQUIRED))
Sigmoid = activation(OverwritingFunction, "Sigmoid", "sigmoid", "Sigmoid", SLOW, "1/(1 + exp(-x))", "dy*(1 - y)*y")
Tanh = activation(OverwritingFunction, "Tanh", "tanh", "Tanh", SLOW, "tanh(x)", "dy*(1 - y*y)")
Softplus = activation(
    ValueFunction, "Softplus", "softplus", None, SLOW, "log(1 + exp(beta*x))/beta", "dy*sigmoid(beta*x)",
    autocast=IN_FLOAT32_ON_CUDA, beta=ONE, threshold=(Number, 20.0))
Hardshrink = activation(
    ValueFunction, "Hardshrink", "hardshrink", None, FAST,
    "where(-lambd <= x <= lambd, 0, x)", "where(-lambd <= x <= lambd, 0, dy)", lambd=HALF)
Softshrink = activation(
    ValueFunction, "Softshrink", "softshrink", None, FAST,
    "x - where(x > lambd, lambd, where(x < -lambd, -lambd, x))", "where(-lambd <= x <= lambd, 0, dy)", lambd=HALF)
# fmt: on


class RReLU(Activation):
    """x where it is positive, else r·x with r drawn between `lower` and `upper` (torch.nn.RReLU).

    In evaluation r is their mean. Comparison and product, both ways. Drawing is not counted.
    """

    type: Literal["rrelu"] = "rrelu"
    prefix: ClassVar[str] = "relu"
    card: ClassVar[Card] = card("nn.RReLU", (), None, FAST)
    formula: ClassVar[Formula] = Formula("where(x > 0, x, slope*x)", "where(x > 0, dy, slope*dy)")
    lower: Number = 1 / 8
    upper: Number = 1 / 3

    def autograd(self, call: Call) -> Autograd:
        """The slopes are made and kept in evaluation too, where nothing reads them."""
        kept = OUTPUT if self.inplace else INPUT
        return Autograd((kept, Own("slopes", call.source)), call.inputs, saves_for_nobody=True)

    def placement(self, call: Call) -> Placement:
        """The CPU's kernel writes row by row."""
        return own_storage(call) if call.setting.device == "cpu" and not self.inplace else super().placement(call)


class GELU(ValueFunction):
    """x·Φ(x); `approximate: tanh` takes x/2·(1 + tanh u) with u = √(2/π)·(x + 0.044715·x³)."""

    type: Literal["gelu"] = "gelu"
    prefix: ClassVar[str] = "gelu"
    card: ClassVar[Card] = card("nn.GELU", ("gelu",), onnx("Gelu", approximate="approximate"), SLOW)
    formula: ClassVar[Formula] = Formula(
        "x/2*(1 + erf(x/2**0.5))", "dy*((1 + erf(x/2**0.5))/2 + x*(exp(x*x*-0.5)/(2*pi)**0.5))"
    )
    by_tanh: ClassVar[Formula] = Formula(
        "u = (2/pi)**0.5*(x + 0.044715*x*x*x); x/2*(1 + tanh(u))",
        "t = tanh((2/pi)**0.5*(x + 0.044715*x*x*x));"
        " dy*((1 + t)/2 + x/2*(1 - t*t)*((2/pi)**0.5 + 3*0.044715*(2/pi)**0.5*x*x))",
    )
    approximate: Literal["none", "tanh"] = "none"

    def chosen(self) -> Formula:
        return self.formula if self.approximate == "none" else self.by_tanh


class LogSigmoid(ValueFunction):
    """log σ(x) = −log(1 + exp(−x)); dy/(1 + exp(x))."""

    type: Literal["logsigmoid"] = "logsigmoid"
    prefix: ClassVar[str] = "logsigmoid"
    card: ClassVar[Card] = card("nn.LogSigmoid", ("logsigmoid", "log_sigmoid"), None, SLOW)
    formula: ClassVar[Formula] = Formula("-log(1 + exp(-x))", "dy/(1 + exp(x))")

    def autograd(self, call: Call) -> Autograd:
        """The CPU's kernel keeps exp(−|x|) as well; CUDA's leaves it empty (`log_sigmoid_forward` in native)."""
        own = (Own("exp(−|x|)", call.source),) if call.setting.device == "cpu" else ()
        return Autograd((INPUT, *own), call.inputs, saves_for_nobody=True)

    def placement(self, call: Call) -> Placement:
        """The CPU's kernel writes row by row."""
        return own_storage(call) if call.setting.device == "cpu" else super().placement(call)


class Softsign(ValueFunction):
    """x/(1 + |x|), three operations, of which torch composes it; dy/(1 + |x|), and the way through |x|."""

    type: Literal["softsign"] = "softsign"
    prefix: ClassVar[str] = "softsign"
    card: ClassVar[Card] = card("nn.Softsign", ("softsign",), "Softsign", FAST)
    formula: ClassVar[Formula] = Formula("x/(1 + abs(x))", "q = dy/d; q + -q*(x/d)*sign(x)")

    def autograd(self, call: Call) -> Autograd:
        """Both quotients and the sign, beside the product."""
        factors = excess("factors of the gradient", 3 * call.source.numel, call.source.dtype)
        saved = (INPUT, Own("1 + |x|", call.source))
        return Autograd(saved, call.inputs, backward=factors, saves_for_nobody=True)


class Tanhshrink(ValueFunction):
    """x − tanh x, two operations, of which torch composes it; dy − dy·(1 − t²) with t = tanh x, which is kept."""

    type: Literal["tanhshrink"] = "tanhshrink"
    prefix: ClassVar[str] = "tanhshrink"
    card: ClassVar[Card] = card("nn.Tanhshrink", ("tanhshrink",), None, SLOW)
    formula: ClassVar[Formula] = Formula("x - tanh(x)", "dy + -dy*(1 - t*t)")

    def autograd(self, call: Call) -> Autograd:
        """The negation, beside the way through the tangent."""
        factors = excess("factors of the gradient", call.source.numel, call.source.dtype)
        return Autograd((Own("tanh x", call.source),), call.inputs, backward=factors, saves_for_nobody=True)


class PReLU(WeightedLayer):
    """max(x, 0) + a·min(x, 0), one learnt slope for all or one a channel (torch.nn.PReLU)."""

    type: Literal["prelu"] = "prelu"
    prefix: ClassVar[str] = "relu"
    card: ClassVar[Card] = card("nn.PReLU", (), None, FAST, IN_16_BITS)
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

    def autograd(self, call: Call) -> Autograd:
        """Both gradients are made together, the slope's for every value before it is summed."""
        numel = call.source.numel
        made = numel if call.needs(0) else 2 * numel - self.num_parameters
        gradients = excess("gradients of every value", made, call.source.dtype)
        return Autograd((INPUT, Stored("weight")), call.inputs, backward=gradients)

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step("parameters", "n", {"n": self.num_parameters}, "as num_parameters says"),)


class GLU(Layer):
    """a·σ(b), a and b the halves along `dim` (torch.nn.GLU)."""

    type: Literal["glu"] = "glu"
    prefix: ClassVar[str] = "glu"
    positional: ClassVar[tuple[str, ...]] = ("dim",)
    card: ClassVar[Card] = card("nn.GLU", ("glu",), None, SLOW)
    dim: Axis = -1

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        shape = inputs[0].shape
        axis = normalize_axis(self.dim, len(shape))
        if shape[axis] % 2:
            raise ShapeError(f"axis {axis} cannot be halved", expected="an even number", found=str(shape[axis]))
        return (TensorType((*shape[:axis], shape[axis] // 2, *shape[axis + 1 :]), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((INPUT,), call.inputs)

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """σ(b) (4) and a product; backward σ(b) again, dy·σ, and dy·σ·a·(1 − σ): difference and two products."""
        return (Elementwise(outputs[0].numel, 5, {0: 8}, self.type),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = normalize_axis(self.dim, inputs[0].rank)
        return (Step(f"output axis {axis}", "n/2", {"n": inputs[0].shape[axis]}),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


class AxisActivation(Layer):
    """An activation over one axis; `dim` as torch counts it, the batch being 0."""

    positional: ClassVar[tuple[str, ...]] = ("dim",)

    dim: Axis
    operations: ClassVar[int]
    operations_backward: ClassVar[int]

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        normalize_axis(self.dim, inputs[0].rank)
        return inputs

    def autograd(self, call: Call) -> Autograd:
        return Autograd((OUTPUT,), call.inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, self.operations, {0: self.operations_backward}, self.type),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


class Softmax(AxisActivation):
    """exp(x − max)/Σ: maximum, difference, exp, sum, division; backward y·(dy − Σ dy·y)."""

    type: Literal["softmax"] = "softmax"
    prefix: ClassVar[str] = "softmax"
    card: ClassVar[Card] = card("nn.Softmax", (), None, "softmax", FLOAT32_OF_BFLOAT16_ON_CUDA)
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 4

    def autograd(self, call: Call) -> Autograd:
        """On CUDA backward first makes dy·y (`softmax_backward_cuda_out` in native/cuda/SoftMax.cu)."""
        on_cuda = call.setting.device == "cuda"
        return replace(super().autograd(call), backward=(Own("products of the gradient", call.result),) * on_cuda)


class LogSoftmax(AxisActivation):
    """x − max − log Σ exp: maximum, difference, exp, sum, difference; backward dy − exp(y)·Σ dy."""

    type: Literal["log_softmax"] = "log_softmax"
    prefix: ClassVar[str] = "log_softmax"
    card: ClassVar[Card] = card("nn.LogSoftmax", (), None, "softmax", FLOAT32_OF_BFLOAT16_ON_CUDA)
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 4
