"""Dropout, of single values and of whole channels. Drawing a mask, and what is made of it, is not counted."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.layers.base import Layer
from archcost.layers.card import Card
from archcost.layers.checks import require_floating, require_images
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.fields import Flag
from archcost.layers.memory_order import value_by_value
from archcost.layers.rules import Autograd, Call, Placement
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Own, Setting
from archcost.work import Elementwise, Work


def card(module: str) -> Card:
    return Card(
        torch=f"nn.{module}",
        calls=(),
        onnx=None,
        autocast=AS_GIVEN,
        promotion="first",
        fvcore="nothing",
        time="dropout",
        blas=False,
    )


class Dropping(Layer):
    """In training something is dropped with probability p; else the output is the input itself."""

    prefix: ClassVar[str] = "dropout"
    positional: ClassVar[tuple[str, ...]] = ("p",)
    operations: ClassVar[int]
    """A value, forward. Backward it is a product with the mask."""
    p: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.5
    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return inputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(inputs[0].numel, self.operations, {0: 1}, "dropped"),)

    def drops(self, setting: Setting) -> bool:
        return setting.training and self.p > 0

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace and self.drops(setting)

    def placement(self, call: Call) -> Placement:
        is_new = self.drops(call.setting) and not self.inplace
        return value_by_value(call, None if is_new else 0)

    def autograd(self, call: Call) -> Autograd:
        """The mask is drawn whether or not backward will want it. Where p is 1 it is a single zero
        (aten/src/ATen/native/Dropout.cpp).
        """
        if not self.drops(call.setting):
            return Autograd((), (PASSED_ON,))
        if self.p == 1:
            zero = Own("zero", TensorType((), call.source.dtype))
            return Autograd((zero,), call.inputs, saves_for_nobody=True)
        mask = Own("mask", self.mask(call))
        return Autograd((mask,), call.inputs, forward=self.made_of_mask(call), saves_for_nobody=True)

    def mask(self, call: Call) -> TensorType:
        """What a value is multiplied with."""
        return call.source

    def made_of_mask(self, call: Call) -> tuple[Own, ...]:
        return ()


class Dropout(Dropping):
    """In training each value is dropped with probability p and the rest scaled by 1/(1 − p) (torch.nn.Dropout).

    Masked and scaled, 2 a value; backward a product with the scaled mask.
    """

    type: Literal["dropout"] = "dropout"
    card: ClassVar[Card] = card("Dropout")
    operations: ClassVar[int] = 2

    def mask(self, call: Call) -> TensorType:
        """Of the input's dtype; of bool on CUDA, whose fused kernel torch takes unless in place or p is 1.

        (aten/src/ATen/native/Dropout.cpp)
        """
        is_fused = call.setting.device == "cuda" and not self.inplace
        return TensorType(call.source.shape, "bool") if is_fused else call.source


class ChannelDropout(Dropping):
    """A product with 0 or 1/(1 − p) a channel of a sample, both ways."""

    operations: ClassVar[int] = 1
    ndim: ClassVar[int]

    def output_types(self, inputs: Tensors) -> Tensors:
        require_images(inputs[0], self.ndim)
        return inputs

    def mask(self, call: Call) -> TensorType:
        return TensorType((*call.source.shape[:2], *(1,) * self.ndim), call.source.dtype)


class Dropout1d(ChannelDropout):
    """In training each channel of each sample is dropped as a whole, with probability p (torch.nn.Dropout1d).

    A product with 0 or 1/(1 − p), both ways.
    """

    type: Literal["dropout1d"] = "dropout1d"
    card: ClassVar[Card] = card("Dropout1d")
    ndim: ClassVar[int] = 1


class Dropout2d(ChannelDropout):
    """In training each channel of each sample is dropped as a whole, with probability p (torch.nn.Dropout2d).

    A product with 0 or 1/(1 − p), both ways.
    """

    type: Literal["dropout2d"] = "dropout2d"
    card: ClassVar[Card] = card("Dropout2d")
    ndim: ClassVar[int] = 2


class Dropout3d(ChannelDropout):
    """In training each channel of each sample is dropped as a whole, with probability p (torch.nn.Dropout3d).

    A product with 0 or 1/(1 − p), both ways.
    """

    type: Literal["dropout3d"] = "dropout3d"
    card: ClassVar[Card] = card("Dropout3d")
    ndim: ClassVar[int] = 3


class AlphaDropout(Dropping):
    """In training a value is set to selu's least with probability p, and all are scaled and shifted.

    A product and a sum, backward the product (torch.nn.AlphaDropout).
    """

    type: Literal["alpha_dropout"] = "alpha_dropout"
    card: ClassVar[Card] = card("AlphaDropout")
    operations: ClassVar[int] = 2

    def made_of_mask(self, call: Call) -> tuple[Own, ...]:
        """The shift of each value."""
        return (Own("shifts", call.source),)
