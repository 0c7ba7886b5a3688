"""Of which layers torch can be asked what CUDA keeps, on fake tensors, and of which that is read from its source."""

from __future__ import annotations

from archcost.layers import ScaledDotProductAttention
from tests.layers.rows import Row

WITNESSED_BY = "2.14.1"
"""The release of torch whose CUDA build is asked: `constraints-newest.txt`, `make test-newest`."""

READ = {
    "rnn": "whether cuDNN runs it, and what that reserves, is asked of the driver",
    "gru": "whether cuDNN runs it, and what that reserves, is asked of the driver",
    "lstm": "whether cuDNN runs it, and what that reserves, is asked of the driver",
    "scaled_dot_product_attention": "which kernel runs is asked of the card; without a mask the kernels are witnessed, "
    "called by their names",
}
"""Types that are read from torch's source, and why; attention only where it is fused."""


def reason_to_read(row: Row) -> str | None:
    """Why what CUDA keeps of a row cannot be asked; None where it is."""
    if isinstance(row.layer, ScaledDotProductAttention) and row.layer.backend == "math":
        return None
    return READ.get(row.layer.type)
