"""A layer as the CPU's kernels are handed it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

from archcost.layers import Layer
from archcost.tensors import DTYPE_BYTES, Tensors
from archcost.work import Operand

FLOAT = 4
"""Bytes of the float32 that products of 16-bit values are summed in."""

Direction = Literal["forward", "backward"]


class Call(NamedTuple):
    """A layer on the tensors that its kernel gets; `needs` are the operands whose gradient its backward computes.

    `pieced`: the output's gradient arrives as a piece of a larger one, as from `concat`.
    """

    layer: Layer
    inputs: Tensors
    outputs: Tensors
    needs: Collection[Operand]
    threads: int
    pieced: bool = False

    @property
    def is_half(self) -> bool:
        """16 bits a value: sums are kept in float32 beside it."""
        return DTYPE_BYTES.get(self.inputs[0].dtype) == 2


def whole_blocks(count: int, block: int) -> int:
    return -(-count // block) * block
