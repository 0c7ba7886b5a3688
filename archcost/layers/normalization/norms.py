"""Normalisations: over the batch, over features, over groups; over neighbouring channels in a file of its own.

For the receptive field they are pointwise: what counts is where values come from, and the statistics of a whole
map, a mean and a variance, are not counted as sight, in no norm.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.base import (
    Flag,
    Number,
    Size,
    Sizes,
    Weight,
    WeightedLayer,
    require_floating,
    require_images,
)
from archcost.layers.card import Card, Counted, Onnx, onnx
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CUDA, Autocast
from archcost.layers.memory_order import of_images
from archcost.layers.rules import Autograd, Call, Placement, Quirk, Timing, own_storage
from archcost.layers.twins import twins
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import INPUT, Own, Saved, Setting, Stored, excess, statistic, worst
from archcost.terms.expressions import Step
from archcost.terms.memory_format import channels_last, is_channels_last, is_row_major, is_same, like
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


class FeatureNorm(WeightedLayer):
    """A norm over the last axes; `normalized_shape` defaults to the last axis alone and is checked when given."""

    normalized_shape: Sizes | None = None

    def normalized(self, inputs: Tensors) -> tuple[int, ...]:
        require_floating(inputs)
        shape = self.normalized_shape
        if shape is None:
            return inputs[0].shape[-1:]
        wanted = (shape,) if isinstance(shape, int) else shape
        if inputs[0].shape[1:][-len(wanted) :] != wanted:
            raise ShapeError(
                "normalized_shape is not the end of the input's shape",
                expected=f"input (batch, …, {', '.join(map(str, wanted))})",
                found=str(inputs[0]),
            )
        return wanted

    def rows(self, inputs: Tensors) -> tuple[int, ...]:
        """The axes in front of those, with a statistic for each."""
        return inputs[0].shape[: inputs[0].rank - len(self.normalized(inputs))]

    def output_types(self, inputs: Tensors) -> Tensors:
        self.normalized(inputs)
        return inputs


class LayerNorm(FeatureNorm):
    """Mean and variance of each row of features (torch.nn.LayerNorm)."""

    prefix: ClassVar[str] = "ln"
    type: Literal["layer_norm"] = "layer_norm"
    card: ClassVar[Card] = card("LayerNorm", ("layer_norm",), onnx("LayerNormalization"), "layer norm")
    eps: Number = 1e-5
    elementwise_affine: Flag = True
    bias: Flag = True

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        if not self.elementwise_affine:
            return ()
        shape = self.normalized(inputs)
        return (Weight("weight", shape), *((Weight("bias", shape),) if self.bias else ()))

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """By the length of a row: each is worked out by itself."""
        return Timing(self.card.time, (prod(self.normalized(inputs)),))

    def autograd(self, call: Call) -> Autograd:
        rows = self.rows(call.inputs)
        names = [weight.name for weight in self.weights(call.inputs)]
        saved = (INPUT, *(Stored(name) for name in names), *mean_and_scale(rows, call.source, call.setting))
        return Autograd(saved, call.inputs, saves_for_nobody=True)

    def placement(self, call: Call) -> Placement:
        return own_storage(call)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A value: mean, difference, square, sum, scale; backward two sums (3) and their combination (4)."""
        numel = inputs[0].numel
        standardise = Reduction(numel, STANDARDISE, {0: STANDARDISE_BACKWARD}, "standardised")
        return (standardise, *scale_and_shift(numel, self.elementwise_affine, self.elementwise_affine and self.bias))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        if not self.elementwise_affine:
            return ()
        values = {"N": prod(self.normalized(inputs))}
        formula, note = ("2*N", "a scale and a shift a feature") if self.bias else ("N", "a scale a feature")
        return (Step("parameters", formula, values, note),)


class RMSNorm(FeatureNorm):
    """Each row divided by the root of its mean square (torch.nn.RMSNorm)."""

    prefix: ClassVar[str] = "rms_norm"
    type: Literal["rms_norm"] = "rms_norm"
    card: ClassVar[Card] = card("RMSNorm", ("rms_norm",), onnx("RMSNormalization"), "nothing")
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed", "stops early"])
    eps: Number | None = None
    elementwise_affine: Flag = True

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return (Weight("weight", self.normalized(inputs)),) if self.elementwise_affine else ()

    def autograd(self, call: Call) -> Autograd:
        """On the CPU torch composes it of products, in float32 where the input has fewer bits
        (aten/src/ATen/native/layer_norm.cpp); on CUDA it is one kernel.
        """
        source, rows = call.source, self.rows(call.inputs)
        scale = (Stored("weight"),) if self.elementwise_affine else ()
        if self._is_fused(call):
            saved = (INPUT, *scale, Own("1/root", statistic(rows, source.dtype, call.setting)))
            return Autograd(saved, call.inputs, saves_for_nobody=True)
        dtype = "float32" if source.dtype in ("float16", "bfloat16") else source.dtype
        wide, roots = TensorType(source.shape, dtype), TensorType(rows, dtype)
        kept: list[Saved] = []
        if call.needs(0):
            kept += [INPUT if wide == source else Own("input in float32", wide), Own("1/root", roots), *scale]
        if call.needs("weight"):
            kept.append(Own("normalised input", wide))
        spared = sum([own.tensor.nbytes for own in kept if isinstance(own, Own)])
        forward = self._products(call, wide.nbytes, roots.nbytes) - source.nbytes - spared
        if call.needs(0):
            # Three factors of the squares' gradient, beside that of the product; what arrived, the roots and the
            # normalised input are gone.
            backward = 5 * wide.nbytes - 2 * source.nbytes - roots.nbytes - wide.nbytes * call.needs("weight")
        else:
            backward = 2 * wide.nbytes - source.nbytes if wide != source else wide.nbytes
        size = DTYPE_BYTES[source.dtype]
        return Autograd(
            tuple(kept),
            call.inputs,
            excess("products of the input", forward // size, source.dtype),
            excess("products of the gradient", backward // size, source.dtype),
        )

    def _products(self, call: Call, full: int, roots: int) -> int:
        """Bytes at the worst moment of forward, of which `full` are an input's in the wider dtype."""
        shape, narrow = call.source.shape, call.source.nbytes
        is_widened, is_turned = full != narrow, like(shape, [(shape, call.layout)]) != self.placement(call).layouts[0]
        steps = [full if is_widened else 0]
        steps += [full, roots, roots, -full - roots]  # squares, their means and the roots
        steps += [full]  # the normalised input, and its product with the weight
        steps += [full, 0 if call.needs("weight") else -full] if self.elementwise_affine else []
        steps += [full, -full] if is_turned else []  # made row-major
        steps += [0 if call.needs(0) else -full, narrow] if is_widened else []  # narrowed again
        return worst(steps)

    def placement(self, call: Call) -> Placement:
        return of_images(call)

    def _is_fused(self, call: Call) -> bool:
        """On CUDA torch has one kernel, but for images with their channels last and for a weight of another dtype."""
        mixed = self.elementwise_affine and call.setting.weights is not None
        images = call.source.rank > 3 and is_channels_last(call.source.shape, call.layout)
        return call.setting.device == "cuda" and not mixed and not images

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Square, sum, scale: 3 a value; backward a product and a sum, a product and a difference, a scale: 5."""
        numel = inputs[0].numel
        return (
            Reduction(numel, 3, {0: 5}, "divided by the root of the mean square"),
            *scale_and_shift(numel, self.elementwise_affine, False),
        )

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = {"N": prod(self.normalized(inputs))}
        return (Step("parameters", "N", values, "a scale a feature"),) if self.elementwise_affine else ()
