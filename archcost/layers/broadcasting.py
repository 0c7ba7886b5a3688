"""Tensors whose values meet in pairs: where shapes differ, a 1 stretches, and gradients are summed back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest

from archcost.errors import ShapeError
from archcost.layers.rules import Autograd, Call, NewView
from archcost.tensors import Tensors, TensorType, part_of, result_dtype
from archcost.terms.autograd import PASSED_ON, VIEWED, Gradient, Moment, Own, Saved, Setting, beyond, worst_moment
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


def complex_pairs(inputs: Tensors, output: TensorType, what: str) -> Elementwise:
    """Products of complex numbers, and with a conjugate for each gradient; where an input was stretched a sum of both
    parts (docs/conventions.md).
    """
    sums = stretched(inputs, output)
    return Elementwise(output.numel, 6, {index: 6 + 2 * sums.get(index, 0) for index in (0, 1)}, what)


def conjugated_products(call: Call) -> Iterator[Moment]:
    """The second gradient is worked out first: a copy of the other operand's conjugate, and the product with it."""
    made = 0
    for index in (1, 0):
        if call.needs(index):
            yield (*[call.result] * (made + 1), call.inputs[1 - index])
            made += 1


def require_one_more(inputs: Tensors, number: float | None) -> None:
    """A second input, or a number in its place."""
    if (len(inputs) == 2) == (number is not None):
        raise ShapeError(
            "needs a second input or a number",
            expected="one of them",
            found="both" if len(inputs) == 2 else "neither",
        )


def summed_back(
    call: Call,
    saved: tuple[Saved, ...] = (),
    worked: Mapping[int, TensorType] = {},
    handed: Collection[int] = (),
    during: Iterable[Moment] = (),
    forward: tuple[Own, ...] = (),
) -> Autograd:
    """Of a layer whose backward works out each gradient for every value of the result, in a dtype that need not be the
    input's; autograd's engine then sums and casts them, one after the other (validate_outputs in engine.cpp).

    `worked` are the gradients before that, like what arrives unless said; `handed` are inputs whose gradient is what
    arrives itself. `during` are the moments while they are worked out.
    """
    inputs, result = call.inputs, call.result
    needed = [index for index in range(len(inputs)) if call.needs(index)]
    raw = {index: worked.get(index, result) for index in range(len(inputs))}
    gradients = [
        PASSED_ON
        if index in handed and tensor == result
        else VIEWED
        if index in handed and tensor == TensorType(result.shape, part_of(result.dtype))
        else _seen(tensor, raw[index])
        for index, tensor in enumerate(inputs)
    ]
    given = tuple([_storage(gradients[index], inputs[index]) for index in needed if gradients[index] not in ARRIVED])
    alive = worst_moment([*during, *_by_the_engine(inputs, {index: raw[index] for index in needed}, handed)])
    return Autograd(saved, tuple(gradients), forward=forward, backward=beyond("unfinished gradients", alive, given))


def _seen(tensor: TensorType, worked: TensorType) -> TensorType | NewView:
    """Axes in front are summed away and stay as 1s; what is seen without them is a view (sum_to in ExpandUtils.h).

    Of a complex gradient a real tensor gets the real part, which is a view of all of it (handle_r_to_c).
    """
    if worked.is_complex and tensor.shape == worked.shape and tensor.dtype == part_of(worked.dtype):
        return NewView(worked)
    is_same = tensor.dtype in (worked.dtype, part_of(worked.dtype))
    return NewView(tensor) if 0 < tensor.rank < worked.rank and is_same else tensor


ARRIVED = (PASSED_ON, VIEWED)


def _storage(gradient: Gradient | NewView, tensor: TensorType) -> TensorType:
    """What is held for it: of a real part the complex numbers."""
    whole = gradient.tensor if isinstance(gradient, NewView) else tensor
    return whole if whole.is_complex else tensor


def _by_the_engine(inputs: Tensors, raw: Mapping[int, TensorType], handed: Collection[int]) -> Iterator[Moment]:
    """A sum or a copy in another dtype is made beside what it is made of. What is handed on is no tensor of ours."""
    alive = {index: tensor for index, tensor in raw.items() if index not in handed}
    yield tuple(alive.values())
    for index, gradient in raw.items():
        tensor = inputs[index]
        dtype = gradient.dtype if tensor.is_complex else part_of(gradient.dtype)
        if tensor == TensorType(gradient.shape, dtype):
            continue  # as it is, or its real part
        for made in (TensorType(tensor.shape, dtype), tensor):
            if made != gradient:
                yield (*alive.values(), made)
                alive[index] = gradient = made
