"""Tensors side by side: along an axis that they have, or along a new one."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import together
from archcost.layers.card import Card, Onnx, onnx
from archcost.layers.checks import normalize_axis
from archcost.layers.dtypes import WIDEST_ON_CPU
from archcost.layers.fields import Axis
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.layers.shape.reshape import moving
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import VIEWED
from archcost.terms.expressions import Step
from archcost.terms.memory_format import channels_last, is_channels_last, laid, strides_of, unsqueezed, view
from archcost.terms.windows import Rules
from archcost.work import Copy, Work

MOST_TERMS = 16
"""A longer sum explains nothing."""


def joining(*calls: str, operator: Onnx | None = None) -> Card:
    return moving(None, *calls, operator=operator, autocast=WIDEST_ON_CPU, promotion="promoted")


class Joined(Layer):
    """The values of all inputs, along one axis. Backward gives each its piece of the gradient that arrives."""

    arity: ClassVar[Arity] = Arity(1, None)
    takes_complex: ClassVar[bool] = True

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(outputs[0].numel, 0, {}, "values moved"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (VIEWED,) * len(call.inputs))


class Concat(Joined):
    """Tensors side by side along `dim` (torch.cat). `dim` defaults to 1, the channels, where torch has the batch."""

    type: Literal["concat"] = "concat"
    prefix: ClassVar[str] = "concat"
    card: ClassVar[Card] = joining("cat", "concat", "concatenate", operator=onnx("Concat"))
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

    def placement(self, call: Call) -> Placement:
        """Images that all have their channels last stay so."""
        last = (is_channels_last(each.shape, call.setting.layout(index)) for index, each in enumerate(call.inputs))
        return own_storage(call, (channels_last(call.result.shape) if call.source.rank > 3 and all(last) else None,))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = normalize_axis(self.dim, inputs[0].rank)
        values = {f"n_{index}": tensor.shape[axis] for index, tensor in enumerate(inputs, 1)}
        return (Step(f"output axis {axis}", " + ".join(values), values),) if len(values) <= MOST_TERMS else ()

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        spatial = normalize_axis(self.dim, inputs[0].rank) >= 2
        return None if spatial else super().windows(inputs, outputs)


class Stack(Joined):
    """Tensors of one shape side by side along a new axis `dim` (torch.stack); it defaults to 1, behind the batch."""

    type: Literal["stack"] = "stack"
    prefix: ClassVar[str] = "stack"
    card: ClassVar[Card] = joining("stack")
    dim: Axis = 1

    def output_types(self, inputs: Tensors) -> Tensors:
        first = inputs[0]
        axis = normalize_axis(self.dim, first.rank + 1)
        if any(other != first for other in inputs):
            raise ShapeError("inputs do not go together", expected="equal shapes", found=together(inputs))
        return (TensorType((*first.shape[:axis], len(inputs), *first.shape[axis:]), first.dtype),)

    def placement(self, call: Call) -> Placement:
        """Joined along the axis behind the new one and seen split, or with the new axis last (native stack).

        Images that all have their channels last stay so, as in a concatenation.
        """
        shape, count = call.source.shape, len(call.inputs)
        axis = normalize_axis(self.dim, len(shape) + 1)
        layouts = [call.setting.layout(index) for index in range(count)]
        if axis == len(shape):
            shape = (*shape, 1)
            layouts = [laid(shape, unsqueezed(shape[:-1], strides_of(shape[:-1], lay), axis)) for lay in layouts]
        if len(shape) < 4 or not all(is_channels_last(shape, layout) for layout in layouts):
            return own_storage(call)
        joined = (*shape[:axis], shape[axis] * count, *shape[axis + 1 :])
        strides = view(joined, channels_last(joined), call.result.shape)
        return own_storage(call, (None if strides is None else laid(call.result.shape, strides),))

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes change their meaning, so the receptive field is not followed further."""
        return
