"""Deformable convolutions: each value of a kernel is taken at a place of its own, between the values of the image."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Weight
from archcost.layers.card import Card
from archcost.layers.checks import per_axis, require_positive
from archcost.layers.convolution.conv import Kernel
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.fields import Counts
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.layers.symbols import product
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Input, Own, Saved, Stored, beyond
from archcost.terms.expressions import Step
from archcost.terms.windows import WHOLE, Rules
from archcost.work import Contraction, Elementwise, Operand, Reduction, Shared, Work

MOST_AT_ONCE = 32
"""Images whose columns are made at once (kMaxParallelImgs)."""


class DeformConv2d(Kernel):
    """A convolution whose kernel values are taken at places that the second input shifts (torchvision's DeformConv2d;
    Dai et al. 2017, Zhu et al. 2019).

    Inputs: images (B, C, H, W), offsets (B, 2·g·k, H_out, W_out) for g groups of channels, and perhaps a mask
    (B, g·k, H_out, W_out). Each column value is weighed of four neighbours (4 products, 3 additions) and multiplied
    with the mask; then the product, MACs output·C_in/groups·k. Backward has that product once for images, offsets and
    mask, and once for the weight.
    """

    type: Literal["deform_conv2d"] = "deform_conv2d"
    prefix: ClassVar[str] = "conv"
    arity: ClassVar[Arity] = Arity(2, 3)
    ndim: ClassVar[int] = 2
    card: ClassVar[Card] = Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=AS_GIVEN,
        promotion="first",
        fvcore="macs",
        time="convolution",
        blas=False,
    )
    padding: Counts = 0

    def output_types(self, inputs: Tensors) -> Tensors:
        images, offsets, *masks = inputs
        self.check_input(inputs)
        paddings = per_axis(self.padding, 2, "padding")
        columns = zip(images.shape[2:], self.kernels(), self.strides(), paddings, self.dilations(), strict=True)
        sizes = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in columns)
        require_positive(sizes, inputs, "a smaller kernel_size, stride or dilation, or more padding")
        taps = prod(self.kernels())
        groups, rest = divmod(offsets.shape[1], 2 * taps) if offsets.rank == 4 else (0, 1)
        if rest or not groups or images.shape[1] % groups:
            raise ShapeError(
                "offsets need two channels for each value of the kernel",
                expected=f"a multiple of {2 * taps} channels, for groups that divide {images.shape[1]}",
                found=str(offsets),
            )
        given = zip((offsets, *masks), (2, 1), strict=False)
        for index, (tensor, each) in enumerate(given, 2):
            wanted = TensorType((images.shape[0], each * groups * taps, *sizes), images.dtype)
            if tensor != wanted:
                raise ShapeError(f"input {index} does not suit the output", expected=str(wanted), found=str(tensor))
        return (TensorType((images.shape[0], self.out_channels, *sizes), images.dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        shape = (self.out_channels, inputs[0].shape[1] // self.groups, *self.kernels())
        return (Weight("weight", shape), *self.bias_weights())

    def columns(self, inputs: Tensors, outputs: Tensors) -> int:
        """Values of the kernel's patches, for an image."""
        return inputs[0].shape[1] * prod(self.kernels()) * prod(outputs[0].shape[2:])

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Backward of a column value: 4 products and additions for the image, twice 4·3 for the two offsets, and for
        the mask the value once more, a product and an addition.
        """
        sampled, masked = self.columns(inputs, outputs) * inputs[0].shape[0], len(inputs) > 2
        gradients: dict[Operand, int] = {0: 8, 1: 24}
        if masked:
            gradients = {0: 9, 1: 25, 2: 9}
        macs = outputs[0].numel * (inputs[0].shape[1] // self.groups) * prod(self.kernels())
        return (
            Reduction(sampled, 7 + masked, gradients, "values between those of the image"),
            Contraction(macs, ("weight",)),
            Shared(Contraction(macs), tuple(range(len(inputs))), "gradient of the columns"),
            Elementwise(outputs[0].numel, 1, {"bias": 1} if self.bias else {}, "bias added"),
        )

    def autograd(self, call: Call) -> Autograd:
        """All that arrives is kept, and zeros in place of a mask and a bias that there are not. Columns are made for
        some images at once, in forward and twice in backward. The output lies in a buffer and in order before a bias
        is added; all gradients are made, wanted or not (torchvision/csrc/ops/cpu/deform_conv2d_kernel.cpp, and cuda).
        """
        (images, offsets, *masks), result = call.inputs, call.result
        weight = TensorType(self.weights(call.inputs)[0].shape, images.dtype)
        bias = TensorType((self.out_channels,), images.dtype)
        saved: list[Saved] = [*[Input(index) for index in range(len(call.inputs))], Stored("weight")]
        mask = masks[0] if masks else TensorType((images.shape[0], 1), images.dtype)
        if not masks:
            saved.append(Own("zeros in place of a mask", mask))
        saved.append(Stored("bias") if self.bias else Own("zeros in place of a bias", bias))
        at_once = max(n for n in range(1, MOST_AT_ONCE + 1) if images.shape[0] % n == 0)
        columns = TensorType((at_once * self.columns(call.inputs, call.outputs),), images.dtype)
        alive = (images, offsets, mask, weight, result, columns)
        given = [tensor for index, tensor in enumerate(call.inputs) if call.needs(index)]
        given += [tensor for name, tensor in (("weight", weight), ("bias", bias)) if call.needs(name)]
        return Autograd(
            tuple(saved),
            call.inputs,
            (Own("columns", columns), Own("output in a buffer", result), Own("output without bias", result)),
            beyond("columns and other gradients", alive, tuple(given)),
            saves_for_nobody=True,
        )

    def placement(self, call: Call) -> Placement:
        return own_storage(call)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        """Offsets may point anywhere."""
        return (WHOLE, WHOLE)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = self.symbols(inputs, outputs)
        group = "/g" if self.groups > 1 else ""
        macs = f"B*C_out*{product('', 2, '_out')}*C_in{group}*{product('k', 2)}"
        sizes = [
            Step(f"output {axis}", axis, {axis: size}, "as a convolution's")
            for axis, size in zip("HW", outputs[0].shape[2:], strict=True)
        ]
        note = "every output value is one sum of C_in·k products"
        return (*sizes, self.parameter_step(inputs), Step("MACs", macs, values, note))
