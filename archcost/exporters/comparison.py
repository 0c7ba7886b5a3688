"""Comparisons, logic, bits and choices by a mask, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.emit import Part, draws
from archcost.layers import (
    BitwiseAnd,
    BitwiseNot,
    BitwiseOr,
    BitwiseXor,
    Eq,
    Ge,
    Gt,
    IsFinite,
    IsInf,
    IsNan,
    Le,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    LogicalXor,
    Lt,
    MaskedFill,
    Ne,
    Where,
)
from archcost.tensors import DTYPE_BYTES, TensorType


def promoted(tensors: Sequence[TensorType]) -> str:
    """The dtype in which torch compares: a floating one if there is one, else the widest."""
    ranked = sorted(tensors, key=lambda tensor: (tensor.is_floating, DTYPE_BYTES[tensor.dtype]))
    return ranked[-1].dtype


def compare(part: Part, kind: str) -> str:
    """With the second input, or with a number."""
    other = part.layer.other
    fraction = other is not None and other != int(other) and not part.source.is_floating
    dtype = "float32" if fraction else promoted(part.node.input_types)
    if dtype == "bool" and kind != "Equal":
        dtype = "uint8"
    first = part.cast(0, dtype)
    return part.draw(kind, first, part.cast(1, dtype) if other is None else part.number(other, dtype))


@draws(Eq, Lt, Le, Gt, Ge)
def compared(part: Part) -> str:
    return compare(part, part.layer.card.onnx.operator)


@draws(Ne)
def not_equal(part: Part) -> str:
    return part.draw("Not", compare(part, "Equal"))


@draws(LogicalAnd, LogicalOr, LogicalXor, LogicalNot)
def logic(part: Part) -> str:
    """ONNX takes bool alone for what holds or does not."""
    operands = [part.cast(index, "bool") for index in range(len(part.inputs))]
    return part.draw(part.layer.card.onnx.operator, *operands)


@draws(BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot)
def bitwise(part: Part) -> str:
    """Of integers, or of truth values; one of two may be a number."""
    operands = [part.cast(index) for index in range(len(part.inputs))]
    other = getattr(part.layer, "other", None)
    if other is not None:
        operands.append(part.number(other))
    operator = part.layer.card.onnx.operator
    return part.draw(operator.removeprefix("Bitwise") if part.result.dtype == "bool" else operator, *operands)


@draws(IsNan, IsInf)
def not_finite(part: Part) -> str:
    return asked(part, part.layer.card.onnx.operator)


def asked(part: Part, kind: str) -> str:
    """Integers are always finite numbers; ONNX asks floating-point values alone."""
    return part.draw(kind, part.inputs[0] if part.source.is_floating else part.cast(0, "float32"))


@draws(IsFinite)
def is_finite(part: Part) -> str:
    return part.draw("Not", part.draw("Or", asked(part, "IsNaN"), asked(part, "IsInf")))


@draws(Where)
def where(part: Part) -> str:
    """Either of two may be a number."""
    layer, following = part.layer, iter(range(1, len(part.inputs)))
    chosen = part.cast(next(following)) if layer.value is None else part.number(layer.value)
    other = part.cast(next(following)) if layer.other is None else part.number(layer.other)
    return part.draw("Where", part.inputs[0], chosen, other)


@draws(MaskedFill)
def masked_fill(part: Part) -> str:
    tensor, mask, *given = part.inputs
    value = part.cast(2) if given else part.number(part.layer.value)
    return part.draw("Where", mask, value, tensor)
