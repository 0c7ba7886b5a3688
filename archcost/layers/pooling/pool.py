"""Pooling over windows, and adaptive pooling."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, prod
from typing import ClassVar

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card, Counted
from archcost.layers.checks import per_axis, require_images, require_positive
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CPU
from archcost.layers.fields import Counts, Flag, Size, Sizes
from archcost.layers.memory_order import of_images
from archcost.layers.rules import Autograd, Call, NewView, Placement, Precision, own_storage
from archcost.layers.symbols import AXES, asked_for, left_over
from archcost.layers.twins import CardOf, twin, twins, type_of
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Device, Output, Own, Saved
from archcost.terms.expressions import Step
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import WHOLE, Rule, Rules, Window
from archcost.work import Gather, Reduction, Work


def cards(time: TimeClass, fvcore: Counted = "nothing", is_derived: bool = False) -> CardOf:
    """What fvcore counts, it counts in two dimensions alone; autocast's list for the CPU has those of three.

    `is_derived` says that a call's arguments are the layer's fields.
    """

    def card(name: str, ndim: int) -> Card:
        return Card(
            torch=f"nn.{name}",
            calls=(type_of(name),) if is_derived else (),
            onnx=None,
            autocast=IN_FLOAT32_ON_CPU if ndim == 3 else AS_GIVEN,
            promotion="first",
            fvcore=fvcore if ndim == 2 else "nothing",
            time=time,
            blas=False,
        )

    return card


class OfAxes(Layer):
    """What works on images of `ndim` axes. One axis torch pools as images of one row, of which it hands out a view."""

    ndim: ClassVar[int]
    keeps_channels_last: ClassVar[frozenset[int]] = frozenset([1, 2, 3])
    """For how many axes images that arrive with their channels last leave so; else they lie row-major."""

    def placement(self, call: Call) -> Placement:
        keeps = self.ndim in self.keeps_channels_last
        placed = of_images(call, fewest_axes=3) if keeps else own_storage(call)
        return placed._replace(is_view=True) if self.ndim == 1 else placed

    def gradient(self, call: Call) -> tuple[TensorType | NewView]:
        return (NewView(call.source) if self.ndim == 1 else call.source,)


class Slid(OfAxes):
    """A window slid over `ndim` axes, by its own size when no stride is given."""

    kernel_size: Sizes
    stride: Sizes | None = None
    padding: Counts = 0

    def kernels(self) -> tuple[int, ...]:
        return per_axis(self.kernel_size, self.ndim, "kernel_size")

    def strides(self) -> tuple[int, ...]:
        return self.kernels() if self.stride is None else per_axis(self.stride, self.ndim, "stride")

    def paddings(self) -> tuple[int, ...]:
        return per_axis(self.padding, self.ndim, "padding")


class Pool(Slid):
    """A window of values made one. `ceil_mode` keeps a last window that starts before the right padding."""

    prefix: ClassVar[str] = "pool"
    positional: ClassVar[tuple[str, ...]] = ("kernel_size", "stride")

    ceil_mode: Flag = False

    def dilations(self) -> tuple[int, ...]:
        return (1,) * self.ndim

    def output_sizes(self, inputs: Tensors) -> tuple[int, ...]:
        require_images(inputs[0], self.ndim)
        for kernel, padding, dilation in zip(self.kernels(), self.paddings(), self.dilations(), strict=True):
            reach = dilation * (kernel - 1) + 1
            if 2 * padding > reach:
                raise ShapeError(
                    "padding is more than half of the kernel",
                    expected=f"at most {reach // 2} for a kernel that reaches over {reach}",
                    found=str(padding),
                )
        columns = zip(
            inputs[0].shape[2:], self.kernels(), self.strides(), self.paddings(), self.dilations(), strict=True
        )
        sizes = tuple(self._output_size(*column) for column in columns)
        require_positive(sizes, inputs, "a smaller kernel_size or ceil_mode: true")
        return sizes

    def _output_size(self, size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
        span = size + 2 * padding - dilation * (kernel - 1) - 1
        if not self.ceil_mode:
            return span // stride + 1
        rounded = -(-span // stride) + 1
        # A last window that would start in the right padding is dropped (ATen/native/Pool.h).
        return rounded - 1 if (rounded - 1) * stride >= size + padding else rounded

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        columns = zip(self.kernels(), self.strides(), self.paddings(), self.dilations(), strict=True)
        return tuple(Window.sliding(*column) for column in columns)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        steps: list[Step] = []
        columns = zip(
            AXES[self.ndim],
            inputs[0].shape[2:],
            outputs[0].shape[2:],
            self.kernels(),
            self.strides(),
            self.paddings(),
            self.dilations(),
            strict=True,
        )
        for axis, size, after, kernel, stride, padding, dilation in columns:
            values = {f"{axis}_in": size, f"k_{axis}": kernel, f"s_{axis}": stride}
            values |= {f"p_{axis}": padding, f"d_{axis}": dilation}
            span = f"{axis}_in + 2*p_{axis} - d_{axis}*(k_{axis} - 1) - 1"
            formula = f"({span})//s_{axis} + 1"
            note = left_over(size + 2 * padding - dilation * (kernel - 1) - 1, stride)
            if self.ceil_mode:
                formula, note = f"({span} + s_{axis} - 1)//s_{axis} + 1", "ceil_mode rounds up"
                if Step("", formula, values).result != after:
                    formula, note = formula + " - 1", "ceil_mode rounds up; the last window would start in the padding"
            steps.append(Step(f"output {axis}", formula, values, note))
        return tuple(steps)


def kept_indices(outputs: Tensors) -> Saved:
    """Where each maximum came from: the second output, or a tensor as large as it would be."""
    return Output(1) if len(outputs) == 2 else Own("indices", TensorType(outputs[0].shape, "int64"))


class MaxPool(Pool):
    """Maximum of each window; `return_indices` adds a second output, where each came from (torch.nn.MaxPool2d)."""

    dilation: Sizes = 1
    return_indices: Flag = False

    def dilations(self) -> tuple[int, ...]:
        return per_axis(self.dilation, self.ndim, "dilation")

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = (*inputs[0].shape[:2], *self.output_sizes(inputs))
        pooled = TensorType(shape, inputs[0].dtype)
        return (pooled, TensorType(shape, "int64")) if self.return_indices else (pooled,)

    def autograd(self, call: Call) -> Autograd:
        """Torch finds the indices also where nobody wants them, but for the CPU's own kernel for one axis."""
        has_kernel = self.ndim == 1 and call.setting.device == "cpu"
        saved = (INPUT, kept_indices(call.outputs))
        return Autograd(saved, self.gradient(call), saves_for_nobody=not has_kernel)

    def placement(self, call: Call) -> Placement:
        """That of one axis, where neither gradient nor indices are wanted, has a kernel of its own."""
        if self.ndim == 1 and not self.return_indices and not call.setting.needs:
            return own_storage(call)._replace(is_view=True)
        return super().placement(call)

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """Asked for indices, torch calls max_pool3d_with_indices, which is on no list."""
        given = super().precision(inputs, device)
        return given._replace(treatment="as given") if self.return_indices else given

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """k comparisons an output; backward, one addition an output, at the index it came from."""
        return (Reduction(outputs[0].numel, prod(self.kernels()), {0: 1}, "maximum of a window"),)


MaxPool1d, MaxPool2d, MaxPool3d = twins(__name__, MaxPool, "MaxPool", cards("max pooling"))


class AvgPool(Pool):
    """Mean of each window, the padding's zeros counted unless told otherwise (torch.nn.AvgPool2d)."""

    keeps_channels_last: ClassVar[frozenset[int]] = frozenset([1, 2])
    count_include_pad: Flag = True

    def output_sizes(self, inputs: Tensors) -> tuple[int, ...]:
        """Alone among the pools, that of three axes refuses a kernel larger than the input, whatever padding and
        ceil_mode say.
        """
        sizes, before = super().output_sizes(inputs), inputs[0].shape[2:]
        if self.ndim == 3 and any(kernel > size for kernel, size in zip(self.kernels(), before, strict=True)):
            raise ShapeError(
                "the kernel is larger than the input",
                expected=f"at most {'×'.join(map(str, before))}",
                found="×".join(map(str, self.kernels())),
            )
        return sizes

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType((*inputs[0].shape[:2], *self.output_sizes(inputs)), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((INPUT,), self.gradient(call))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """k − 1 additions and a division an output; backward, a division and k − 1 additions."""
        kernel = prod(self.kernels())
        return (Reduction(outputs[0].numel, kernel, {0: kernel}, "mean of a window"),)


class DividedPool(AvgPool):
    """Mean of each window, the padding's zeros counted unless told otherwise (torch.nn.AvgPool2d).

    `divisor_override` divides the sum by another number than that of the values.
    """

    divisor_override: Size | None = None


average = cards("average pooling", is_derived=True)
AvgPool1d = twin(__name__, AvgPool, "AvgPool1d", 1, average)
AvgPool2d = twin(__name__, DividedPool, "AvgPool2d", 2, average)
AvgPool3d = twin(__name__, DividedPool, "AvgPool3d", 3, average)


AdaptiveSize = Size | tuple[Size | None, ...]


class AdaptivePool(OfAxes):
    """Windows chosen so that the output has `output_size` m: o covers ⌊o·n/m⌋ up to, not with, ⌈(o+1)·n/m⌉."""

    prefix: ClassVar[str] = "pool"
    positional: ClassVar[tuple[str, ...]] = ("output_size",)
    keeps_channels_last: ClassVar[frozenset[int]] = frozenset([1, 2])

    output_size: AdaptiveSize

    def output_sizes(self, inputs: Tensors) -> tuple[int, ...]:
        require_images(inputs[0], self.ndim)
        sizes: tuple[int | None, ...] = (
            (self.output_size,) * self.ndim if isinstance(self.output_size, int) else self.output_size
        )
        if len(sizes) != self.ndim:
            raise ShapeError(
                "output_size has the wrong length",
                expected=f"an integer or {self.ndim} entries",
                found=str(list(sizes)),
            )
        return tuple(after or before for before, after in zip(inputs[0].shape[2:], sizes, strict=True))

    def values_read(self, inputs: Tensors, outputs: Tensors) -> int:
        """Neighbours share an input wherever their boundary o·n/m is no integer: n + m − gcd(n, m) in all."""
        spans = zip(inputs[0].shape[2:], outputs[0].shape[2:], strict=True)
        return prod(outputs[0].shape[:2]) * prod(n + m - gcd(n, m) for n, m in spans)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return asked_for(outputs[0].shape[2:], "as output_size says")

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        spans = zip(inputs[0].shape[2:], outputs[0].shape[2:], strict=True)
        return tuple(_adaptive_rule(before, after) for before, after in spans)


def _adaptive_rule(before: int, after: int) -> Rule:
    if after == 1:
        return WHOLE
    jump = Fraction(before, after)
    # ⌊o·jump⌋ ≥ o·jump − (1 − 1/after), and the last element read is ⌈(o+1)·jump⌉ − 1 ≤ o·jump + jump − 1/after.
    slack = Fraction(0) if jump.denominator == 1 else 1 - Fraction(1, jump.denominator)
    return Window(jump, -slack, jump - 1 + slack)


class AdaptiveAvgPool(AdaptivePool):
    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType((*inputs[0].shape[:2], *self.output_sizes(inputs)), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        """Down to one value a channel torch takes the mean, whose backward needs only sizes."""
        return Autograd(() if prod(call.result.shape[2:]) == 1 else (INPUT,), self.gradient(call))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """As `AvgPool`: one operation a value read, forward and backward."""
        return (Reduction(self.values_read(inputs, outputs), 1, {0: 1}, "mean of a window"),)


AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d = twins(
    __name__, AdaptiveAvgPool, "AdaptiveAvgPool", cards("adaptive pooling", "input")
)


class AdaptiveMaxPool(AdaptivePool):
    return_indices: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = (*inputs[0].shape[:2], *self.output_sizes(inputs))
        pooled = TensorType(shape, inputs[0].dtype)
        return (pooled, TensorType(shape, "int64")) if self.return_indices else (pooled,)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((INPUT, kept_indices(call.outputs)), self.gradient(call), saves_for_nobody=True)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """One comparison a value read; backward, one addition an output."""
        return (
            Reduction(self.values_read(inputs, outputs), 1, {}, "maximum of a window"),
            Gather(outputs[0].numel, 0, {0: 1}, "gradient put back at the maximum"),
        )


AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d = twins(
    __name__, AdaptiveMaxPool, "AdaptiveMaxPool", cards("max pooling")
)
