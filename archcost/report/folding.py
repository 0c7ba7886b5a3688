"""The layers of a cost folded by their dotted names: `stage1.conv1` and `stage1.pool` into `stage1`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archcost.costs import ModelCost
from archcost.costs.model import Costed, LayerCost, amounts_dict, sum_amounts


@dataclass(frozen=True)
class Group(Costed):
    """Layers under one name, in order. What goes out of it is what its last layer gives."""

    name: str
    layers: tuple[LayerCost, ...]

    @property
    def is_folded(self) -> bool:
        return self.layers[0].name != self.name

    @property
    def type(self) -> str:
        count = len(self.layers)
        return f"{count} layer{'s' * (count > 1)}" if self.is_folded else self.layers[0].type

    @property
    def has_unknown(self) -> bool:
        """Whether its MACs and FLOPs are lower bounds, or of a single layer not known at all."""
        return any(layer.is_unknown for layer in self.layers)

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        return self.layers[-1].output_shapes

    def to_dict(self) -> dict[str, Any]:
        """As a layer of the summary, with how many layers were folded and no type of its own."""
        if not self.is_folded:
            return self.layers[0].to_dict()
        inside = {layer.name for layer in self.layers}
        outside = [str(port) for layer in self.layers for port in layer.node.inputs if port.producer not in inside]
        return {
            **self.layers[-1].to_dict(),
            "name": self.name,
            "type": None,
            "folded_layers": len(self.layers),
            "inputs": list(dict.fromkeys(outside)),
            **amounts_dict(self.amounts),
        }


@dataclass(frozen=True, slots=True)
class Folded:
    """A cost whose table goes no deeper than `depth` names; None shows every layer."""

    cost: ModelCost
    depth: int | None

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every layer in exactly one, so that the parts add up."""
        parts: dict[str, list[LayerCost]] = {}
        for layer in self.cost.layers:
            name = layer.name if self.depth is None else ".".join(layer.name.split(".")[: self.depth])
            parts.setdefault(name, []).append(layer)
        return tuple(
            Group(sum_amounts(layer.amounts for layer in layers), name, tuple(layers)) for name, layers in parts.items()
        )

    def to_dict(self) -> dict[str, Any]:
        return {**self.cost.to_dict(), "layers": [group.to_dict() for group in self.groups]}
