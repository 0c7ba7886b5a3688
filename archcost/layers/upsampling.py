"""Enlarging a feature map without weights: replication and interpolation."""

from __future__ import annotations

from fractions import Fraction
from math import floor, prod
from typing import Annotated, ClassVar, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.formulas import Step
from archcost.keeping import Saved, Setting
from archcost.layers.base import Flag, Sizes, one_or_list, per_axis, require_floating, require_positive
from archcost.layers.order import OfImages
from archcost.layers.symbols import AXES, asked_for
from archcost.tensors import Tensors, TensorType
from archcost.windows import WHOLE, Rule, Rules, Window
from archcost.work import Gather, Reduction, Work

Scale = Annotated[
    float | tuple[float, ...],
    one_or_list(lambda value: type(value) in (int, float) and 0 < value <= 2**31, "a positive number"),
]

TAPS = {"nearest": (1, 1, 1), "linear": (2, 0, 0), "bilinear": (0, 4, 0), "bicubic": (0, 16, 0), "trilinear": (0, 0, 8)}
"""Input values an output value is made of, for 1, 2 and 3 spatial axes; 0 where torch has no such mode."""


class Upsample(OfImages):
    """`size` or ⌊n·scale_factor⌋ (torch.nn.Upsample). `nearest` is the lecture's replication: copies, no arithmetic.

    `antialias` (torch.nn.functional.interpolate) widens the filter where the image gets smaller: along each axis to
    2·⌈r·max(n_in/n_out, 1)⌉ + 1 values, with r of 1 for bilinear and 2 for bicubic (aten's UpSampleKernel.cpp).
    """

    prefix: ClassVar[str] = "upsample"

    type: Literal["upsample"] = "upsample"
    size: Sizes | None = None
    scale_factor: Scale | None = None
    mode: Literal["nearest", "linear", "bilinear", "bicubic", "trilinear"] = "nearest"
    align_corners: Flag | None = None
    antialias: Flag = False

    @model_validator(mode="after")
    def _one_of_size_and_scale(self) -> Upsample:
        if (self.size is None) == (self.scale_factor is None):
            raise PydanticCustomError("size", "Input should have either size or scale_factor")
        if self.mode == "nearest" and self.align_corners is not None:
            raise PydanticCustomError("align_corners", "Input should have no align_corners in mode nearest")
        if self.antialias and self.mode not in ("bilinear", "bicubic"):
            raise PydanticCustomError("antialias", "Input should have mode bilinear or bicubic with antialias")
        return self

    def taps(self, inputs: Tensors) -> int:
        return TAPS[self.mode][inputs[0].rank - 3]

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        ndim = inputs[0].rank - 2
        if not 1 <= ndim <= 3 or not self.taps(inputs):
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

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def _filter(self, inputs: Tensors, outputs: Tensors) -> int:
        """Input values that an output value is made of."""
        if not self.antialias:
            return self.taps(inputs)
        reach = 2 if self.mode == "bicubic" else 1
        spans = zip(inputs[0].shape[2:], outputs[0].shape[2:], strict=True)
        return prod(2 * max(-(-reach * before // after), reach) + 1 for before, after in spans)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Replication adds gradients up. Others weigh t values: t products, t − 1 additions; backward t and t."""
        taps = self._filter(inputs, outputs)
        if self.mode == "nearest":
            return (Gather(outputs[0].numel, 0, {0: 1}, "values replicated"),)
        return (Reduction(outputs[0].numel, 2 * taps - 1, {0: 2 * taps}, "weighted sum of neighbours"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        if self.scale_factor is None:
            return asked_for(outputs[0].shape[2:], "as size says")
        axes = AXES[inputs[0].rank - 2]
        columns = zip(axes, inputs[0].shape[2:], self._scales(len(axes)), strict=True)
        values = [(axis, {f"{axis}_in": size, f"s_{axis}": Fraction(scale)}) for axis, size, scale in columns]
        return tuple(Step(f"output {axis}", f"{axis}_in*s_{axis}//1", given) for axis, given in values)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """Neighbours are n/m apart, or 1/scale_factor where it was given, even if ⌊n·scale_factor⌋ cut some off."""
        if self.antialias:
            return None  # as wide as the sizes make it
        spans = list(zip(inputs[0].shape[2:], outputs[0].shape[2:], strict=True))
        if self.size is None:
            jumps = [1 / Fraction(str(scale)) for scale in self._scales(len(spans))]
        else:
            jumps = [Fraction(before, after) for before, after in spans]
        return tuple(self._rule(*span, jump) for span, jump in zip(spans, jumps, strict=True))

    def _rule(self, before: int, after: int, jump: Fraction) -> Rule:
        if self.mode == "nearest":
            # ⌊o·jump⌋, which is at most (d − 1)/d below o·jump for a jump of denominator d.
            return Window(jump, -(1 - Fraction(1, jump.denominator)), Fraction(0))
        if self.align_corners and after == 1:
            return WHOLE
        reach = 2 if self.mode == "bicubic" else 1
        if self.align_corners:
            jump, shift = Fraction(before - 1, after - 1), Fraction(0)
        else:
            shift = (jump - 1) / 2
        step = Fraction(1, (jump.denominator * shift.denominator))
        return Window(jump, shift - (1 - step) - (reach - 1), shift + reach)
