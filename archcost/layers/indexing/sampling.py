"""Images looked up at points."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card, onnx
from archcost.layers.checks import SPATIAL, require_floating
from archcost.layers.dtypes import Autocast
from archcost.layers.fields import Flag
from archcost.layers.indexing.gather import placing
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Input, Own
from archcost.terms.windows import WHOLE, Rules
from archcost.work import Gather, Operand, Reduction, Work

TAPS = {"bilinear": 2, "nearest": 1, "bicubic": 4}
"""Neighbours along each axis of which a value is made."""


class GridSample(Layer):
    """Images (B, C, H, W) looked up at the points of a grid (B, H_out, W_out, 2), whose sizes run from −1 to 1; volumes
    (B, C, D, H, W) at (B, D_out, H_out, W_out, 3) (torch.nn.functional.grid_sample).
    """

    type: Literal["grid_sample"] = "grid_sample"
    prefix: ClassVar[str] = "grid_sample"
    arity: ClassVar[Arity] = Arity(2, 2)
    card: ClassVar[Card] = placing(
        "functional.grid_sample",
        "grid_sample",
        operator=onnx("GridSample"),
        autocast=Autocast("float32", "widest"),
        time="interpolation",
        fvcore="samples",
    )
    mode: Literal["bilinear", "nearest", "bicubic"] = "bilinear"
    padding_mode: Literal["zeros", "border", "reflection"] = "zeros"
    align_corners: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        images, grid = inputs
        ndim = images.rank - 2
        if ndim not in (2, 3):
            raise ShapeError(
                "needs 4 or 5 axes", expected="(batch, channels, height, width), or with a depth", found=str(images)
            )
        if ndim == 3 and self.mode == "bicubic":
            raise ShapeError("mode bicubic is of images", expected="4 axes", found=str(images))
        require_floating(inputs)
        suits = grid.rank == images.rank and grid.shape[0] == images.shape[0] and grid.shape[-1] == ndim
        if not suits or grid.dtype != images.dtype:
            raise ShapeError(
                "the second input must be a grid of points",
                expected=f"({images.shape[0]}, {', '.join(SPATIAL[ndim])}, {ndim}) {images.dtype}",
                found=str(grid),
            )
        return (TensorType((*images.shape[:2], *grid.shape[1:-1]), images.dtype),)

    def autograd(self, call: Call) -> Autograd:
        """The grid's gradient is made, wanted or not."""
        unwanted = () if call.needs(1) else (Own("gradient of the grid", call.inputs[1]),)
        return Autograd((INPUT, Input(1)), call.inputs, backward=unwanted)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Of t neighbours t products and t − 1 additions (4, 8 of a volume, 16). Backward t and t; for the grid, along
        each axis, t times 2 products and a sum.

        What is done once for a point rather than for each channel (places and weights) is not counted. `nearest`
        picks a value: free, an addition backward, and no gradient for the grid but zeros.
        """
        if self.mode == "nearest":
            return (Gather(outputs[0].numel, 0, {0: 1}, "nearest value"),)
        ndim = inputs[0].rank - 2
        taps = TAPS[self.mode] ** ndim
        gradients: dict[Operand, int] = {0: 2 * taps, 1: 3 * ndim * taps}
        return (Reduction(outputs[0].numel, 2 * taps - 1, gradients, "weighted sum of neighbours"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        """The grid may point anywhere."""
        return (WHOLE,) * (inputs[0].rank - 2)
