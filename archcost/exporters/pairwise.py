"""Layers of several tensors, value by value, in ONNX."""

from __future__ import annotations

from functools import reduce

from archcost.exporters.sheet import Part, Rendering, operator
from archcost.tensors import TensorType


def add(part: Part) -> str:
    return reduce(lambda so_far, tensor: part.draw("Add", so_far, tensor), part.inputs)


def compare(part: Part, kind: str) -> str:
    """With the second input, or with a number in the dtype of the first."""
    if part.layer.other is None:
        return part.draw(kind, *part.inputs)
    number = part.layer.other if part.source.is_floating else int(part.layer.other)
    return part.draw(kind, part.inputs[0], part.number(number))


def compared(kind: str) -> Rendering:
    return lambda part: compare(part, kind)


def not_equal(part: Part) -> str:
    return part.draw("Not", compare(part, "Equal"))


def masks(part: Part) -> list[str]:
    """ONNX takes bool alone for what holds or does not."""
    return [as_mask(part, name, tensor) for name, tensor in zip(part.inputs, part.node.input_types, strict=True)]


def as_mask(part: Part, name: str, tensor: TensorType) -> str:
    return name if tensor.dtype == "bool" else part.draw("Cast", name, to=9)


def judged(kind: str) -> Rendering:
    return lambda part: part.draw(kind, *masks(part))


def masked_fill(part: Part) -> str:
    tensor, mask = part.inputs
    return part.draw("Where", mask, part.number(part.layer.value), tensor)


RENDERINGS: dict[str, Rendering] = {
    "add": add,
    "mul": operator("Mul"),
    "sub": operator("Sub"),
    "div": operator("Div"),
    "maximum": operator("Max"),
    "minimum": operator("Min"),
    "eq": compared("Equal"),
    "ne": not_equal,
    "lt": compared("Less"),
    "le": compared("LessOrEqual"),
    "gt": compared("Greater"),
    "ge": compared("GreaterOrEqual"),
    "where": operator("Where"),
    "masked_fill": masked_fill,
    "logical_and": judged("And"),
    "logical_or": judged("Or"),
    "logical_not": judged("Not"),
}
