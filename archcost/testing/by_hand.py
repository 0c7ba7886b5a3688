"""A layer's rules beside the numbers of a row, which somebody worked out by hand. Each raises AssertionError."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from archcost.testing.rows import Row
from archcost.work import NO_FLOPS, Flops, Operand, backward


def same(what: str, rule: object, expected: object, by: str = "by hand") -> None:
    """Raises AssertionError where they differ."""
    if rule != expected:
        raise AssertionError(f"{what}: {rule} by the layer's rules, {expected} {by}")


def shapes(row: Row) -> None:
    same("output shapes", tuple(tensor.shape for tensor in row.output_types), row.outputs)


def dtypes(row: Row) -> None:
    """That of the first input, or as the row says."""
    first = row.input_types[0].dtype if row.inputs else "float32"
    expected = row.dtypes or (first,) * len(row.outputs)
    same("output dtypes", tuple(tensor.dtype for tensor in row.output_types), expected)


def weights(row: Row) -> None:
    found = row.layer.weights(row.input_types)
    same("parameters", sum(weight.numel for weight in found if not weight.is_buffer), row.parameters)
    same("buffers", sum(weight.numel for weight in found if weight.is_buffer), row.buffers)


def forward(row: Row) -> None:
    work = row.layer.work(row.input_types, row.output_types)
    same("MACs", sum(part.macs for part in work), row.macs)
    total = reduce(add, (part.forward for part in work), NO_FLOPS)
    same("FLOPs forward", total, Flops(2 * row.macs, row.forward))


def back(row: Row) -> None:
    """A contraction costs 2 FLOPs a MAC again for each operand."""
    inputs = [index for index, tensor in enumerate(row.input_types) if tensor.is_floating]
    trained = [weight.name for weight in row.layer.weights(row.input_types) if not weight.is_buffer]
    of_weights = Flops(2 * row.macs_of_weights if trained else 0, row.backward_weight)
    same("FLOPs of the inputs' gradients", gradients(row, inputs), Flops(2 * row.macs_of_inputs, row.backward_input))
    same("FLOPs of the weights' gradients", gradients(row, trained), of_weights)


def gradients(row: Row, operands: Sequence[Operand], counted: Sequence[Operand] = ()) -> Flops:
    """What the gradients of these operands cost, `counted` being counted elsewhere."""
    return backward(row.layer.work(row.input_types, row.output_types), operands, counted)


def operands(row: Row) -> None:
    """Work lists only operands that the layer has, so no gradient is paid under a misspelt name."""
    known = {*range(len(row.inputs)), *(weight.name for weight in row.layer.weights(row.input_types))}
    for part in row.layer.work(row.input_types, row.output_types):
        unknown = {*part.operands} - known
        same("operands that it does not have", unknown, set[Operand](), "of what there is")


CHECKS = {
    "shapes": shapes,
    "dtypes": dtypes,
    "weights": weights,
    "forward": forward,
    "backward": back,
    "operands": operands,
}
"""By their names in a test's id."""
