"""Convolutions whose kernels are computed: for each sample other ones, with the samples folded into the channels."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card
from archcost.layers.checks import require_images
from archcost.layers.convolution.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    Convolution,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Kernel,
    Padding,
    TransposedConvolution,
)
from archcost.layers.dtypes import IN_16_BITS
from archcost.layers.fields import Counts, Size, Sizes
from archcost.layers.rules import Autograd, Call, Placement, Quirk, Timing, own_storage
from archcost.layers.twins import twins
from archcost.tensors import Tensors
from archcost.terms.autograd import Input, Own, Saved, Stored
from archcost.terms.expressions import Step
from archcost.terms.memory_format import channels_last, is_channels_last
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import Rules
from archcost.work import Contraction, Elementwise, Work

OPERANDS = {"weight": 1, "bias": 2}
"""Which input stands for which weight of the convolution that it is."""


def card(time: TimeClass) -> Card:
    return Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=IN_16_BITS,
        promotion="first",
        fvcore="macs",
        time=time,
        blas=False,
    )


class Dynamic(Layer):
    """A convolution whose kernels and bias are inputs. For these it is one with weights, whose rules are its own."""

    arity: ClassVar[Arity] = Arity(2, 3)
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed", "stops early"])
    ndim: ClassVar[int]

    stride: Sizes = 1
    dilation: Sizes = 1

    def plain(self, inputs: Tensors) -> Kernel:
        """The convolution with as many weights. Raises ShapeError where the kernels do not suit."""
        raise NotImplementedError

    def check(self, inputs: Tensors) -> None:
        x, kernels, *_ = inputs
        require_images(x, self.ndim)
        if kernels.rank != self.ndim + 2 or kernels.dtype != x.dtype:
            raise ShapeError(
                "the second input must be kernels",
                expected=f"{self.ndim + 2} axes of {x.dtype}: channels out, channels in of a group, sizes",
                found=str(kernels),
            )

    def output_types(self, inputs: Tensors) -> Tensors:
        plain = self.plain(inputs)
        outputs = plain.output_types(inputs[:1])
        wanted = plain.weights(inputs[:1])
        for index, (weight, given) in enumerate(zip(wanted, inputs[1:], strict=True), 2):
            if given.shape != weight.shape or given.dtype != inputs[0].dtype:
                raise ShapeError(
                    f"input {index} does not suit as {weight.name}",
                    expected=f"{'×'.join(map(str, weight.shape))} {inputs[0].dtype}",
                    found=str(given),
                )
        return outputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """As the convolution's, its weights being inputs."""
        made: list[Work] = []
        for part in self.plain(inputs).work(inputs[:1], outputs):
            if isinstance(part, Contraction):
                made.append(Contraction(part.macs, (0, 1)))
            elif isinstance(part, Elementwise):
                made.append(part._replace(gradients={OPERANDS[str(name)]: n for name, n in part.gradients.items()}))
        return tuple(made)

    def autograd(self, call: Call) -> Autograd:
        """The CPU has one kernel for the gradients of kernels and bias (mkldnn/Conv.cpp)."""
        setting = replace(call.setting, layouts=call.setting.layouts[:1], needs=call.setting.needs & {0})
        found = self.plain(call.inputs).autograd(Call(call.inputs[:1], call.outputs, setting))
        made = found.backward
        if call.needs(2) and not call.needs(1):
            made += (Own("gradient of the kernels", call.inputs[1]),)
        saved = tuple(map(as_input, found.saved))
        return replace(found, saved=saved, gradients=call.inputs, backward=made, turns_weight_gradient=False)

    def placement(self, call: Call) -> Placement:
        """Kernels whose channels come last turn the result as an image does."""
        if is_channels_last(call.inputs[1].shape, call.setting.layout(1)):
            return own_storage(call, (channels_last(call.result.shape),))
        return self.plain(call.inputs).placement(
            Call(call.inputs[:1], call.outputs, replace(call.setting, layouts=call.setting.layouts[:1]))
        )

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        return self.plain(inputs).timing(inputs[:1], outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        return self.plain(inputs).windows(inputs[:1], outputs)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return tuple(
            [step for step in self.plain(inputs).working(inputs[:1], outputs) if step.quantity != "parameters"]
        )


def as_input(saved: Saved) -> Saved:
    return Input(OPERANDS[saved.name]) if isinstance(saved, Stored) else saved


class DynamicConvolution(Dynamic):
    """A convolution whose kernels are the second input (C_out, C_in/g, k…), and whose bias a third one.

    The groups follow: C_in over the channels that a kernel has. Kernels of each sample are B·g groups of an image
    (1, B·C_in, …), as StyleGAN2 and CondConv fold their samples into the channels. MACs output·C_in/g·k, and as many
    for the gradient of image and of kernels (torch.nn.functional.conv2d).
    """

    prefix: ClassVar[str] = "conv"
    padding: Padding = 0

    def plain(self, inputs: Tensors) -> Convolution:
        self.check(inputs)
        x, kernels, *bias = inputs
        if x.shape[1] % kernels.shape[1]:
            raise ShapeError(
                "kernels do not suit the image",
                expected=f"kernels of channels that divide {x.shape[1]}",
                found=str(kernels),
            )
        kind = (Conv1d, Conv2d, Conv3d)[self.ndim - 1]
        return kind(
            type=kind.model_fields["type"].default,
            out_channels=kernels.shape[0],
            kernel_size=kernels.shape[2:],
            stride=self.stride,
            groups=x.shape[1] // kernels.shape[1],
            bias=bool(bias),
            dilation=self.dilation,
            padding=self.padding,
        )


DynamicConv1d, DynamicConv2d, DynamicConv3d = twins(
    __name__, DynamicConvolution, "DynamicConv", lambda name, ndim: card("convolution")
)


class DynamicTransposedConvolution(Dynamic):
    """A transposed convolution whose kernels are the second input (C_in, C_out/g, k…), and whose bias a third one.

    `group_channels` is how many of the C_in channels are a group, so that g is C_in over it: kernels of each sample are
    B·g groups. MACs input·C_out/g·k, and as many for each gradient (torch.nn.functional.conv_transpose2d).
    """

    prefix: ClassVar[str] = "conv_transpose"
    group_channels: Size
    padding: Counts = 0
    output_padding: Counts = 0

    def plain(self, inputs: Tensors) -> TransposedConvolution:
        self.check(inputs)
        x, kernels, *bias = inputs
        if x.shape[1] % self.group_channels:
            raise ShapeError(
                "group_channels does not divide the channels",
                expected=f"a divisor of {x.shape[1]}",
                found=str(self.group_channels),
            )
        groups = x.shape[1] // self.group_channels
        kind = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)[self.ndim - 1]
        return kind(
            type=kind.model_fields["type"].default,
            out_channels=kernels.shape[1] * groups,
            kernel_size=kernels.shape[2:],
            stride=self.stride,
            groups=groups,
            bias=bool(bias),
            dilation=self.dilation,
            padding=self.padding,
            output_padding=self.output_padding,
        )


DynamicConvTranspose1d, DynamicConvTranspose2d, DynamicConvTranspose3d = twins(
    __name__,
    DynamicTransposedConvolution,
    "DynamicConvTranspose",
    lambda name, ndim: card("transposed convolution"),
)
