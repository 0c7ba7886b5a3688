"""Tensors whose values meet in pairs: where shapes differ, a 1 stretches, and gradients are summed back."""

from __future__ import annotations

from itertools import zip_longest

from archcost.errors import ShapeError
from archcost.tensors import Tensors, TensorType, result_dtype
from archcost.terms.autograd import Setting
from archcost.work import Elementwise, Operand


def together(inputs: Tensors) -> str:
    """Inputs that do not go together, for a message."""
    return " and ".join(str(tensor) for tensor in inputs)


def broadcast(inputs: Tensors) -> TensorType:
    """Torch's rule: shapes aligned at the last axis, and a 1 stretches; of different dtypes the wider one."""
    return TensorType(broadcast_shape(inputs), result_dtype(inputs))


def broadcast_shape(inputs: Tensors) -> tuple[int, ...]:
    """The shape alone."""
    sizes: list[int] = []
    for column in zip_longest(*(reversed(tensor.shape) for tensor in inputs), fillvalue=1):
        stretched = {size for size in column if size != 1}
        if len(stretched) > 1:
            raise ShapeError(
                "inputs do not go together",
                expected="equal shapes, or 1 where they differ",
                found=together(inputs),
            )
        sizes.append(stretched.pop() if stretched else 1)
    return tuple(reversed(sizes))


def stretched(inputs: Tensors, output: TensorType) -> dict[Operand, int]:
    """Inputs that were stretched: their gradient is summed back, one addition a value of the output."""
    return {index: 1 for index, tensor in enumerate(inputs) if tensor.numel != output.numel}


def unsummed(inputs: Tensors, output: TensorType, setting: Setting) -> int:
    """Values beyond the gradients of stretched inputs: each is made for every value before it is summed up.

    Autograd's engine sums when all are made, so each stands beside the others.
    """
    made = [index for index, tensor in enumerate(inputs) if index in setting.needs and tensor.shape != output.shape]
    return len(made) * output.numel - sum(inputs[index].numel for index in made[1:])


def pairs(inputs: Tensors, output: TensorType, each: tuple[int, int], what: str) -> Elementwise:
    """One operation a value; `each` of the gradients costs so many, and the sum where its input was stretched."""
    sums = stretched(inputs, output)
    return Elementwise(output.numel, 1, {index: each[index] + sums.get(index, 0) for index in (0, 1)}, what)


def is_first_seen_smaller(inputs: Tensors) -> bool:
    """Whether the first input has fewer axes: its gradient is summed with all, then seen without those in front."""
    return inputs[0].rank < len(broadcast_shape(inputs))


def require_one_more(inputs: Tensors, number: float | None) -> None:
    """A second input, or a number in its place."""
    if (len(inputs) == 2) == (number is not None):
        raise ShapeError(
            "needs a second input or a number",
            expected="one of them",
            found="both" if len(inputs) == 2 else "neither",
        )
