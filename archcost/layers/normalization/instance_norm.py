"""Norms of each channel of each sample, which torch runs as a batch norm of one sample with B·C channels."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Flag, Number, Weight, require_images
from archcost.layers.dtypes import AS_GIVEN, Autocast
from archcost.layers.normalization.norms import ChannelNorm, allocates_statistics, mean_and_scale, running_statistics
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Own, Saved, Scratch, Setting, excess
from archcost.terms.memory_format import is_row_major
from archcost.terms.time_classes import TimeClass


class InstanceNorm(ChannelNorm):
    """Mean and variance of each channel of each sample (torch.nn.InstanceNorm2d)."""

    prefix: ClassVar[str] = "instance_norm"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "layer norm"
    ends_in_view: ClassVar[bool] = True
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

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Run as a batch norm of one sample with B·C channels: weight and running statistics are repeated.

        Without a scale, running statistics are repeated in the dtype of what arrives.
        """
        setting = setting if self.affine else replace(setting, weights=None)
        source = inputs[0]
        channels = (source.shape[0] * source.shape[1],)
        repeated = TensorType(channels, setting.weights or source.dtype)
        names = [
            *(["weight"] if self.affine else []),
            *(["running mean", "running variance"] * self.track_running_stats),
        ]
        own = setting.training or not self.track_running_stats
        own = own or allocates_statistics(source, self.has_shift(), setting)
        return (
            INPUT if is_row_major(source.shape, setting.layout(0)) else Own("row-major input", source),
            *(Own(f"repeated {name}", repeated) for name in names),
            *(mean_and_scale(channels, source, setting) if own else ()),
        )

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The bias is repeated as well, and so are gradients of weights before they are summed up.

        Running statistics are averaged over the batch at the end, when all that nobody keeps is gone.
        """
        source = inputs[0]
        (batch, channels), dtype = source.shape[:2], (setting.weights if self.affine else None) or source.dtype
        forward = list(self.unkept(inputs, outputs, setting))
        if self.has_shift():
            forward.append(Own("repeated bias", TensorType((batch * channels,), dtype)))
        if self.track_running_stats and setting.training and setting.needs:
            forward.append(Own("averaged running statistic", TensorType((channels,), dtype)))
        backward = [
            gradient
            for name in ("weight", "bias")
            if name in setting.needs
            for gradient in excess(f"gradient of the repeated {name}", (batch - 1) * channels, dtype)
        ]
        return Scratch(tuple(forward), tuple(backward))

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        """Of one sample with B·C channels."""
        return True


class InstanceNorm1d(InstanceNorm):
    type: Literal["instance_norm1d"] = "instance_norm1d"
    ndim: ClassVar[int] = 1


class InstanceNorm2d(InstanceNorm):
    type: Literal["instance_norm2d"] = "instance_norm2d"
    ndim: ClassVar[int] = 2


class InstanceNorm3d(InstanceNorm):
    type: Literal["instance_norm3d"] = "instance_norm3d"
    ndim: ClassVar[int] = 3
