"""What torch refuses: a product of a weight in one dtype with what arrives in another."""

from __future__ import annotations

from archcost.errors import ArchcostError
from archcost.graph import Node
from archcost.layers.dtypes import IN_16_BITS
from archcost.tensors import Tensors


def refuse_mixed_product(node: Node, types: Tensors, weight: str) -> None:
    """Of a layer whose weight has this dtype. Raises ArchcostError; norms take both."""
    if node.layer.card.autocast is not IN_16_BITS or not types or not types[0].is_floating:
        return
    if types[0].dtype != weight:
        raise ArchcostError(
            "torch multiplies no two dtypes",
            expected=f"{weight}, which its weight has in this run",
            found=types[0].dtype,
            hint=f"a layer of type cast with dtype: {weight} before it",
            layer=node.name,
        )
