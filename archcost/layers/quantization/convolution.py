"""Convolutions of integers."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.layers.base import Weight
from archcost.layers.checks import SPATIAL, require_rank
from archcost.layers.convolution.conv import Convolution
from archcost.layers.fields import Flag
from archcost.layers.quantization.scaling import CodeDtype
from archcost.layers.quantization.weights import PerChannel, product_card, require_integers, scaled
from archcost.layers.rules import Autograd, Call, Placement, Precision, Quirk, own_storage
from archcost.layers.twins import twins
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Device
from archcost.terms.expressions import Step
from archcost.work import Contraction, Elementwise, Work


class IntegerConvolution(PerChannel, Convolution):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A convolution of integers by integers: sums in int32, or scaled to 8 or 16 bits again (ConvInteger, QLinearConv).

    Sizes, weight and MACs are those of the convolution of floats. The weight is of `weight_dtype`, the bias of int32;
    `scale` and `zero_point` say that there is one of each for every output channel. Nothing has a gradient.
    """

    prefix: ClassVar[str] = "conv"
    quirks: ClassVar[frozenset[Quirk]] = frozenset()
    untouched: ClassVar[frozenset[int]] = frozenset({0})
    bias: Flag = False
    padding_mode: Literal["zeros"] = "zeros"  # pyright: ignore[reportIncompatibleVariableOverride]
    dtype: CodeDtype = "int32"

    def check_input(self, inputs: Tensors) -> None:
        require_rank(inputs[0], self.ndim + 2, f"(batch, channels, {', '.join(SPATIAL[self.ndim])})")
        require_integers(inputs)
        self.check_groups(inputs)

    def output_types(self, inputs: Tensors) -> Tensors:
        (result,) = super().output_types(inputs)
        return (TensorType(result.shape, self.dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        shape = (self.out_channels, inputs[0].shape[1] // self.groups, *self.kernels())
        return self.own_weights(shape, self.out_channels, self.bias)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        (product, *_) = super().work(inputs, outputs)
        added = (Elementwise(outputs[0].numel, 1, {}, "bias added"),) if self.bias else ()
        return (Contraction(product.macs, (), inputs[0].dtype), *added, *scaled(outputs[0]))

    def autograd(self, call: Call) -> Autograd:
        """Integers have no gradient."""
        return Autograd((), (None,))

    def placement(self, call: Call) -> Placement:
        return own_storage(call)

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        return Precision("as given", self.card.promotion, 1)

    def parameter_step(self, inputs: Tensors) -> Step:
        """A kernel for each output channel, and its bias, scale and zero point."""
        step = super().parameter_step(inputs)
        more = f" + {self.per_channel}*C_out" if self.per_channel else ""
        return Step(step.quantity, f"{step.formula}{more}", step.values)


IntegerConv1d, IntegerConv2d, IntegerConv3d = twins(
    __name__, IntegerConvolution, "IntegerConv", lambda name, ndim: product_card("convolution")
)
