"""Layers whose outputs take over the order in which their inputs' values lie: see terms/memory_format.py."""

from __future__ import annotations

from typing import ClassVar

from archcost.layers.base import Layer
from archcost.tensors import Tensors
from archcost.terms.autograd import Setting
from archcost.terms.memory_format import Layout, channels_last, is_channels_last, like


class ValueByValue(Layer):
    """Each value of the output comes of those in its place. Torch's TensorIterator keeps the order of the axes."""

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        alias = self.aliases(inputs, outputs, setting)[0]
        if isinstance(alias, int):
            return (setting.layout(alias),)
        operands = [(tensor.shape, setting.layout(index)) for index, tensor in enumerate(inputs)]
        return (like(outputs[0].shape, operands),)


class OfImages(Layer):
    """Images that arrive with their channels last leave so (torch's suggest_memory_format)."""

    fewest_axes: ClassVar[int] = 4

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        first = inputs[0]
        if first.rank < self.fewest_axes or not is_channels_last(first.shape, setting.layout(0)):
            return (None,) * len(outputs)
        return tuple(channels_last(tensor.shape) for tensor in outputs)
