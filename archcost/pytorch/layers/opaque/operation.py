"""Operations of which only the shapes are known: torch cannot be told what to do."""

from __future__ import annotations

from torch import Tensor, nn

from archcost.errors import ArchcostError
from archcost.layers import Integers, Opaque
from archcost.pytorch.layers.base import Factory, Inputs
from archcost.pytorch.layers.parameter import Made


def opaque(layer: Opaque, inputs: Inputs) -> nn.Module:
    """Raises ArchcostError."""
    raise ArchcostError(
        "an opaque layer cannot be built",
        expected="layers that say what they compute",
        found=f"{layer.op}, of which only shapes were observed",
    )


class StoodIn(nn.Module):
    """Zeros in place of integers, on whose values no cost depends."""

    def __init__(self, shapes: tuple[tuple[int, ...], ...], dtypes: tuple[str, ...], dims: tuple[int | None, ...]):
        super().__init__()
        columns = zip(shapes, dtypes, dims, strict=True)
        self.made = nn.ModuleList([Made(shape, dtype, dim or 0) for shape, dtype, dim in columns])
        self.dims = dims

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        pairs = zip(self.made, self.dims, strict=True)
        return tuple([made() if dim is None else made(tensors[-1]) for made, dim in pairs])


def integers(layer: Integers, inputs: Inputs) -> nn.Module:
    return StoodIn(layer.shapes, layer.dtypes, layer.batch_dims or (None,) * len(layer.shapes))


FACTORIES: dict[str, Factory] = {"opaque": opaque, "integers": integers}
