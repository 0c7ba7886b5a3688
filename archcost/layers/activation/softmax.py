"""Softmax along an axis, and its logarithm."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.layers.base import Axis, Layer, normalize_axis, require_floating
from archcost.layers.dtypes import FLOAT32_OF_BFLOAT16_ON_CUDA, Autocast, Outcome
from archcost.tensors import Tensors
from archcost.terms.autograd import OUTPUT, Saved, Setting
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import SAME, WHOLE, Rules
from archcost.work import Reduction, Work


class AxisActivation(Layer):
    """An activation over one axis; `dim` as torch counts it, the batch being 0."""

    autocast: ClassVar[Autocast] = FLOAT32_OF_BFLOAT16_ON_CUDA
    time_class: ClassVar[TimeClass] = "softmax"
    comes_out: ClassVar[Outcome] = "first"
    dim: Axis
    operations: ClassVar[int]
    operations_backward: ClassVar[int]

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        normalize_axis(self.dim, inputs[0].rank)
        return inputs

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (OUTPUT,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, self.operations, {0: self.operations_backward}, self.type),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        along = normalize_axis(self.dim, inputs[0].rank)
        return tuple(WHOLE if axis == along else SAME for axis in range(2, inputs[0].rank))


class Softmax(AxisActivation):
    """exp(x − max)/Σ: maximum, difference, exp, sum, division; backward y·(dy − Σ dy·y)."""

    type: Literal["softmax"] = "softmax"
    prefix: ClassVar[str] = "softmax"
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 4


class LogSoftmax(AxisActivation):
    """x − max − log Σ exp: maximum, difference, exp, sum, difference; backward dy − exp(y)·Σ dy."""

    type: Literal["log_softmax"] = "log_softmax"
    prefix: ClassVar[str] = "log_softmax"
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 4
