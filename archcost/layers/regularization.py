"""Dropout."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.keeping import PASSED_ON, Gradient, Own, Saved, Scratch, Setting
from archcost.layers.base import Flag, require_floating
from archcost.layers.order import ValueByValue
from archcost.tensors import Tensors, TensorType
from archcost.work import Elementwise, Work


class Dropout(ValueByValue):
    """In training each value is dropped with probability p and the rest scaled by 1/(1 − p) (torch.nn.Dropout)."""

    type: Literal["dropout"] = "dropout"
    prefix: ClassVar[str] = "dropout"
    p: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.5
    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return inputs

    def drops(self, setting: Setting) -> bool:
        """Otherwise the output is the input itself."""
        return setting.training and self.p > 0

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """A mask of the input's dtype; of bool on CUDA, whose fused kernel torch takes unless in place or p is 1.

        Where p is 1, a single zero. (aten/src/ATen/native/Dropout.cpp)
        """
        if not self.drops(setting):
            return ()
        if self.p == 1:
            return (Own("zero", TensorType((), inputs[0].dtype)),)
        fused = setting.device == "cuda" and not self.inplace
        return (Own("mask", TensorType(inputs[0].shape, "bool") if fused else inputs[0]),)

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (None,) if self.drops(setting) and not self.inplace else (0,)

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace and self.drops(setting)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return inputs if self.drops(setting) else (PASSED_ON,)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The mask is drawn whether or not backward will want it."""
        return Scratch(self.unkept(inputs, outputs, setting))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Masked and scaled, 2 a value; backward a product with the scaled mask. Drawing the mask is not counted."""
        return (Elementwise(inputs[0].numel, 2, {0: 1}, "dropped"),)
