"""Enlarging a feature map without weights: replication and interpolation."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, prod
from typing import Annotated, ClassVar, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card
from archcost.layers.checks import per_axis, require_floating, require_positive
from archcost.layers.dtypes import IN_FLOAT32_ON_CUDA
from archcost.layers.fields import Flag, Sizes, one_or_list
from archcost.layers.memory_order import of_images
from archcost.layers.rules import Autograd, Call, Placement
from archcost.layers.symbols import AXES, asked_for
from archcost.tensors import Tensors, TensorType
from archcost.terms.expressions import Step
from archcost.terms.windows import WHOLE, Rule, Rules, Window
from archcost.work import Gather, Reduction, Work

Scale = Annotated[
    float | tuple[float, ...],
    one_or_list(lambda value: type(value) in (int, float) and 0 < value <= 2**31, "a positive number"),
]

TAPS = {
    "nearest": (1, 1, 1),
    "nearest-exact": (1, 1, 1),
    "linear": (2, 0, 0),
    "bilinear": (0, 4, 0),
    "bicubic": (0, 16, 0),
    "trilinear": (0, 0, 8),
}
"""Input values an output value is made of, for 1, 2 and 3 spatial axes; 0 where torch has no such mode."""

REPLICATING = ("nearest", "nearest-exact")
"""Modes that pick one value: that at ⌊o·n/m⌋, or at the middle, ⌊(o + 1/2)·n/m⌋."""

HALF_WIDTHS = {"bilinear": 1, "bicubic": 2}
"""Of windows, in positions of the input; with antialias, of whichever of input and output has fewer."""


class Upsample(Layer):
    """`size` or ⌊n·scale_factor⌋ (torch.nn.Upsample). `nearest` and `nearest-exact` replicate: copies, no arithmetic.

    `antialias: true` widens the windows of an image that is made smaller (torch.nn.functional.interpolate).
    """

    prefix: ClassVar[str] = "upsample"

    type: Literal["upsample"] = "upsample"
    card: ClassVar[Card] = Card(
        torch="nn.Upsample",
        calls=("interpolate",),
        onnx=None,
        autocast=IN_FLOAT32_ON_CUDA,
        promotion="first",
        fvcore="interpolation",
        time="interpolation",
        blas=False,
    )
    size: Sizes | None = None
    scale_factor: Scale | None = None
    mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear"] = "nearest"
    align_corners: Flag | None = None
    antialias: Flag = False

    @model_validator(mode="after")
    def _one_of_size_and_scale(self) -> Upsample:
        if (self.size is None) == (self.scale_factor is None):
            raise PydanticCustomError("size", "Input should have either size or scale_factor")
        if self.mode in REPLICATING and self.align_corners is not None:
            raise PydanticCustomError("align_corners", "Input should have no align_corners in mode nearest")
        if self.antialias and self.mode not in HALF_WIDTHS:
            raise PydanticCustomError("antialias", "Input should have mode bilinear or bicubic with antialias")
        if self.antialias and self.align_corners:
            raise PydanticCustomError("antialias", "Input should have no align_corners with antialias")
        return self

    def taps(self, inputs: Tensors, outputs: Tensors) -> int:
        """How many input values an output value is made of, those that hang over the edge included."""
        if self.antialias:
            return prod([ceil(2 * half) for half in self.half_widths(inputs, outputs)])
        return TAPS[self.mode][inputs[0].rank - 3]

    def half_widths(self, inputs: Tensors, outputs: Tensors) -> tuple[Fraction, ...]:
        """With antialias, how far a window reaches to both sides in each axis (`compute_indices_min_size_weights_aa` in
        aten/src/ATen/native/cpu/UpSampleKernel.cpp).
        """
        return tuple([HALF_WIDTHS[self.mode] * max(Fraction(1), apart) for apart in self._apart(inputs, outputs)])

    def _apart(self, inputs: Tensors, outputs: Tensors) -> tuple[Fraction, ...]:
        """How far apart in the input neighbours of the output look: n/m, or 1/scale_factor where it was given, even if
        ⌊n·scale_factor⌋ cut some off.
        """
        spans = list(zip(inputs[0].shape[2:], outputs[0].shape[2:], strict=True))
        if self.align_corners:
            return tuple([Fraction(before - 1, after - 1) if after > 1 else Fraction(0) for before, after in spans])
        if self.size is None:
            return tuple([1 / Fraction(str(scale)) for scale in self._scales(len(spans))])
        return tuple([Fraction(before, after) for before, after in spans])

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        ndim = inputs[0].rank - 2
        if not 1 <= ndim <= 3 or not TAPS[self.mode][ndim - 1]:
            axes = [str(n) for n in (1, 2, 3) if TAPS[self.mode][n - 1]]
            raise ShapeError(
                f"mode {self.mode} does not suit this input",
                expected=f"(batch, channels, …) with {' or '.join(axes)} spatial axes",
                found=str(inputs[0]),
            )
        sizes = inputs[0].shape[2:]
        if self.size is not None:
            sizes = per_axis(self.size, ndim, "size")
        else:
            sizes = tuple(floor(n * scale) for n, scale in zip(sizes, self._scales(ndim), strict=True))
        require_positive(sizes, inputs, "a larger scale_factor")
        return (TensorType((*inputs[0].shape[:2], *sizes), inputs[0].dtype),)

    def _scales(self, ndim: int) -> tuple[float, ...]:
        assert self.scale_factor is not None
        if not isinstance(self.scale_factor, tuple):
            return (self.scale_factor,) * ndim
        if len(self.scale_factor) != ndim:
            raise ShapeError(
                "scale_factor has the wrong length",
                expected=f"a number or {ndim} numbers",
                found=str(list(self.scale_factor)),
            )
        return self.scale_factor

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)

    def placement(self, call: Call) -> Placement:
        return of_images(call)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Replication adds gradients up. Others weigh t values: t products, t − 1 additions; backward t and t.

        With antialias t is a product over the axes: ⌈k·n/m⌉ where n values become fewer, else k, which is 2 or 4.
        """
        taps = self.taps(inputs, outputs)
        if self.mode in REPLICATING:
            return (Gather(outputs[0].numel, 0, {0: 1}, "values replicated"),)
        return (Reduction(outputs[0].numel, 2 * taps - 1, {0: 2 * taps}, "weighted sum of neighbours"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        if self.scale_factor is None:
            return asked_for(outputs[0].shape[2:], "as size says")
        axes = AXES[inputs[0].rank - 2]
        columns = zip(axes, inputs[0].shape[2:], self._scales(len(axes)), strict=True)
        values = [(axis, {f"{axis}_in": size, f"s_{axis}": Fraction(scale)}) for axis, size, scale in columns]
        return tuple(Step(f"output {axis}", f"{axis}_in*s_{axis}//1", given) for axis, given in values)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        jumps, after = self._apart(inputs, outputs), outputs[0].shape[2:]
        reach = Fraction(HALF_WIDTHS.get(self.mode, 1))
        reaches = self.half_widths(inputs, outputs) if self.antialias else (reach,) * len(after)
        return tuple(map(self._rule, after, jumps, reaches))

    def _rule(self, after: int, jump: Fraction, reach: Fraction) -> Rule:
        if self.mode == "nearest":
            # ⌊o·jump⌋, which is at most (d − 1)/d below o·jump for a jump of denominator d.
            return Window(jump, -(1 - Fraction(1, jump.denominator)), Fraction(0))
        if self.mode == "nearest-exact":
            middle, step = jump / 2, Fraction(1, 2 * jump.denominator)
            return Window(jump, middle - (1 - step), middle)
        if self.align_corners and after == 1:
            return WHOLE
        shift = Fraction(0) if self.align_corners else (jump - 1) / 2
        step = Fraction(1, jump.denominator * shift.denominator * reach.denominator)
        return Window(jump, shift - (1 - step) - (reach - 1), shift + reach)
