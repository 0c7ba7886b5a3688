"""Dropout."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.layers.base import Flag, Layer, require_floating
from archcost.tensors import Tensors
from archcost.work import Elementwise, Work


class Dropout(Layer):
    """In training each value is dropped with probability p and the rest scaled by 1/(1 − p) (torch.nn.Dropout)."""

    type: Literal["dropout"] = "dropout"
    prefix: ClassVar[str] = "dropout"
    p: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.5
    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return inputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Masked and scaled, 2 a value; backward a product with the scaled mask. Drawing the mask is not counted."""
        return (Elementwise(inputs[0].numel, 2, {0: 1}, "dropped"),)
