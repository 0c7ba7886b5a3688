"""Operations of which nothing is known but their shapes: torch cannot be told what to do."""

from __future__ import annotations

from torch import nn

from archcost.errors import ArchcostError
from archcost.layers import Opaque
from archcost.pytorch.layers.base import Factory, Inputs


def opaque(layer: Opaque, inputs: Inputs) -> nn.Module:
    """Raises ArchcostError."""
    raise ArchcostError(
        "an opaque layer cannot be built",
        expected="layers that say what they compute",
        found=f"{layer.op}, of which only shapes were observed",
    )


FACTORIES: dict[str, Factory] = {"opaque": opaque}
