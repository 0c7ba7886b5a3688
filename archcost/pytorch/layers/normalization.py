"""Normalisations in torch; the number of channels or features is what arrives."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from archcost.layers import GroupNorm, Layer, LayerNorm, RMSNorm
from archcost.pytorch.layers.base import Factory, Inputs, plain, settings


def channel_norm(module: Callable[..., nn.Module]) -> Factory:
    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        return module(inputs[0].shape[1], **settings(layer))

    return factory


def group_norm(layer: GroupNorm, inputs: Inputs) -> nn.Module:
    return nn.GroupNorm(num_channels=inputs[0].shape[1], **settings(layer))


def feature_norm(module: Callable[..., nn.Module]) -> Factory:
    def factory(layer: LayerNorm | RMSNorm, inputs: Inputs) -> nn.Module:
        shape = layer.normalized_shape or inputs[0].shape[-1]
        return module(shape, **settings(layer, "normalized_shape"))

    return factory


FACTORIES: dict[str, Factory] = {
    "batch_norm1d": channel_norm(nn.BatchNorm1d),
    "batch_norm2d": channel_norm(nn.BatchNorm2d),
    "batch_norm3d": channel_norm(nn.BatchNorm3d),
    "instance_norm2d": channel_norm(nn.InstanceNorm2d),
    "group_norm": group_norm,
    "layer_norm": feature_norm(nn.LayerNorm),
    "rms_norm": feature_norm(nn.RMSNorm),
    "local_response_norm": plain(nn.LocalResponseNorm),
}
