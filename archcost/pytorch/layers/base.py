"""What every factory shares: fields of a layer go to torch under torch's own names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from archcost.layers import Layer, WeightedLayer

Inputs = tuple[Tensor, ...]
"""Meta tensors of a batch of 2: what a layer will be given, as torch worked it out."""

Factory = Callable[[Any, Inputs], nn.Module]

NOT_TORCH = frozenset(WeightedLayer.model_fields)
"""Fields of the wiring: type, name, inputs, trainable."""


def settings(layer: Layer, *without: str) -> dict[str, Any]:
    """The layer's own fields, which carry torch's names, as keyword arguments."""
    names = type(layer).model_fields.keys() - NOT_TORCH - set(without)
    return {name: getattr(layer, name) for name in names}


def plain(module: Callable[..., nn.Module]) -> Factory:
    """A layer that needs to know nothing of its inputs."""

    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        return module(**settings(layer))

    return factory
