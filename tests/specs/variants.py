"""Shipped networks as they are, on another input, or with other parameters; and what they cost."""

from __future__ import annotations

from functools import cache
from typing import Any

import archcost
from archcost import ModelCost, ModelSpec
from archcost.costs.model import LayerCost


def variant(network: str, image: tuple[int, ...] | None = None, **parameters: int) -> ModelSpec:
    """A shipped network with an image of another shape, or with other values for some of its parameters."""
    spec = archcost.load(network)
    unknown = set(parameters) - set(spec.parameters)
    assert not unknown, f"{network} has no parameter {unknown}"
    tree: dict[str, Any] = spec.to_dict() | {"parameters": {**spec.parameters, **parameters}, "published": None}
    return ModelSpec.model_validate(tree | ({"inputs": {"image": image}} if image else {}))


@cache
def costed(network: str, image: tuple[int, ...] | None = None, **parameters: int) -> ModelCost:
    """Its cost at batch 1, published figures checked where nothing is changed."""
    spec = variant(network, image, **parameters) if image or parameters else archcost.load(network)
    return archcost.cost(archcost.build(spec))


def layers(cost: ModelCost, *types: str) -> list[LayerCost]:
    return [layer for layer in cost.layers if layer.type in types]


def weights(found: list[LayerCost]) -> int:
    """Without biases."""
    return sum(layer.parameters - layer.biases for layer in found)


def macs(found: list[LayerCost]) -> int:
    return sum(layer.macs for layer in found)


def backward(found: list[LayerCost]) -> int:
    """Contraction FLOPs of both gradients."""
    return sum(layer.flops.backward.contraction for layer in found)


def numel(found: list[LayerCost]) -> int:
    """Values that come out, indices left out."""
    return sum(layer.node.output_types[0].numel for layer in found)
