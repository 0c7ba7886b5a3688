"""Layers of several tensors, value by value, and what they judge, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from archcost.exporters.emit import Part, Rendering
from archcost.tensors import DTYPE_BYTES, TensorType


def add(part: Part) -> str:
    operands = [part.cast(index) for index in range(len(part.inputs))]
    if part.layer.alpha != 1:
        operands[1] = part.draw("Mul", operands[1], part.number(part.layer.alpha))
    return reduce(lambda so_far, tensor: part.draw("Add", so_far, tensor), operands)


def paired(kind: str) -> Rendering:
    """In the dtype of the result."""
    return lambda part: part.draw(kind, part.cast(0), part.cast(1))


def promoted(tensors: Sequence[TensorType]) -> str:
    """The dtype in which torch compares: a floating one if there is one, else the widest."""
    ranked = sorted(tensors, key=lambda tensor: (tensor.is_floating, DTYPE_BYTES[tensor.dtype]))
    return ranked[-1].dtype


def divided(part: Part) -> tuple[str, str]:
    """Dividend and divisor, which may be a number."""
    other = part.layer.other
    return part.cast(0), part.cast(1) if other is None else part.number(other)


def remainder(part: Part) -> str:
    """ONNX takes the divisor's sign for integers alone."""
    dividend, divisor = divided(part)
    if not part.result.is_floating:
        return part.draw("Mod", dividend, divisor)
    whole = part.draw("Floor", part.draw("Div", dividend, divisor))
    return part.draw("Sub", dividend, part.draw("Mul", whole, divisor))


def fmod(part: Part) -> str:
    return part.draw("Mod", *divided(part), fmod=1)


def compare(part: Part, kind: str) -> str:
    """With the second input, or with a number."""
    other = part.layer.other
    fraction = other is not None and other != int(other) and not part.source.is_floating
    dtype = "float32" if fraction else promoted(part.node.input_types)
    if dtype == "bool" and kind != "Equal":
        dtype = "uint8"
    first = part.cast(0, dtype)
    return part.draw(kind, first, part.cast(1, dtype) if other is None else part.number(other, dtype))


def compared(kind: str) -> Rendering:
    return lambda part: compare(part, kind)


def not_equal(part: Part) -> str:
    return part.draw("Not", compare(part, "Equal"))


def judged(kind: str) -> Rendering:
    """ONNX takes bool alone for what holds or does not."""
    return lambda part: part.draw(kind, *(part.cast(index, "bool") for index in range(len(part.inputs))))


def bitwise(kind: str, of_truth: str) -> Rendering:
    """Of integers, or of truth values; one of two may be a number."""

    def rendering(part: Part) -> str:
        operands = [part.cast(index) for index in range(len(part.inputs))]
        other = getattr(part.layer, "other", None)
        if other is not None:
            operands.append(part.number(other))
        return part.draw(of_truth if part.result.dtype == "bool" else kind, *operands)

    return rendering


def not_finite(part: Part, kind: str) -> str:
    """Integers are always finite numbers; ONNX asks floating-point values alone."""
    return part.draw(kind, part.inputs[0] if part.source.is_floating else part.cast(0, "float32"))


def is_finite(part: Part) -> str:
    return part.draw("Not", part.draw("Or", not_finite(part, "IsNaN"), not_finite(part, "IsInf")))


def where(part: Part) -> str:
    """Either of two may be a number."""
    layer, following = part.layer, iter(range(1, len(part.inputs)))
    chosen = part.cast(next(following)) if layer.value is None else part.number(layer.value)
    other = part.cast(next(following)) if layer.other is None else part.number(layer.other)
    return part.draw("Where", part.inputs[0], chosen, other)


def clamp(part: Part) -> str:
    so_far = part.cast(0)
    for index, name in enumerate(part.layer.names(), 1):
        so_far = part.draw("Max" if name == "min" else "Min", so_far, part.cast(index))
    return so_far


def masked_fill(part: Part) -> str:
    tensor, mask, *given = part.inputs
    value = part.cast(2) if given else part.number(part.layer.value)
    return part.draw("Where", mask, value, tensor)


RENDERINGS: dict[str, Rendering] = {
    "add": add,
    "mul": paired("Mul"),
    "sub": paired("Sub"),
    "div": paired("Div"),
    "remainder": remainder,
    "fmod": fmod,
    "maximum": paired("Max"),
    "minimum": paired("Min"),
    "clamp_tensor": clamp,
    "eq": compared("Equal"),
    "ne": not_equal,
    "lt": compared("Less"),
    "le": compared("LessOrEqual"),
    "gt": compared("Greater"),
    "ge": compared("GreaterOrEqual"),
    "where": where,
    "masked_fill": masked_fill,
    "logical_and": judged("And"),
    "logical_or": judged("Or"),
    "logical_xor": judged("Xor"),
    "logical_not": judged("Not"),
    "bitwise_and": bitwise("BitwiseAnd", "And"),
    "bitwise_or": bitwise("BitwiseOr", "Or"),
    "bitwise_xor": bitwise("BitwiseXor", "Xor"),
    "bitwise_not": bitwise("BitwiseNot", "Not"),
    "isnan": lambda part: not_finite(part, "IsNaN"),
    "isinf": lambda part: not_finite(part, "IsInf"),
    "isfinite": is_finite,
}
