"""In which order a tensor's values lie in its storage, as far as it decides what is a view and what a copy.

Strides count elements, as torch's do. Nearly every tensor of a network is row-major; others come out of `permute`
and `split`, and out of what computes on those; `expand` repeats values with a stride of 0. The rules are torch's own:
`view` is at::detail::computeStride, `like` is TensorIterator's order of axes, `is_channels_last` is c10's. Not followed
are the choices that some kernels make where an axis of a permuted tensor has a single value; they decide no more than
whether a later reshape is a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

Strides = tuple[int, ...]
Layout = Strides | None
"""None: row-major and without gaps."""

Shape = tuple[int, ...]


def row_major(shape: Shape) -> Strides:
    return _dense(shape, range(len(shape) - 1, -1, -1))


def laid(shape: Shape, strides: Strides) -> Layout:
    """Strides as a layout."""
    return None if strides == row_major(shape) else strides


def is_same(shape: Shape, layout: Layout, other: Layout) -> bool:
    """Whether the values lie in the same places. An axis of one value may have any stride."""
    if layout is other:
        return True
    columns = zip(shape, strides_of(shape, layout), strides_of(shape, other), strict=True)
    return all(size == 1 or mine == theirs for size, mine, theirs in columns)


def is_row_major(shape: Shape, layout: Layout) -> bool:
    return is_same(shape, layout, None)


def strides_of(shape: Shape, layout: Layout) -> Strides:
    return row_major(shape) if layout is None else layout


def view(shape: Shape, layout: Layout, wanted: Shape) -> Strides | None:
    """Strides of the same storage seen in another shape; None where only a copy has that shape."""
    if layout is None:
        return row_major(wanted)
    strides: list[int] = []
    remaining = list(wanted)
    step, run = layout[-1], 1
    for axis in range(len(shape) - 1, -1, -1):
        run *= shape[axis]
        # Axes that lie one after another without a gap make one run of values.
        if axis > 0 and (shape[axis - 1] == 1 or layout[axis - 1] == run * step):
            continue
        covered = 1
        while remaining and (covered < run or remaining[-1] == 1):
            strides.append(step * covered)
            covered *= remaining.pop()
        if covered != run:
            return None
        step, run = layout[axis - 1], 1
    return None if remaining else tuple(reversed(strides))


def like(output: Shape, operands: Sequence[tuple[Shape, Layout]]) -> Layout:
    """The layout of a result computed value by value: dense, its axes in the order of the operands' strides."""
    if all(layout is None for _, layout in operands):
        return None
    rank = len(output)
    columns = [_stretched(output, shape, strides_of(shape, layout)) for shape, layout in operands]
    order = list(range(rank - 1, -1, -1))
    for first in range(1, rank):
        moving = first
        for below in range(first - 1, -1, -1):
            sign = _compare(order[below], order[moving], columns, output)
            if sign < 0:
                break
            if sign > 0:
                order[below], order[moving] = order[moving], order[below]
                moving = below
    return laid(output, _dense(output, order))


def _stretched(output: Shape, shape: Shape, strides: Strides) -> Strides:
    """Strides over the output's axes: 0 along those that are repeated."""
    missing = len(output) - len(shape)
    given = zip(output[missing:], shape, strides, strict=True)
    return (0,) * missing + tuple(0 if size == 1 != wanted else stride for wanted, size, stride in given)


def _compare(left: int, right: int, columns: Sequence[Strides], shape: Shape) -> int:
    """Negative when axis `left` is certainly the inner one, positive when `right` is, 0 when nothing tells."""
    for strides in columns:
        if strides[left] == 0 or strides[right] == 0:
            continue
        if strides[left] != strides[right]:
            return -1 if strides[left] < strides[right] else 1
        if shape[left] > shape[right]:
            return 1
    return 0


def is_permuted(shape: Shape, layout: Layout) -> bool:
    """Whether axes lie in another order than they are named, those of one value and repeated ones left out."""
    if layout is None:
        return False
    steps = [stride for size, stride in zip(shape, layout, strict=True) if size != 1 and stride != 0]
    return any(outer < inner for outer, inner in pairwise(steps))


def is_dense(shape: Shape, layout: Layout) -> bool:
    """Whether values lie without gaps, in whatever order; repeated ones leave none."""
    if layout is None:
        return True
    steps = sorted((stride, size) for size, stride in zip(shape, layout, strict=True) if size != 1 and stride != 0)
    return all(outer == inner * size for (inner, size), (outer, _) in pairwise([(1, 1), *steps]))


def numel_stored(shape: Shape, strides: Strides) -> int:
    """The number of elements in storage, broadcast ones counted once."""
    return prod(size for size, stride in zip(shape, strides, strict=True) if stride != 0)


def channels_last(shape: Shape) -> Layout:
    """Channels innermost, then the spatial axes, the batch outermost."""
    return laid(shape, _dense(shape, _channels_first_inner(len(shape))))


def unsqueezed(shape: Shape, strides: Strides, axis: int) -> Strides:
    """The strides with a new axis of size 1 (torch's inferUnsqueezeGeometry)."""
    step = 1 if axis == len(shape) else shape[axis] * strides[axis]
    return (*strides[:axis], step, *strides[axis:])


def is_channels_last(shape: Shape, layout: Layout) -> bool:
    if layout is None or layout[1] == 0:
        return False
    least = 0
    for axis in _channels_first_inner(len(shape)):
        if layout[axis] < least or (axis == 0 and least == layout[1]):
            return False
        least = layout[axis] * max(shape[axis], 1)
    return True


def _channels_first_inner(rank: int) -> list[int]:
    return [1, *range(rank - 1, 1, -1), 0]


def _dense(shape: Shape, inner_first: Sequence[int]) -> Strides:
    strides, step = [1] * len(shape), 1
    for axis in inner_first:
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)
