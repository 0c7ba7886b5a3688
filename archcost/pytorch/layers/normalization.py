"""Normalisations in torch; the number of channels or features is what arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from archcost.layers import BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, Layer, LayerNorm, RMSNorm, WeightNorm
from archcost.pytorch.layers.base import Factory, Inputs, plain, settings


def channel_norm(module: Callable[..., nn.Module]) -> Factory:
    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        return module(inputs[0].shape[1], **settings(layer))

    return factory


class InEvaluation(nn.Module):
    """Takes its running statistics whatever mode the network is in."""

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


class StandingBatchNorm1d(InEvaluation, nn.BatchNorm1d):
    pass


class StandingBatchNorm2d(InEvaluation, nn.BatchNorm2d):
    pass


class StandingBatchNorm3d(InEvaluation, nn.BatchNorm3d):
    pass


def batch_norm(module: Callable[..., nn.Module], standing: Callable[..., nn.Module]) -> Factory:
    def factory(layer: BatchNorm1d | BatchNorm2d | BatchNorm3d, inputs: Inputs) -> nn.Module:
        make = module if layer.training else standing
        return make(inputs[0].shape[1], **settings(layer, "training")).train()

    return factory


def group_norm(layer: GroupNorm, inputs: Inputs) -> nn.Module:
    return nn.GroupNorm(num_channels=inputs[0].shape[1], **settings(layer))


def feature_norm(module: Callable[..., nn.Module]) -> Factory:
    def factory(layer: LayerNorm | RMSNorm, inputs: Inputs) -> nn.Module:
        shape = layer.normalized_shape or inputs[0].shape[-1]
        return module(shape, **settings(layer, "normalized_shape"))

    return factory


class NormedWeight(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, directions: Tensor, lengths: Tensor) -> Tensor:
        axis = self.dim % directions.dim()  # to torch, -1 is all axes
        return torch._weight_norm(directions, lengths, axis)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def weight_norm(layer: WeightNorm, inputs: Inputs) -> nn.Module:
    return NormedWeight(layer.dim)


FACTORIES: dict[str, Factory] = {
    "batch_norm1d": batch_norm(nn.BatchNorm1d, StandingBatchNorm1d),
    "batch_norm2d": batch_norm(nn.BatchNorm2d, StandingBatchNorm2d),
    "batch_norm3d": batch_norm(nn.BatchNorm3d, StandingBatchNorm3d),
    "instance_norm1d": channel_norm(nn.InstanceNorm1d),
    "instance_norm2d": channel_norm(nn.InstanceNorm2d),
    "instance_norm3d": channel_norm(nn.InstanceNorm3d),
    "group_norm": group_norm,
    "layer_norm": feature_norm(nn.LayerNorm),
    "rms_norm": feature_norm(nn.RMSNorm),
    "local_response_norm": plain(nn.LocalResponseNorm),
    "weight_norm": weight_norm,
}
