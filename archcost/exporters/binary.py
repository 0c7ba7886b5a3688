"""Values of several tensors taken together, in ONNX."""

from __future__ import annotations

from functools import reduce

from archcost.exporters.emit import Part, draws
from archcost.layers import Add, ClampTensor, Div, FMod, Maximum, Minimum, Mul, Remainder, Sub


@draws(Add)
def add(part: Part) -> str:
    operands = [part.cast(index) for index in range(len(part.inputs))]
    if part.layer.alpha != 1:
        operands[1] = part.draw("Mul", operands[1], part.number(part.layer.alpha))
    return reduce(lambda so_far, tensor: part.draw("Add", so_far, tensor), operands)


@draws(Sub, Mul, Div, Maximum, Minimum)
def paired(part: Part) -> str:
    """In the dtype of the result, integers as well."""
    return part.draw(part.layer.card.onnx.operator, part.cast(0), part.cast(1))


def divided(part: Part) -> tuple[str, str]:
    """Dividend and divisor, which may be a number."""
    other = part.layer.other
    return part.cast(0), part.cast(1) if other is None else part.number(other)


@draws(Remainder)
def remainder(part: Part) -> str:
    """ONNX takes the divisor's sign for integers alone."""
    dividend, divisor = divided(part)
    if not part.result.is_floating:
        return part.draw("Mod", dividend, divisor)
    whole = part.draw("Floor", part.draw("Div", dividend, divisor))
    return part.draw("Sub", dividend, part.draw("Mul", whole, divisor))


@draws(FMod)
def fmod(part: Part) -> str:
    return part.draw("Mod", *divided(part), fmod=1)


@draws(ClampTensor)
def clamp(part: Part) -> str:
    so_far = part.cast(0)
    for index, name in enumerate(part.layer.names(), 1):
        so_far = part.draw("Max" if name == "min" else "Min", so_far, part.cast(index))
    return so_far
