"""Torch's counter of FLOPs, and what it leaves out: from the shapes that an operator was called with, as its own rules.

2 FLOPs are a multiply-and-add.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

Shape = Sequence[int]


def _by_the_first(first: Shape, *_: Any) -> int:
    """A multiply-and-add a value: of a matrix beside a vector, or of a vector beside another."""
    return 2 * prod(first)


def _by_the_second(added: Shape, matrix: Shape, *_: Any) -> int:
    return 2 * prod(matrix)


def _stacks_added(added: Shape, left: Shape, right: Shape, *_: Any) -> int:
    return 2 * prod(left) * right[-1]


def _integers(left: Shape, right: Shape, *_: Any) -> int:
    return 2 * prod(left) * right[1]


def _groups(left: Shape, right: Shape, *_: Any) -> int:
    """Rows (or columns, or what is summed over) in groups, each of which meets one matrix: as one product of all."""
    stacks = left[0] if len(left) == len(right) == 3 else 1
    return 2 * prod(left[-2:]) * right[-1] * stacks


def _distances(left: Shape, right: Shape, *_: Any) -> int:
    """With two columns more, which hold the squares."""
    return 2 * prod(left[:-1]) * right[-2] * (left[-1] + 2)


def _trilinear(*given: Any) -> int:
    """Two products, one after the other, for each place along an axis; one that sums over nothing is none.

    Shapes of three tensors, which axes each of them lacks, which axes are summed over, and along which it goes place by
    place (`_trilinear` in aten/src/ATen/native/Linear.cpp).
    """
    shapes, lacking, sums, along = given[:3], given[3:6], given[6], given[7] if len(given) > 7 else 1
    axes = range(len(shapes[0]) + len(lacking[0]))
    held = [[axis for axis in axes if axis not in lacks] for lacks in lacking]
    sizes: dict[int, int] = {}
    for own, shape in zip(held, shapes, strict=True):
        sizes |= zip(own, shape, strict=True)
    early = {axis for axis in sums if axis in lacking[2] and axis != along}
    late = {axis for axis in sums if axis not in lacking[2] and axis != along}
    first = {*held[0], *held[1], along}
    second = {*(first - early), *held[2]}
    return 2 * sum(prod(sizes[axis] for axis in over) for over, summed in ((first, early), (second, late)) if summed)


UNCOUNTED: Mapping[str, Callable[..., int]] = {
    "mv": _by_the_first,
    "dot": _by_the_first,
    "vdot": _by_the_first,
    "addmv": _by_the_second,
    "addbmm": _stacks_added,
    "_int_mm": _integers,
    "_grouped_mm": _groups,
    "_trilinear": _trilinear,
    "_euclidean_dist": _distances,
}
"""What torch multiplies and its counter does not know, from the arguments by position, shapes in place of tensors."""


def _counted(rule: Callable[..., int]) -> Callable[..., int]:
    return lambda *given, **made: rule(*given)


def flop_counter() -> FlopCounterMode:
    """The counter with these."""
    mapping: dict[Any, Any] = {getattr(torch.ops.aten, name): _counted(rule) for name, rule in UNCOUNTED.items()}
    return FlopCounterMode(display=False, custom_mapping=mapping)
