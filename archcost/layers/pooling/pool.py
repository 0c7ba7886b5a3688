"""Pooling over windows, and adaptive pooling."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import (
    Counts,
    Flag,
    Size,
    Sizes,
    per_axis,
    require_images,
    require_positive,
)
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CPU, Autocast, Outcome, Treatment
from archcost.layers.memory_order import OfImages
from archcost.layers.symbols import AXES, asked_for, left_over
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, NO_SCRATCH, Device, Output, Own, Saved, Scratch, Setting
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import WHOLE, Rule, Rules, Window
from archcost.work import Gather, Reduction, Work


class Slid(OfImages):
    """A window slid over `ndim` axes, by its own size when no stride is given."""

    comes_out: ClassVar[Outcome] = "first"
    ndim: ClassVar[int]

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

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, kept_indices(outputs))

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Torch finds the indices also where nobody wants them."""
        return Scratch(self.unkept(inputs, outputs, setting))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """k comparisons an output; backward, one addition an output, at the index it came from."""
        return (Reduction(outputs[0].numel, prod(self.kernels()), {0: 1}, "maximum of a window"),)


class MaxPool1d(MaxPool):
    type: Literal["max_pool1d"] = "max_pool1d"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "max pooling"
    ndim: ClassVar[int] = 1
    fewest_axes: ClassVar[int] = 3
    ends_in_view: ClassVar[bool] = True

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """Where neither gradient nor indices are wanted, a kernel of its own."""
        wanted = self.return_indices or setting.needs
        return super().layouts(inputs, outputs, setting) if wanted else (None,)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The CPU's own kernel finds no indices."""
        return NO_SCRATCH if setting.device == "cpu" else super().scratch(inputs, outputs, setting)

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        """Torch pools images of one row."""
        return True


class MaxPool2d(MaxPool):
    type: Literal["max_pool2d"] = "max_pool2d"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "max pooling"
    ndim: ClassVar[int] = 2


class MaxPool3d(MaxPool):
    type: Literal["max_pool3d"] = "max_pool3d"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CPU
    time_class: ClassVar[TimeClass] = "max pooling"
    ndim: ClassVar[int] = 3

    def treatment(self, inputs: Tensors, device: Device) -> Treatment:
        """Asked for indices, torch calls max_pool3d_with_indices, which is on no list."""
        return "as given" if self.return_indices else super().treatment(inputs, device)


class AvgPool(Pool):
    """Mean of each window, the padding's zeros counted unless told otherwise (torch.nn.AvgPool2d)."""

    count_include_pad: Flag = True

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType((*inputs[0].shape[:2], *self.output_sizes(inputs)), inputs[0].dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """k − 1 additions and a division an output; backward, a division and k − 1 additions."""
        kernel = prod(self.kernels())
        return (Reduction(outputs[0].numel, kernel, {0: kernel}, "mean of a window"),)


class AvgPool1d(AvgPool):
    type: Literal["avg_pool1d"] = "avg_pool1d"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "average pooling"
    ndim: ClassVar[int] = 1
    fewest_axes: ClassVar[int] = 3
    ends_in_view: ClassVar[bool] = True

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        """Torch pools images of one row."""
        return True


class AvgPool2d(AvgPool):
    type: Literal["avg_pool2d"] = "avg_pool2d"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "average pooling"
    ndim: ClassVar[int] = 2
    divisor_override: Size | None = None


class AvgPool3d(AvgPool):
    type: Literal["avg_pool3d"] = "avg_pool3d"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CPU
    time_class: ClassVar[TimeClass] = "average pooling"
    ndim: ClassVar[int] = 3
    divisor_override: Size | None = None

    def output_sizes(self, inputs: Tensors) -> tuple[int, ...]:
        """Alone among the pools, torch's refuses a kernel larger than the input, whatever padding and ceil_mode say."""
        sizes = super().output_sizes(inputs)
        if any(kernel > size for kernel, size in zip(self.kernels(), inputs[0].shape[2:], strict=True)):
            raise ShapeError(
                "the kernel is larger than the input",
                expected=f"at most {'×'.join(map(str, inputs[0].shape[2:]))}",
                found="×".join(map(str, self.kernels())),
            )
        return sizes

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        return (None,)


AdaptiveSize = Size | tuple[Size | None, ...]


class AdaptivePool(OfImages):
    """Windows chosen so that the output has `output_size` m: o covers ⌊o·n/m⌋ up to, not with, ⌈(o+1)·n/m⌉."""

    prefix: ClassVar[str] = "pool"
    comes_out: ClassVar[Outcome] = "first"
    ndim: ClassVar[int]

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

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Down to one value a channel torch takes the mean, whose backward needs only sizes."""
        return () if prod(outputs[0].shape[2:]) == 1 else (INPUT,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """As `AvgPool`: one operation a value read, forward and backward."""
        return (Reduction(self.values_read(inputs, outputs), 1, {0: 1}, "mean of a window"),)


class AdaptiveAvgPool1d(AdaptiveAvgPool):
    type: Literal["adaptive_avg_pool1d"] = "adaptive_avg_pool1d"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "adaptive pooling"
    ndim: ClassVar[int] = 1
    fewest_axes: ClassVar[int] = 3
    ends_in_view: ClassVar[bool] = True

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        """Torch pools images of one row."""
        return True


class AdaptiveAvgPool2d(AdaptiveAvgPool):
    type: Literal["adaptive_avg_pool2d"] = "adaptive_avg_pool2d"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "adaptive pooling"
    ndim: ClassVar[int] = 2


class AdaptiveAvgPool3d(AdaptiveAvgPool):
    type: Literal["adaptive_avg_pool3d"] = "adaptive_avg_pool3d"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CPU
    time_class: ClassVar[TimeClass] = "adaptive pooling"
    ndim: ClassVar[int] = 3

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        return (None,)


class AdaptiveMaxPool(AdaptivePool):
    return_indices: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = (*inputs[0].shape[:2], *self.output_sizes(inputs))
        pooled = TensorType(shape, inputs[0].dtype)
        return (pooled, TensorType(shape, "int64")) if self.return_indices else (pooled,)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, kept_indices(outputs))

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        return Scratch(self.unkept(inputs, outputs, setting))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """One comparison a value read; backward, one addition an output."""
        return (
            Reduction(self.values_read(inputs, outputs), 1, {}, "maximum of a window"),
            Gather(outputs[0].numel, 0, {0: 1}, "gradient put back at the maximum"),
        )


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    type: Literal["adaptive_max_pool1d"] = "adaptive_max_pool1d"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "max pooling"
    ndim: ClassVar[int] = 1
    fewest_axes: ClassVar[int] = 3
    ends_in_view: ClassVar[bool] = True

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        """Torch pools images of one row."""
        return True


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    type: Literal["adaptive_max_pool2d"] = "adaptive_max_pool2d"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "max pooling"
    ndim: ClassVar[int] = 2


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    type: Literal["adaptive_max_pool3d"] = "adaptive_max_pool3d"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CPU
    time_class: ClassVar[TimeClass] = "max pooling"
    ndim: ClassVar[int] = 3

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        return (None,) * len(outputs)
