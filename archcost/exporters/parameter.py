"""Tensors that no layer computes, in ONNX."""

from __future__ import annotations

from archcost.exporters.emit import Part, draws
from archcost.layers import Buffer, Constant, ExpandBatch, Parameter
from archcost.layers.checks import normalize_axis


@draws(Parameter, Buffer)
def standing(part: Part) -> str:
    """A parameter or buffer as it is."""
    (own,) = part.node.weights
    return part.draw("Identity", part.weight(own.name))


@draws(Constant)
def constant(part: Part) -> str:
    """Zeros: what a network makes of no value of its own has no values here."""
    layer = part.layer
    value = part.number(0, part.node.output_types[0].dtype)
    if layer.is_for_any_batch(part.node.input_types):
        return part.draw("Expand", value, part.integers(*layer.shape))
    axis = normalize_axis(layer.dim, len(layer.shape))
    return part.draw("Expand", value, part.times_samples(layer.shape, axis, part.inputs[0]))


@draws(ExpandBatch)
def expand_batch(part: Part) -> str:
    layer, rank = part.layer, part.result.rank
    axis = normalize_axis(layer.dim, rank)
    sizes = [1] * rank if layer.size is None else [max(size, 1) for size in layer.size]
    return part.draw("Expand", part.inputs[0], part.times_samples(sizes, axis, part.inputs[1]))
