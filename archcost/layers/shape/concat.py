"""Tensors side by side."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Axis, Layer, normalize_axis
from archcost.layers.broadcasting import together
from archcost.layers.dtypes import WIDEST_ON_CPU, Autocast, Outcome
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import VIEWED, Gradient, Saved, Setting
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout, channels_last, is_channels_last
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import Rules
from archcost.work import Copy, Work

MOST_TERMS = 16
"""A longer sum explains nothing."""


class Concat(Layer):
    """Tensors side by side along `dim` (torch.cat). `dim` defaults to 1, the channels, where torch has the batch."""

    type: Literal["concat"] = "concat"
    prefix: ClassVar[str] = "concat"
    arity: ClassVar[Arity] = Arity(1, None)
    autocast: ClassVar[Autocast] = WIDEST_ON_CPU
    time_class: ClassVar[TimeClass] = "copy"
    comes_out: ClassVar[Outcome] = "promoted"
    dim: Axis = 1

    def output_types(self, inputs: Tensors) -> Tensors:
        first = inputs[0]
        axis = normalize_axis(self.dim, first.rank)
        around = (first.dtype, first.rank, first.shape[:axis], first.shape[axis + 1 :])
        for other in inputs[1:]:
            if (other.dtype, other.rank, other.shape[:axis], other.shape[axis + 1 :]) != around:
                raise ShapeError(
                    "inputs do not go together",
                    expected=f"equal shapes but for axis {axis}",
                    found=together(inputs),
                )
        total = sum(tensor.shape[axis] for tensor in inputs)
        return (TensorType((*first.shape[:axis], total, *first.shape[axis + 1 :]), first.dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(outputs[0].numel, 0, {}, "values moved"),)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        """Slices of the one that arrives."""
        return (VIEWED,) * len(inputs)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """Images that all have their channels last stay so."""
        last = (is_channels_last(tensor.shape, setting.layout(index)) for index, tensor in enumerate(inputs))
        return (channels_last(outputs[0].shape) if inputs[0].rank > 3 and all(last) else None,)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = normalize_axis(self.dim, inputs[0].rank)
        values = {f"n_{index}": tensor.shape[axis] for index, tensor in enumerate(inputs, 1)}
        return (Step(f"output axis {axis}", " + ".join(values), values),) if len(values) <= MOST_TERMS else ()

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        spatial = normalize_axis(self.dim, inputs[0].rank) >= 2
        return None if spatial else super().windows(inputs, outputs)
