"""The layers of a cost folded by their dotted names: `stage1.conv1` and `stage1.pool` into `stage1`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from archcost.costs import ModelCost
from archcost.costs.model import Costed, LayerCost, amounts_dict, sum_amounts
from archcost.files.result import Result

if TYPE_CHECKING:
    from archcost.estimates import Estimate
    from archcost.times import LayerTime, StepTime


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
    def macs_dtype(self) -> str:
        """The dtypes of integers that are multiplied."""
        return " ".join(dict.fromkeys(layer.macs_dtype for layer in self.layers if layer.macs_dtype))

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        return self.layers[-1].output_shapes

    def to_dict(self) -> dict[str, Any]:
        """The group in the form of a layer of the summary, with the number of layers in it and no type."""
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


class Seconds(NamedTuple):
    """Seconds of several layers in one step: typical ones where only bounds are known."""

    forward: float
    backward: float
    layers: tuple[LayerTime, ...]

    @property
    def whole(self) -> float:
        return self.forward + self.backward

    @property
    def roof(self) -> str:
        """What most of it waits for."""
        waits: dict[str, float] = defaultdict(float)
        for layer in self.layers:
            waits[layer.roof] += layer.seconds
        return max(waits, key=waits.__getitem__, default="")

    @classmethod
    def of(cls, layers: Sequence[LayerTime]) -> Seconds:
        return cls(sum([each.forward for each in layers]), sum([each.backward for each in layers]), tuple(layers))

    def to_dict(self, in_full: bool) -> dict[str, Any]:
        data = {"forward_seconds": self.forward, "backward_seconds": self.backward, "seconds": self.whole}
        return data | ({"kernels": [layer.working() for layer in self.layers]} if in_full else {})


NO_LAYER = ""
"""Whose seconds are those of no layer of the network: the loss, for one."""


@dataclass(frozen=True, slots=True, repr=False)
class Folded(Result):
    """A cost whose table goes no deeper than `depth` names; None shows every layer. With an `estimate` it has times."""

    cost: ModelCost
    depth: int | None
    estimate: Estimate | None = None

    @property
    def headline(self) -> str:
        return self.cost.headline

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every layer in exactly one, so that the parts add up."""
        parts: dict[str, list[LayerCost]] = {}
        for layer in self.cost.layers:
            parts.setdefault(self._group(layer.name), []).append(layer)
        return tuple(
            Group(sum_amounts(layer.amounts for layer in layers), name, tuple(layers)) for name, layers in parts.items()
        )

    def _group(self, name: str) -> str:
        return name if self.depth is None else ".".join(name.split(".")[: self.depth])

    @property
    def time(self) -> StepTime | None:
        return self.estimate and self.estimate.time

    @property
    def seconds(self) -> dict[str, Seconds]:
        """Seconds by the name of a group. Autocast's copies for a layer are among its own."""
        if self.time is None:
            return {}
        known = {layer.name for layer in self.cost.layers}
        parts: dict[str, list[LayerTime]] = {group.name: [] for group in self.groups}
        for each in self.time.layers:
            owner = each.name if each.name in known else each.name.partition(" (")[0]
            parts.setdefault(self._group(owner) if owner in known else NO_LAYER, []).append(each)
        return {name: Seconds.of(layers) for name, layers in parts.items()}

    def to_dict(self) -> dict[str, Any]:
        data = {**self.cost.to_dict(), "layers": [group.to_dict() for group in self.groups]}
        return data if self.estimate is None else self._timed(data, self.estimate)

    def _timed(self, data: dict[str, Any], estimate: Estimate) -> dict[str, Any]:
        step, seconds = estimate.to_dict(), self.seconds
        nothing = Seconds.of(())
        layers = [
            {**layer, "time": seconds.get(layer["name"], nothing).to_dict(in_full=self.depth is None)}
            for layer in data["layers"]
        ]
        times = [name for name in step["unknown"] if name.startswith("time.")]
        return {
            **data,
            **estimate.run.to_dict(),
            "hardware": estimate.hardware.name,
            "unknown": [*data["unknown"], *times],
            "time": {**step["time"], "beside_layers": seconds.get(NO_LAYER, nothing).to_dict(in_full=True)},
            "layers": layers,
        }
