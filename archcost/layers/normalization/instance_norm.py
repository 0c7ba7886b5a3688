"""Norms of each channel of each sample, which torch runs as a batch norm of one sample with B·C channels."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import ClassVar

from archcost.errors import ShapeError
from archcost.layers.base import Weight
from archcost.layers.checks import require_images
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.fields import Flag, Number
from archcost.layers.normalization.norms import (
    ChannelNorm,
    allocates_statistics,
    card,
    mean_and_scale,
    running_statistics,
)
from archcost.layers.rules import Autograd, Call, NewView, Placement, own_storage
from archcost.layers.twins import twins
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Own, excess
from archcost.terms.memory_format import is_row_major


class InstanceNorm(ChannelNorm):
    """Mean and variance of each channel of each sample (torch.nn.InstanceNorm2d)."""

    prefix: ClassVar[str] = "instance_norm"
    ndim: ClassVar[int]
    momentum: Number | None = 0.1
    affine: Flag = False
    track_running_stats: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        require_images(inputs[0], self.ndim)
        if prod(inputs[0].shape[2:]) == 1:
            raise ShapeError(
                "instance norm of a single position is always zero; torch refuses it in training",
                expected="more than one spatial position",
                found=str(inputs[0]),
            )
        return inputs

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        channels = inputs[0].shape[1]
        return (*self.affine_weights(channels), *running_statistics(channels, self.track_running_stats))

    def autograd(self, call: Call) -> Autograd:
        """Run as a batch norm of one sample with B·C channels: weights and running statistics are repeated, and so are
        gradients of weights before they are summed up. Without a scale, running statistics are repeated in the dtype of
        what arrives. They are averaged over the batch at the end, when all that nobody keeps is gone.
        """
        setting = call.setting if self.affine else replace(call.setting, weights=None)
        source = call.source
        batch, channels = source.shape[:2]
        repeated = TensorType((batch * channels,), setting.weights or source.dtype)
        names = [
            *(["weight"] if self.affine else []),
            *(["running mean", "running variance"] * self.track_running_stats),
        ]
        own = setting.training or not self.track_running_stats
        own = own or allocates_statistics(source, self.has_shift(), setting)
        saved = (
            INPUT if is_row_major(source.shape, call.layout) else Own("row-major input", source),
            *(Own(f"repeated {name}", repeated) for name in names),
            *(mean_and_scale(repeated.shape, source, setting) if own else ()),
        )
        bias = (Own("repeated bias", repeated),) if self.has_shift() else ()
        is_averaged = self.track_running_stats and setting.training and setting.needs
        average = (Own("averaged running statistic", TensorType((channels,), repeated.dtype)),) if is_averaged else ()
        summed = [
            gradient
            for name in ("weight", "bias")
            if call.needs(name)
            for gradient in excess(f"gradient of the repeated {name}", (batch - 1) * channels, repeated.dtype)
        ]
        return Autograd(saved, (NewView(source),), (*bias, *average), tuple(summed), saves_for_nobody=True)

    def placement(self, call: Call) -> Placement:
        return own_storage(call)._replace(is_view=True)


InstanceNorm1d, InstanceNorm2d, InstanceNorm3d = twins(
    __name__, InstanceNorm, "InstanceNorm", lambda name, ndim: card(name, (), None, "channel norm", autocast=AS_GIVEN)
)
