"""Norms with a scale and a shift a channel: over the batch, and over groups.

For the receptive field they are pointwise: what counts is where values come from, and the statistics of a whole
map, a mean and a variance, are not counted as sight, in no norm.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.base import Weight, WeightedLayer
from archcost.layers.card import Card, Counted, Onnx, onnx
from archcost.layers.checks import require_floating, require_images
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CUDA, Autocast
from archcost.layers.fields import Flag, Number, Size
from archcost.layers.memory_order import of_images
from archcost.layers.rules import Autograd, Call, Placement, Quirk, Timing, own_storage
from archcost.layers.twins import twins
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Own, Saved, Setting, Stored, statistic
from archcost.terms.expressions import Step
from archcost.terms.memory_format import channels_last, is_channels_last, is_row_major, is_same
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Operand, Reduction, Work

STANDARDISE, STANDARDISE_BACKWARD = 5, 7
SHIFT_AND_SCALE, SHIFT_AND_SCALE_BACKWARD = 2, 1
"""With statistics that stand: a difference and a product, and back the product."""


def card(
    name: str,
    calls: tuple[str, ...],
    operator: Onnx | None,
    fvcore: Counted,
    time: TimeClass = "layer norm",
    autocast: Autocast = IN_FLOAT32_ON_CUDA,
) -> Card:
    """What norms have in common beside these."""
    return Card(
        torch=f"nn.{name}",
        calls=calls,
        onnx=operator,
        autocast=autocast,
        promotion="first",
        fvcore=fvcore,
        time=time,
        blas=False,
    )


def scale_and_shift(numel: int, scale: bool, shift: bool) -> tuple[Work, ...]:
    """y = γ·x̂ + β: a product and an addition a value; dγ sums dy·x̂, dβ sums dy."""
    work: list[Work] = []
    if scale:
        gradients: dict[Operand, int] = {0: 1, "weight": 2}
        work.append(Elementwise(numel, 1, gradients, "scaled by the weight"))
    if shift:
        work.append(Elementwise(numel, 1, {"bias": 1}, "bias added"))
    return tuple(work)


def mean_and_scale(shape: tuple[int, ...], source: TensorType, setting: Setting) -> tuple[Saved, ...]:
    """The two statistics that standardised the input."""
    kept = statistic(shape, source.dtype, setting)
    return (Own("mean", kept), Own("1/deviation", kept))


def runs_in_cudnn(source: TensorType, shifts: bool, setting: Setting) -> bool:
    """Images with a scale and a shift, of values that are not bfloat16, and of float16 where the scale is float32
    (`_batch_norm_impl_index` in native/Normalization.cpp).
    """
    half = source.dtype == "bfloat16" or (source.dtype == "float16" and setting.weights != "float32")
    return setting.device == "cuda" and shifts and source.rank > 2 and not half


def allocates_statistics(source: TensorType, shifts: bool, setting: Setting) -> bool:
    """Whether a norm that takes its running statistics is given two vectors all the same: by CUDA's own kernel, which
    allocates them before it asks (`batch_norm_cuda` in native/cuda/Normalization.cu). cuDNN's has none.
    """
    return setting.device == "cuda" and not runs_in_cudnn(source, shifts, setting)


class ChannelNorm(WeightedLayer):
    """A norm with one scale and shift a channel; `bias: false` leaves the shift out."""

    eps: Number = 1e-5
    affine: Flag = True
    bias: Flag = True

    def has_shift(self) -> bool:
        return self.affine and self.bias

    def affine_weights(self, channels: int) -> tuple[Weight, ...]:
        if not self.affine:
            return ()
        return (Weight("weight", (channels,)), *((Weight("bias", (channels,)),) if self.bias else ()))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A value: mean, difference, square, sum, scale; backward two sums (3) and their combination (4)."""
        numel = inputs[0].numel
        standardise = Reduction(numel, STANDARDISE, {0: STANDARDISE_BACKWARD}, "standardised")
        return (standardise, *scale_and_shift(numel, self.affine, self.has_shift()))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        if not self.affine:
            return ()
        formula, note = ("2*C", "a scale and a shift a channel") if self.bias else ("C", "a scale a channel")
        return (Step("parameters", formula, {"C": inputs[0].shape[1]}, note),)


class BatchNorm(ChannelNorm):
    """Mean and variance of a channel over batch and positions. Counted as in training (torch.nn.BatchNorm2d).

    `training: false` takes the running statistics in training as well, as a norm does that is left in evaluation.
    """

    prefix: ClassVar[str] = "bn"
    ndim: ClassVar[int]

    momentum: Number | None = 0.1
    track_running_stats: Flag = True
    training: Flag = True

    @model_validator(mode="after")
    def _has_statistics(self) -> Self:
        if not self.training and not self.track_running_stats:
            raise PydanticCustomError(
                "statistics", "Input should have training or track_running_stats: no statistics are left to take"
            )
        return self

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A value: mean, difference, square, sum, scale; backward two sums (3) and their combination (4).

        Not so with `training: false`: difference and scale; backward the scale.
        """
        if self.training:
            return super().work(inputs, outputs)
        numel = inputs[0].numel
        standing = Elementwise(numel, SHIFT_AND_SCALE, {0: SHIFT_AND_SCALE_BACKWARD}, "shifted and scaled")
        return (standing, *scale_and_shift(numel, self.affine, self.has_shift()))

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """Statistics are worked out channel by channel."""
        return Timing(self.card.time, inputs[0].shape[1:2] if self.training else ())

    def output_types(self, inputs: Tensors) -> Tensors:
        if inputs[0].rank != 2 or self.ndim > 1:  # the one of sequences takes features as well
            require_images(inputs[0], self.ndim)
        require_floating(inputs)
        return inputs

    def autograd(self, call: Call) -> Autograd:
        """The batch's own mean and 1/deviation are kept, unless the running ones were used.

        cuDNN gets an input that is row-major or has its channels last, and may add a small reserve.
        """
        source, layout, setting = call.source, call.layout, call.setting
        lies = is_row_major(source.shape, layout) or (source.rank > 3 and is_channels_last(source.shape, layout))
        is_copied = not lies and runs_in_cudnn(source, self.has_shift(), setting)
        running = (Stored("running_mean"), Stored("running_var")) if self.track_running_stats else ()
        own = (setting.training and self.training) or not self.track_running_stats
        own = own or allocates_statistics(source, self.has_shift(), setting)
        saved = (
            Own("row-major input", source) if is_copied else INPUT,
            *((Stored("weight"),) if self.affine else ()),
            *running,
            *(mean_and_scale(source.shape[1:2], source, setting) if own else ()),
        )
        return Autograd(saved, call.inputs, saves_for_nobody=True)

    def placement(self, call: Call) -> Placement:
        """Channels last, whatever the stride of an axis of one value; a single position lies row-major."""
        shape, layout = call.source.shape, call.layout
        if len(shape) < 4 or is_row_major(shape, layout):
            return own_storage(call)
        last = channels_last(shape)
        is_last = is_channels_last(shape, layout) or is_same(shape, layout, last)
        return own_storage(call, (last if is_last else None,))

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        channels = inputs[0].shape[1]
        return (*self.affine_weights(channels), *running_statistics(channels, self.track_running_stats))


def running_statistics(channels: int, tracked: bool) -> tuple[Weight, ...]:
    if not tracked:
        return ()
    return (
        Weight("running_mean", (channels,), is_buffer=True),
        Weight("running_var", (channels,), is_buffer=True),
        Weight("num_batches_tracked", (), is_buffer=True, dtype="int64"),
    )


BatchNorm1d, BatchNorm2d, BatchNorm3d = twins(
    __name__,
    BatchNorm,
    "BatchNorm",
    lambda name, ndim: card(name, (), None, "batch norm", "batch norm", AS_GIVEN),
)


class GroupNorm(ChannelNorm):
    """Mean and variance of each group of channels of each sample (torch.nn.GroupNorm)."""

    prefix: ClassVar[str] = "gn"
    type: Literal["group_norm"] = "group_norm"
    positional: ClassVar[tuple[str, ...]] = ("num_groups",)
    card: ClassVar[Card] = card("GroupNorm", ("group_norm",), onnx("GroupNormalization"), "channel norm")
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["copies pieces"])
    num_groups: Size

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if inputs[0].rank < 2:
            raise ShapeError("needs channels", expected="(batch, channels, …)", found=str(inputs[0]))
        if inputs[0].shape[1] % self.num_groups:
            raise ShapeError(
                f"channels cannot be cut into {self.num_groups} groups",
                expected=f"a multiple of {self.num_groups}",
                found=str(inputs[0].shape[1]),
            )
        return inputs

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return self.affine_weights(inputs[0].shape[1])

    def autograd(self, call: Call) -> Autograd:
        """The kernel wants its input row-major, or on the CPU channels last: otherwise torch 2.13 keeps a copy."""
        source, setting = call.source, call.setting
        images = setting.device == "cpu" and source.rank > 3 and is_channels_last(source.shape, call.layout)
        is_read = images or setting.since("2.14") or is_row_major(source.shape, call.layout)
        groups = (source.shape[0], self.num_groups)
        saved = (
            INPUT if is_read else Own("row-major input", source),
            *((Stored("weight"),) if self.affine else ()),
            *mean_and_scale(groups, source, replace(setting, device="cpu")),  # one function for both devices
        )
        return Autograd(saved, call.inputs, saves_for_nobody=True)

    def placement(self, call: Call) -> Placement:
        return of_images(call)
