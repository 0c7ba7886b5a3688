"""Where a witness is known to be wrong: what it says, why, and by exactly how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archcost.layers import Layer
from archcost.pytorch.counters import Pass


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """`excess` is how much too much the witness counts for one layer, from what it counts elsewhere."""

    name: str
    quantity: str
    what: str
    why: str
    fault_of: str
    seen_in: str
    excess: Callable[[Layer, Pass], int]


def _grouped_weight_gradient(layer: Layer, counted: Pass) -> int:
    """A weight gradient costs as much as forward; it is counted `groups` times."""
    groups: int = getattr(layer, "groups", 1)
    return (groups - 1) * counted.forward if counted.trains_weight and counted.backward else 0


KNOWN_DIFFERENCES = (
    KnownDifference(
        name="grouped_weight_gradient",
        quantity="flops_backward",
        what="the weight gradient of a grouped convolution is counted `groups` times",
        why="its channels are multiplied all with all, though only those of one group meet",
        fault_of="torch.utils.flop_counter.conv_backward_flop",
        seen_in="torch 2.13.0",
        excess=_grouped_weight_gradient,
    ),
)
