"""Convolutions and transposed convolutions in one, two and three dimensions."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Weight, WeightedLayer
from archcost.layers.card import Card
from archcost.layers.checks import per_axis, require_images, require_positive
from archcost.layers.convolution.circular_padding import circular_backward
from archcost.layers.dtypes import IN_16_BITS, IN_FLOAT32_ON_CPU
from archcost.layers.fields import Counts, Flag, Size, Sizes, WeightReference
from archcost.layers.memory_order import of_images
from archcost.layers.rules import Autograd, Call, Placement, Precision, Quirk, Timing, own_storage
from archcost.layers.symbols import AXES, left_over, product
from archcost.layers.twins import twins
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Device, Own, Stored, excess
from archcost.terms.expressions import Step
from archcost.terms.memory_format import is_channels_last, is_row_major
from archcost.terms.time_classes import TimeClass, is_unaligned
from archcost.terms.windows import Rules, Window
from archcost.work import Contraction, Elementwise, Work

Padding = Counts | Literal["same", "valid"]

STEM_CHANNELS = 4
"""Up to so many channels go in where images do: too few to fill a matrix unit."""

WIDE, MANY = 64, 32
"""Channels of a group, and groups, from which on libraries have other kernels."""


def card(name: str, time: TimeClass) -> Card:
    """On a GPU it is cuDNN that computes them, not BLAS."""
    return Card(
        torch=f"nn.{name}",
        calls=(),
        onnx=None,
        autocast=IN_16_BITS,
        promotion="first",
        fvcore="macs",
        time=time,
        blas=False,
    )


class Kernel(WeightedLayer):
    """What a convolution and a transposed convolution share: a kernel slid over `ndim` axes, in groups."""

    ndim: ClassVar[int]
    positional: ClassVar[tuple[str, ...]] = ("out_channels", "kernel_size")

    out_channels: Size
    kernel_size: Sizes
    stride: Sizes = 1
    groups: Size = 1
    bias: Flag = True
    dilation: Sizes = 1
    weight: WeightReference | None = None

    @property
    def shared_weight(self) -> str | None:
        return self.weight

    def kernels(self) -> tuple[int, ...]:
        return per_axis(self.kernel_size, self.ndim, "kernel_size")

    def strides(self) -> tuple[int, ...]:
        return per_axis(self.stride, self.ndim, "stride")

    def dilations(self) -> tuple[int, ...]:
        return per_axis(self.dilation, self.ndim, "dilation")

    def check_input(self, inputs: Tensors) -> None:
        require_images(inputs[0], self.ndim)
        self.check_groups(inputs)

    def check_groups(self, inputs: Tensors) -> None:
        for field, channels in (("input channels", inputs[0].shape[1]), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise ShapeError(
                    f"{field} cannot be cut into {self.groups} groups",
                    expected=f"a multiple of {self.groups}",
                    found=str(channels),
                )

    def bias_weights(self) -> tuple[Weight, ...]:
        return (Weight("bias", (self.out_channels,)),) if self.bias else ()

    def bias_work(self, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, 1, {"bias": 1}, "bias added"),) if self.bias else ()

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """By kernels, and the values under one: positions are always many. Of groups the channels of each, out and in,
        unless they are single.
        """
        first, second, *taps = self.weights(inputs)[0].shape
        if self.groups == 1:
            return Timing(self.card.time, (first, second * prod(taps)))
        return Timing(self.card.time, (first // self.groups, second) if second > 1 else ())

    def autograd(self, call: Call) -> Autograd:
        """Both operands of the product are kept, whichever gradient is needed."""
        turned = self.is_weight_turned(call)
        return Autograd((INPUT, Stored("weight")), call.inputs, turns_weight_gradient=turned)

    def is_weight_turned(self, call: Call) -> bool:
        """Whether the gradient of the weight has its channels last, as the images have them."""
        _, channels, *kernel = self.weights(call.inputs)[0].shape
        images = self.ndim > 1 and is_channels_last(call.source.shape, call.layout)
        return images and channels > 1 and prod(kernel) > 1

    def placement(self, call: Call) -> Placement:
        """Torch works on images; what is none it first makes row-major."""
        is_copied = self.ndim == 1 and not is_row_major(call.source.shape, call.layout)
        return own_storage(call) if is_copied else of_images(call, fewest_axes=3)

    def parameter_step(self, inputs: Tensors) -> Step:
        """(k·C_in/g + 1)·C_out. Every kernel reads all the channels of its group; one bias an output channel."""
        kernel = product("k", self.ndim)
        group = "/g" if self.groups > 1 else ""
        one = " + 1" if self.bias else ""
        formula = f"({kernel}*C_in{group}{one})*C_out" if self.bias else f"{kernel}*C_in{group}*C_out"
        return Step("parameters", formula, self.symbols(inputs, inputs))

    def symbols(self, inputs: Tensors, outputs: Tensors) -> dict[str, Any]:
        """The values of every letter the formulas below use."""
        (batch, channels, *size_in), (_, _, *size_out) = inputs[0].shape, outputs[0].shape
        values: dict[str, Any] = {"B": batch, "C_in": channels, "C_out": self.out_channels, "g": self.groups}
        columns = zip(AXES[self.ndim], size_in, size_out, self.kernels(), self.strides(), self.dilations(), strict=True)
        for axis, before, after, kernel, stride, dilation in columns:
            values |= {f"{axis}_in": before, f"{axis}_out": after, f"k_{axis}": kernel}
            values |= {f"s_{axis}": stride, f"d_{axis}": dilation}
        return values


class Convolution(Kernel):
    """Output size ⌊(H + 2p − d(k−1) − 1)/s⌋ + 1; weight (C_out, C_in/g, k…); MACs output·C_in/g·k (torch.nn.Conv2d)."""

    prefix: ClassVar[str] = "conv"
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed", "stops early"])

    padding: Padding = 0
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        return super().timing(inputs, outputs)._replace(time_class=self._time_class(inputs))

    def _time_class(self, inputs: Tensors) -> TimeClass:
        """By what its kernels do: channel by channel, few channels in, one position, or three by three."""
        channels = inputs[0].shape[1]
        strides = self.strides()
        if self.groups > 1:
            if self.groups == channels:
                if max(self.kernels()) > 3:
                    return "depthwise wide"
                return "depthwise" if set(strides) == {1} else "depthwise strided"
            if channels // self.groups >= WIDE:
                return "wide grouped convolution"
            return "many-grouped convolution" if self.groups >= MANY else "grouped convolution"
        if channels <= STEM_CHANNELS:
            return "stem"
        if is_unaligned(inputs[0].dtype, channels, self.out_channels):
            return "unaligned convolution"
        if set(self.kernels()) == {1}:
            return "convolution 1x1"
        if self.kernels() == (3, 3) and set(strides) == {1}:
            return "convolution 3x3"
        return "convolution"

    def paddings(self) -> tuple[tuple[int, int], ...]:
        """Before and after, an axis. `same` puts the odd one after, as torch does."""
        if self.padding == "valid":
            return ((0, 0),) * self.ndim
        if self.padding == "same":
            if set(self.strides()) != {1}:
                raise ShapeError("padding: same needs stride 1", expected="stride: 1", found=f"stride: {self.stride}")
            totals = [d * (k - 1) for k, d in zip(self.kernels(), self.dilations(), strict=True)]
            return tuple((total // 2, total - total // 2) for total in totals)
        assert not isinstance(self.padding, str)
        return tuple((p, p) for p in per_axis(self.padding, self.ndim, "padding"))

    def output_types(self, inputs: Tensors) -> Tensors:
        self.check_input(inputs)
        batch, _, *sizes = inputs[0].shape
        self._check_padding_mode(tuple(sizes))
        columns = zip(sizes, self.kernels(), self.strides(), self.paddings(), self.dilations(), strict=True)
        # Floor division of a negative number still gives a size below 1, so the check catches both.
        out = tuple((n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in columns)
        require_positive(out, inputs, "a smaller kernel_size, stride or dilation, or more padding")
        return (TensorType((batch, self.out_channels, *out), inputs[0].dtype),)

    def _check_padding_mode(self, sizes: tuple[int, ...]) -> None:
        if self.padding_mode not in ("reflect", "circular"):
            return
        for size, pads in zip(sizes, self.paddings(), strict=True):
            most = size - 1 if self.padding_mode == "reflect" else size
            if max(pads) > most:
                raise ShapeError(
                    f"padding_mode: {self.padding_mode} cannot pad so far",
                    expected=f"padding of at most {most} for an axis of {size}",
                    found=str(max(pads)),
                )

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        shape = (self.out_channels, inputs[0].shape[1] // self.groups, *self.kernels())
        return (Weight("weight", shape), *self.bias_weights())

    def autograd(self, call: Call) -> Autograd:
        """Torch pads by a copy what its convolution cannot: with other values than zeros, or unevenly.

        The gradient of a reflected or replicated border is worked out from the input, which is then kept too.
        """
        padded = self._padded(call.source)
        if self.padding_mode == "zeros" and padded == call.source:
            return super().autograd(call)
        copy = Own("padded input", TensorType(padded.shape, call.result.dtype))
        is_read = self.padding_mode in ("reflect", "replicate") and call.needs(0)
        return Autograd(
            (*((INPUT,) if is_read else ()), copy, Stored("weight")),
            call.inputs,
            (Own("padded input before its cast", padded),) if padded.dtype != call.result.dtype else (),
            self._gradients_of_the_copy(call, padded) if call.needs(0) else (),
            saves_for_nobody=True,
            turns_weight_gradient=self.is_weight_turned(call),
        )

    def _gradients_of_the_copy(self, call: Call, padded: TensorType) -> tuple[Own, ...]:
        """The padded input's gradient, which is larger than the input's; under autocast in both dtypes."""
        source, result = call.source, call.result
        if padded.dtype != result.dtype:
            narrow = TensorType(padded.shape, result.dtype).nbytes
            worst = max(narrow, padded.nbytes - result.nbytes) - source.nbytes
            return excess("gradients of the padded input", worst, "uint8")
        more = padded.numel - source.numel
        if self.padding_mode == "circular":
            more = max(more, circular_backward(source, self.paddings()) - result.numel)
        return excess("gradient of the padded input", more, source.dtype)

    def is_weight_turned(self, call: Call) -> bool:
        return super().is_weight_turned(call) and self.padding_mode != "circular"

    def placement(self, call: Call) -> Placement:
        """Circular padding is written row by row."""
        return own_storage(call) if self.padding_mode == "circular" else super().placement(call)

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """Torch pads, and then casts the padded copy. The CPU's list has no reflection_pad3d (see Pad)."""
        given = super().precision(inputs, device)
        if self.padding_mode == "zeros":
            return given
        is_listed = self.padding_mode == "replicate" or (self.padding_mode == "reflect" and self.ndim < 3)
        return given._replace(before=IN_FLOAT32_ON_CPU.on(device) if is_listed else "as given")

    def _padded(self, source: TensorType) -> TensorType:
        """The copy that torch pads; of zeros, only what the far sides have more than the near ones."""
        pads = self.paddings()
        added = [after - before if self.padding_mode == "zeros" else before + after for before, after in pads]
        sizes = (size + more for size, more in zip(source.shape[2:], added, strict=True))
        return TensorType((*source.shape[:2], *sizes), source.dtype)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        products = inputs[0].shape[1] // self.groups * prod(self.kernels())
        return (Contraction(outputs[0].numel * products), *self.bias_work(outputs))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        columns = zip(self.kernels(), self.strides(), self.paddings(), self.dilations(), strict=True)
        return tuple(Window.sliding(k, s, before, d) for k, s, (before, _), d in columns)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = self.symbols(inputs, outputs)
        sizes: list[Step] = []
        for axis, (before, after) in zip(AXES[self.ndim], self.paddings(), strict=True):
            values |= {f"p_{axis}": before, f"q_{axis}": after}
            pad = f"2*p_{axis}" if before == after else f"p_{axis} + q_{axis}"
            formula = f"({axis}_in + {pad} - d_{axis}*(k_{axis} - 1) - 1)//s_{axis} + 1"
            span = values[f"{axis}_in"] + before + after - values[f"d_{axis}"] * (values[f"k_{axis}"] - 1) - 1
            sizes.append(Step(f"output {axis}", formula, values, left_over(span, values[f"s_{axis}"])))
        group = "/g" if self.groups > 1 else ""
        macs = f"B*C_out*{product('', self.ndim, '_out')}*C_in{group}*{product('k', self.ndim)}"
        note = "every output value is one sum of C_in·k products"
        return (*sizes, self.parameter_step(inputs), Step("MACs", macs, values, note))


Conv1d, Conv2d, Conv3d = twins(__name__, Convolution, "Conv", lambda name, ndim: card(name, "convolution"))


class TransposedConvolution(Kernel):
    """Output size (H−1)s − 2p + d(k−1) + output_padding + 1; weight (C_in, C_out/g, k…).

    MACs input·C_out/g·k: every *input* value is multiplied by every kernel value, so counting on the
    output side would be s² times too much (torch.nn.ConvTranspose2d).
    """

    prefix: ClassVar[str] = "conv_transpose"

    padding: Counts = 0
    output_padding: Counts = 0

    def paddings(self) -> tuple[int, ...]:
        return per_axis(self.padding, self.ndim, "padding")

    def output_paddings(self) -> tuple[int, ...]:
        return per_axis(self.output_padding, self.ndim, "output_padding")

    def output_types(self, inputs: Tensors) -> Tensors:
        self.check_input(inputs)
        columns = zip(
            inputs[0].shape[2:],
            self.kernels(),
            self.strides(),
            self.paddings(),
            self.output_paddings(),
            self.dilations(),
            strict=True,
        )
        sizes: list[int] = []
        for n, k, s, p, extra, d in columns:
            if extra >= max(s, d):
                raise ShapeError(
                    "output_padding is too large",
                    expected=f"less than stride or dilation, so at most {max(s, d) - 1}",
                    found=str(extra),
                )
            sizes.append((n - 1) * s - 2 * p + d * (k - 1) + extra + 1)
        require_positive(tuple(sizes), inputs, "less padding, or a larger kernel_size or stride")
        return (TensorType((inputs[0].shape[0], self.out_channels, *sizes), inputs[0].dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        shape = (inputs[0].shape[1], self.out_channels // self.groups, *self.kernels())
        return (Weight("weight", shape), *self.bias_weights())

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        products = self.out_channels // self.groups * prod(self.kernels())
        return (Contraction(inputs[0].numel * products), *self.bias_work(outputs))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        columns = zip(self.kernels(), self.strides(), self.paddings(), self.dilations(), strict=True)
        return tuple(Window.spreading(k, s, p, d) for k, s, p, d in columns)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = self.symbols(inputs, outputs)
        sizes: list[Step] = []
        for axis, padding, extra in zip(AXES[self.ndim], self.paddings(), self.output_paddings(), strict=True):
            values |= {f"p_{axis}": padding, f"o_{axis}": extra}
            formula = f"({axis}_in - 1)*s_{axis} - 2*p_{axis} + d_{axis}*(k_{axis} - 1) + o_{axis} + 1"
            sizes.append(Step(f"output {axis}", formula, values))
        group = "/g" if self.groups > 1 else ""
        macs = f"B*C_in*{product('', self.ndim, '_in')}*C_out{group}*{product('k', self.ndim)}"
        note = "every input value meets every kernel value of its group: counted on the input side"
        return (*sizes, self.parameter_step(inputs), Step("MACs", macs, values, note))


ConvTranspose1d, ConvTranspose2d, ConvTranspose3d = twins(
    __name__, TransposedConvolution, "ConvTranspose", lambda name, ndim: card(name, "transposed convolution")
)
