"""Small networks for the tests of costs."""

from __future__ import annotations

from typing import Any

from archcost.costs import LayerCost, ModelCost, cost
from archcost.graph import build
from archcost.spec import ModelSpec

Entry = dict[str, Any]


def cost_of(*layers: Entry, batch: int = 1, **fields: Any) -> ModelCost:
    """The cost of layers on `input` (default 3×7×11), or on `inputs`."""
    given = {} if "inputs" in fields else {"input": (3, 7, 11)}
    return cost(build(ModelSpec.model_validate({"name": "net", **given, **fields, "layers": layers}), batch))


def by_name(result: ModelCost) -> dict[str, LayerCost]:
    return {layer.name: layer for layer in result.layers}


def conv(name: str, out_channels: int, kernel_size: Any = 3, **fields: Any) -> Entry:
    return {"type": "conv2d", "name": name, "out_channels": out_channels, "kernel_size": kernel_size, **fields}


def linear(name: str, out_features: int, **fields: Any) -> Entry:
    return {"type": "linear", "name": name, "out_features": out_features, **fields}
