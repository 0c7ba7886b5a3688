"""Padding with the other side's values, which torch composes of writes into a new tensor."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archcost.tensors import TensorType


def circular_backward(source: TensorType, pads: Sequence[tuple[int, int]]) -> int:
    """Values alive at its backward's worst moment, beyond the gradient that arrives and the one that it gives.

    `pads` are those before and after, an axis, the outermost first. Torch writes the middle, then one border after
    the other (aten/src/ATen/native/PadNd.cpp). The backward of a write works on a copy of the whole gradient; for a
    border it also takes a copy of that part, and zeros in its place.
    """
    sizes = [size + before + after for size, (before, after) in zip(source.shape[2:], pads, strict=True)]
    whole = prod((*source.shape[:2], *sizes))
    border = max(whole // size * max(pad) for size, pad in zip(sizes, pads, strict=True))
    return max(whole, whole + 2 * border - source.numel)
