"""Dropout, of single values and of whole channels."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.layers.base import Flag, require_floating, require_images
from archcost.layers.dtypes import AS_GIVEN, Autocast, Outcome
from archcost.layers.memory_order import ValueByValue
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Gradient, Own, Saved, Scratch, Setting
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Work


class Dropping(ValueByValue):
    """In training something is dropped with probability p."""

    prefix: ClassVar[str] = "dropout"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "dropout"
    comes_out: ClassVar[Outcome] = "first"
    p: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.5
    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return inputs

    def drops(self, setting: Setting) -> bool:
        """Otherwise the output is the input itself."""
        return setting.training and self.p > 0

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """A mask. Where p is 1, a single zero (aten/src/ATen/native/Dropout.cpp)."""
        if not self.drops(setting):
            return ()
        if self.p == 1:
            return (Own("zero", TensorType((), inputs[0].dtype)),)
        return (self.mask(inputs[0], setting),)

    def mask(self, source: TensorType, setting: Setting) -> Own:
        """What a value is multiplied with."""
        return Own("mask", source)

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (None,) if self.drops(setting) and not self.inplace else (0,)

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace and self.drops(setting)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return inputs if self.drops(setting) else (PASSED_ON,)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The mask is drawn whether or not backward will want it."""
        return Scratch(self.unkept(inputs, outputs, setting))


class Dropout(Dropping):
    """In training each value is dropped with probability p and the rest scaled by 1/(1 − p) (torch.nn.Dropout)."""

    type: Literal["dropout"] = "dropout"

    def mask(self, source: TensorType, setting: Setting) -> Own:
        """Of the input's dtype; of bool on CUDA, whose fused kernel torch takes unless in place or p is 1.

        (aten/src/ATen/native/Dropout.cpp)
        """
        fused = setting.device == "cuda" and not self.inplace
        return Own("mask", TensorType(source.shape, "bool") if fused else source)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Masked and scaled, 2 a value; backward a product with the scaled mask. Drawing the mask is not counted."""
        return (Elementwise(inputs[0].numel, 2, {0: 1}, "dropped"),)


class ChannelDropout(Dropping):
    """In training each channel of each sample is dropped as a whole, with probability p."""

    ndim: ClassVar[int]

    def output_types(self, inputs: Tensors) -> Tensors:
        require_images(inputs[0], self.ndim)
        return inputs

    def mask(self, source: TensorType, setting: Setting) -> Own:
        return Own("mask", TensorType((*source.shape[:2], *(1,) * self.ndim), source.dtype))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A product with 0 or 1/(1 − p), both ways. Drawing the mask is not counted."""
        return (Elementwise(inputs[0].numel, 1, {0: 1}, "dropped"),)


class Dropout1d(ChannelDropout):
    """In training each channel of each sample is dropped as a whole, with probability p (torch.nn.Dropout1d)."""

    type: Literal["dropout1d"] = "dropout1d"
    ndim: ClassVar[int] = 1


class Dropout2d(ChannelDropout):
    """In training each channel of each sample is dropped as a whole, with probability p (torch.nn.Dropout2d)."""

    type: Literal["dropout2d"] = "dropout2d"
    ndim: ClassVar[int] = 2


class Dropout3d(ChannelDropout):
    """In training each channel of each sample is dropped as a whole, with probability p (torch.nn.Dropout3d)."""

    type: Literal["dropout3d"] = "dropout3d"
    ndim: ClassVar[int] = 3


class AlphaDropout(Dropping):
    """In training a value is set to selu's least with probability p, and all are scaled and shifted.

    torch.nn.AlphaDropout.
    """

    type: Literal["alpha_dropout"] = "alpha_dropout"

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The shift of each value, made of the mask."""
        own = super().scratch(inputs, outputs, setting)
        shifts = (Own("shifts", inputs[0]),) if self.drops(setting) and self.p < 1 else ()
        return Scratch((*own.forward, *shifts))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A product and a sum; back the product. Drawing the mask and what is made of it are not counted."""
        return (Elementwise(inputs[0].numel, 2, {0: 1}, "dropped"),)
