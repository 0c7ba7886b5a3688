"""Normalisations in torch; the number of channels or features is what arrives."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from archcost.layers import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    RMSNorm,
    WeightNorm,
)
from archcost.pytorch.layers.base import Called, Inputs, mirrors, module_of, settings


class InEvaluation(nn.Module):
    """Takes its running statistics whatever mode the network is in."""

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


STANDING: dict[Any, type[nn.Module]] = {
    module: type(f"Standing{module.__name__}", (InEvaluation, module), {})
    for module in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
}


@mirrors(BatchNorm1d, BatchNorm2d, BatchNorm3d)
def batch_norm(layer: BatchNorm1d | BatchNorm2d | BatchNorm3d, inputs: Inputs) -> nn.Module:
    module = module_of(layer)
    make = module if layer.training else STANDING[module]
    return make(inputs[0].shape[1], **settings(layer, "training")).train()


@mirrors(InstanceNorm1d, InstanceNorm2d, InstanceNorm3d)
def instance_norm(layer: InstanceNorm1d | InstanceNorm2d | InstanceNorm3d, inputs: Inputs) -> nn.Module:
    return module_of(layer)(inputs[0].shape[1], **settings(layer))


@mirrors(GroupNorm)
def group_norm(layer: GroupNorm, inputs: Inputs) -> nn.Module:
    return nn.GroupNorm(num_channels=inputs[0].shape[1], **settings(layer))


@mirrors(LayerNorm, RMSNorm)
def feature_norm(layer: LayerNorm | RMSNorm, inputs: Inputs) -> nn.Module:
    shape = layer.normalized_shape or inputs[0].shape[-1]
    return module_of(layer)(shape, **settings(layer, "normalized_shape"))


@mirrors(WeightNorm)
def weight_norm(layer: WeightNorm, inputs: Inputs) -> nn.Module:
    return Called(normed, settings(layer))


def normed(directions: Tensor, lengths: Tensor, dim: int) -> Tensor:
    """To torch, -1 is all axes."""
    axis = dim % directions.dim()
    return torch._weight_norm(directions, lengths, axis)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
