"""Values put around others, or cut off at the edges."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.card import Card, onnx
from archcost.layers.checks import require_positive
from archcost.layers.convolution.circular_padding import circular_backward
from archcost.layers.dtypes import IN_FLOAT32_ON_CPU
from archcost.layers.fields import MAX_SIZE, Number
from archcost.layers.memory_order import of_images, value_by_value
from archcost.layers.rules import Autograd, Call, Placement, Precision, own_storage
from archcost.layers.shape.reshape import Reshaping, moving
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Device, excess
from archcost.terms.expressions import Step
from archcost.terms.windows import Rules, Window

Border = Annotated[int, Field(strict=True, ge=-MAX_SIZE, le=MAX_SIZE)]
"""Values added at an end of an axis; so many cut off where it is negative."""


class Pad(Reshaping):
    """`pad` counts from the last axis: [left, right, top, bottom, …] (torch.nn.functional.pad).

    Mode constant reaches every axis, the batch's included, and crops where a number is negative.
    """

    type: Literal["pad"] = "pad"
    prefix: ClassVar[str] = "pad"
    positional: ClassVar[tuple[str, ...]] = ("pad",)
    card: ClassVar[Card] = moving("functional.pad", "pad", operator=onnx("Pad"), autocast=IN_FLOAT32_ON_CPU)
    pad: tuple[Border, ...]
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    value: Number | None = None

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """The CPU's list has the operators that mirror and repeat edges, but not reflection_pad3d."""
        is_listed = self.mode == "replicate" or (self.mode == "reflect" and len(self.pad) < 6)
        listed = super().precision(inputs, device)
        return listed if is_listed else listed._replace(treatment="as given")

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = list(inputs[0].shape)
        if len(self.pad) % 2 or not 2 <= len(self.pad) <= 2 * len(shape):
            raise ShapeError(
                "pad has the wrong length",
                expected=f"2 to {2 * len(shape)} entries, two an axis from the last one",
                found=f"{len(self.pad)} for input {inputs[0]}",
            )
        if self.mode != "constant":
            self._check_mode(inputs[0])
        for axis in range(len(self.pad) // 2):
            shape[-1 - axis] += self.pad[2 * axis] + self.pad[2 * axis + 1]
        require_positive(tuple(shape), inputs, "pad crops less")
        return (TensorType(tuple(shape), inputs[0].dtype),)

    def _check_mode(self, source: TensorType) -> None:
        """Torch pads all spatial axes in these modes, and reflects or wraps at most one input's worth."""
        if len(self.pad) != 2 * (source.rank - 2) or not 1 <= source.rank - 2 <= 3:
            raise ShapeError(
                f"mode {self.mode} pads all spatial axes",
                expected=f"{2 * (source.rank - 2)} entries for (batch, channels, …)",
                found=f"{len(self.pad)} for input {source}",
            )
        if min(self.pad) < 0:
            raise ShapeError(f"mode {self.mode} cannot crop", expected="numbers from 0", found=str(list(self.pad)))
        slack = {"reflect": -1, "circular": 0, "replicate": MAX_SIZE}[self.mode]
        for index, count in enumerate(self.pad):
            most = source.shape[-1 - index // 2] + slack
            if count > most:
                raise ShapeError(f"mode {self.mode} cannot pad so far", expected=f"at most {most}", found=str(count))

    def autograd(self, call: Call) -> Autograd:
        """The gradient of a reflected or replicated border is worked out from the input."""
        if self.mode != "circular":
            return Autograd((INPUT,) if self.mode in ("reflect", "replicate") else (), call.inputs)
        pads = list(zip(self.pad[::2], self.pad[1::2], strict=True))[::-1]
        borders = excess("gradients of the borders", circular_backward(call.source, pads), call.source.dtype)
        return Autograd((), call.inputs, backward=borders)

    def placement(self, call: Call) -> Placement:
        """What is padded by nothing, or cropped alone, is copied as it lies."""
        if self.mode == "constant" and max(self.pad) <= 0:
            return value_by_value(replace(call, inputs=call.outputs))
        return own_storage(call) if self.mode == "circular" else of_images(call)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        steps: list[Step] = []
        for index in range(len(self.pad) // 2):
            axis = inputs[0].rank - 1 - index
            values = {"n": inputs[0].shape[axis], "a": self.pad[2 * index], "b": self.pad[2 * index + 1]}
            steps.append(Step(f"output axis {axis}", "n + a + b", values, "padded before and after"))
        return tuple(steps)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        before = {-1 - axis: self.pad[2 * axis] for axis in range(len(self.pad) // 2)}
        rank = inputs[0].rank
        return tuple(Window.sliding(1, 1, before.get(axis - rank, 0)) for axis in range(2, rank))
