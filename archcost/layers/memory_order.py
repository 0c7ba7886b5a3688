"""Layers whose outputs take over the order in which their inputs' values lie: see terms/memory_format.py."""

from __future__ import annotations

from archcost.layers.rules import Call, Placement, own_storage
from archcost.terms.memory_format import channels_last, is_channels_last, like


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
