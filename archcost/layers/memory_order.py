"""Layers whose outputs take over the order in which their inputs' values lie: see terms/memory_format.py."""

from __future__ import annotations

from typing import ClassVar

from archcost.layers.base import Layer
from archcost.layers.rules import Call, Placement, own_storage
from archcost.tensors import Tensors
from archcost.terms.autograd import Setting
from archcost.terms.memory_format import Layout, channels_last, is_channels_last, like


def value_by_value(call: Call, alias: int | None = None) -> Placement:
    """One output, each value of which comes of those in its place: torch's TensorIterator keeps the order of the axes.

    `alias` is the input in whose storage it lies, if it has none of its own.
    """
    if alias is not None:
        return Placement((alias,), (call.setting.layout(alias),))
    operands = [(tensor.shape, call.setting.layout(index)) for index, tensor in enumerate(call.inputs)]
    return Placement((None,), (like(call.result.shape, operands),))


def of_images(call: Call, fewest_axes: int = 4) -> Placement:
    """Images that arrive with their channels last leave so (torch's suggest_memory_format)."""
    is_last = call.source.rank >= fewest_axes and is_channels_last(call.source.shape, call.layout)
    return own_storage(call, tuple([channels_last(output.shape) if is_last else None for output in call.outputs]))


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
