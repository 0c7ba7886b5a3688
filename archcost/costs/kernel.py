"""`Kernel`: equal launches on a device, by their amounts."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from archcost.costs.program import Op
from archcost.terms.time_classes import TimeClass

TILES: Mapping[TimeClass, int] = {"batch norm": 32, "layer norm": 64}
TILE = 16
"""An axis of n values keeps the units of a GPU as long as one of n + so many: work is cut into tiles, of which the last
is not full. Blocks of a GPU's matrix products have 32 to 256 rows (CUTLASS), its batch norms one block a channel, its
layer norms one a row. How many it is was found on networks that run (docs/measurements/cards.md).
"""


class Kernel(NamedTuple):
    """Equal launches of one class. `flops` are those of contractions where it is one, else operations on values.

    `nbytes` are read and written, each tensor once. `dtype` is that in which it computes. `stretch` is how many times
    longer than by its amounts it takes, since axes are short: of a contraction its FLOPs, of all else its bytes.
    `reread` are the bytes of its weights, once for each sample: what a map of few positions cannot spread over many.
    """

    kind: TimeClass
    flops: int
    nbytes: int
    dtype: str
    launches: int = 1
    stretch: float = 1.0
    reread: int = 0


Kernels = tuple[Kernel, ...]


def stretch(kind: TimeClass, extents: tuple[int, ...]) -> float:
    """The factor by which short axes prolong work of a class, since they leave units idle."""
    tile = TILES.get(kind, TILE)
    return prod(1 + tile / max(1, extent) for extent in extents)


def dtype_of(op: Op) -> str:
    """That of the first input as it is read, or where there is none that of the output."""
    tensors = (*op.node.input_types, *op.node.output_types)
    return next((tensor.dtype for tensor in tensors if tensor.is_floating), tensors[0].dtype)
