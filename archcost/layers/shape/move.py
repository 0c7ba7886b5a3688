"""Layers that copy values to other places: no weights and no products."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Arity
from archcost.layers.card import Card, onnx
from archcost.layers.checks import normalize_axis, require_rank
from archcost.layers.fields import MAX_SIZE, Axis, Size
from archcost.layers.memory_order import of_images, value_by_value
from archcost.layers.parameter import times_batch
from archcost.layers.rules import Autograd, Call, NewView, Placement, own_storage
from archcost.layers.shape.reshape import Reshaping, moving
from archcost.layers.shape.views import Repeating
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, VIEWED, Gradient, Own
from archcost.terms.expressions import Step
from archcost.terms.windows import SAME, WHOLE, Rules, Window

Shift = Annotated[int, Field(strict=True, ge=-MAX_SIZE, le=MAX_SIZE)]


def named_axes(dims: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Axes from the front. Raises ShapeError when one is named twice or is not there."""
    axes = tuple([normalize_axis(axis, rank, "dims") for axis in dims])
    if not axes or len(set(axes)) != len(axes):
        raise ShapeError("dims must name axes once each", expected="different axes", found=str(list(dims)))
    return axes


def moved_windows(dims: tuple[int, ...], inputs: Tensors) -> Rules:
    """Along these axes any value may have come from anywhere."""
    axes = named_axes(dims, inputs[0].rank)
    return tuple(WHOLE if axis in axes else SAME for axis in range(2, inputs[0].rank))


class Roll(Reshaping):
    """Values moved on by `shifts` along `dims`; what falls off the end comes in at the front (torch.roll)."""

    type: Literal["roll"] = "roll"
    prefix: ClassVar[str] = "roll"
    card: ClassVar[Card] = moving("torch.roll", "roll")
    shifts: tuple[Shift, ...]
    dims: tuple[Axis, ...]

    def output_types(self, inputs: Tensors) -> Tensors:
        if len(named_axes(self.dims, inputs[0].rank)) != len(self.shifts):
            raise ShapeError(
                "shifts has the wrong length", expected=f"{len(self.dims)}, one an axis", found=str(list(self.shifts))
            )
        return inputs

    def placement(self, call: Call) -> Placement:
        return of_images(call)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return moved_windows(self.dims, inputs)


class Flip(Reshaping):
    """Values in the opposite order along `dims` (torch.flip)."""

    type: Literal["flip"] = "flip"
    prefix: ClassVar[str] = "flip"
    card: ClassVar[Card] = moving("torch.flip", "flip")
    dims: tuple[Axis, ...]

    def output_types(self, inputs: Tensors) -> Tensors:
        named_axes(self.dims, inputs[0].rank)
        return inputs

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return moved_windows(self.dims, inputs)


class RepeatInterleave(Repeating):
    """Each value `repeats` times, one after another, along `dim` (torch.repeat_interleave with a number)."""

    type: Literal["repeat_interleave"] = "repeat_interleave"
    prefix: ClassVar[str] = "repeat"
    card: ClassVar[Card] = moving("torch.repeat_interleave", "repeat_interleave")
    repeats: Size
    dim: Axis

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = inputs[0].shape
        axis = normalize_axis(self.dim, len(shape))
        return (TensorType((*shape[:axis], shape[axis] * self.repeats, *shape[axis + 1 :]), inputs[0].dtype),)

    def gradient(self, call: Call) -> Gradient | NewView:
        return VIEWED if self.repeats == 1 else NewView(call.source)

    def placement(self, call: Call) -> Placement:
        """A view of the copy that torch makes."""
        return own_storage(call)._replace(is_view=True)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = normalize_axis(self.dim, inputs[0].rank)
        return (Step(f"output axis {axis}", "n*r", {"n": inputs[0].shape[axis], "r": self.repeats}, "r of each"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        along = normalize_axis(self.dim, inputs[0].rank)
        jump = Fraction(1, self.repeats)
        rule = Window(jump, jump - 1, 0)
        return tuple(rule if axis == along else SAME for axis in range(2, inputs[0].rank))


class Tile(Repeating):
    """The whole tensor `dims[axis]` times along each axis, the batch's included (torch.tile, Tensor.repeat).

    More numbers than axes make new axes in front. With a second input the number at `dim` counts once for each sample
    of that input, which is read for its size alone.
    """

    type: Literal["tile"] = "tile"
    prefix: ClassVar[str] = "tile"
    card: ClassVar[Card] = moving(None, "tile", "repeat", operator=onnx("Tile"))
    arity: ClassVar[Arity] = Arity(1, 2)
    untouched: ClassVar[frozenset[int]] = frozenset({1})
    dims: tuple[Size, ...]
    dim: Axis = 0

    def times(self, inputs: Tensors) -> tuple[int, ...]:
        if len(inputs) == 1:
            return self.dims
        return times_batch(self.dims, normalize_axis(self.dim, len(self.dims)), inputs[1])

    def _sizes(self, inputs: Tensors) -> tuple[int, ...]:
        """With an axis of a single value for each that is new."""
        return (1,) * (len(self.dims) - inputs[0].rank) + inputs[0].shape

    def output_types(self, inputs: Tensors) -> Tensors:
        if len(self.dims) < inputs[0].rank:
            expected = f"{inputs[0].rank} numbers or more, one an axis"
            raise ShapeError("dims has the wrong length", expected=expected, found=str(list(self.dims)))
        columns = zip(self._sizes(inputs), self.times(inputs), strict=True)
        return (TensorType(tuple(size * times for size, times in columns), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        """New axes are summed up first."""
        new = len(self.dims) - call.source.rank
        inner = TensorType(call.result.shape[new:], call.source.dtype)
        summed = (Own("without new axes", inner),) if new and inner.numel != call.source.numel else ()
        return replace(super().autograd(call), backward=summed)

    def gradient(self, call: Call) -> Gradient:
        is_same = len(self.dims) == call.source.rank and prod(self.times(call.inputs)) == 1
        return PASSED_ON if is_same else call.source

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        columns = enumerate(zip(self._sizes(inputs), self.times(inputs), strict=True))
        return tuple(
            Step(f"output axis {axis}", "n*r", {"n": size, "r": times}, "r times over")
            for axis, (size, times) in columns
            if times > 1
        )

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        if len(self.dims) > inputs[0].rank:
            return None
        return tuple(SAME if times == 1 else WHOLE for times in self.dims[2:])


IMAGE = "(batch, channels, height, width)"


class Pixels(Reshaping):
    """Channels and pixels that change places."""

    def placement(self, call: Call) -> Placement:
        return of_images(call)


class PixelShuffle(Pixels):
    """Channels (C·r², H, W) laid out as pixels: (C, H·r, W·r) with r = `upscale_factor` (torch.nn.PixelShuffle)."""

    type: Literal["pixel_shuffle"] = "pixel_shuffle"
    prefix: ClassVar[str] = "pixel_shuffle"
    positional: ClassVar[tuple[str, ...]] = ("upscale_factor",)
    card: ClassVar[Card] = moving("nn.PixelShuffle", "pixel_shuffle", operator=onnx("DepthToSpace"))
    upscale_factor: Size

    def output_types(self, inputs: Tensors) -> Tensors:
        require_rank(inputs[0], 4, IMAGE)
        batch, channels, height, width = inputs[0].shape
        factor = self.upscale_factor
        if channels % factor**2:
            raise ShapeError(
                f"channels cannot be laid out as {factor} by {factor} pixels",
                expected=f"a multiple of {factor**2}",
                found=str(channels),
            )
        return (TensorType((batch, channels // factor**2, height * factor, width * factor), inputs[0].dtype),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        _, channels, height, width = inputs[0].shape
        factor = self.upscale_factor
        return (
            Step("output axis 1", "C/(r*r)", {"C": channels, "r": factor}),
            Step("output H", "H_in*r", {"H_in": height, "r": factor}),
            Step("output W", "W_in*r", {"W_in": width, "r": factor}),
        )

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        jump = Fraction(1, self.upscale_factor)
        return (Window(jump, jump - 1, 0),) * 2


class PixelUnshuffle(Pixels):
    """Pixels gathered as channels: (C, H, W) → (C·r², H/r, W/r), r = `downscale_factor` (torch.nn.PixelUnshuffle)."""

    type: Literal["pixel_unshuffle"] = "pixel_unshuffle"
    prefix: ClassVar[str] = "pixel_unshuffle"
    positional: ClassVar[tuple[str, ...]] = ("downscale_factor",)
    card: ClassVar[Card] = moving("nn.PixelUnshuffle", "pixel_unshuffle", operator=onnx("SpaceToDepth"))
    downscale_factor: Size

    def output_types(self, inputs: Tensors) -> Tensors:
        require_rank(inputs[0], 4, IMAGE)
        batch, channels, height, width = inputs[0].shape
        factor = self.downscale_factor
        if height % factor or width % factor:
            raise ShapeError(
                f"height and width cannot be cut into {factor} by {factor} pixels",
                expected=f"multiples of {factor}",
                found=f"{height} and {width}",
            )
        return (TensorType((batch, channels * factor**2, height // factor, width // factor), inputs[0].dtype),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        _, channels, height, width = inputs[0].shape
        factor = self.downscale_factor
        return (
            Step("output axis 1", "C*r*r", {"C": channels, "r": factor}),
            Step("output H", "H_in/r", {"H_in": height, "r": factor}),
            Step("output W", "W_in/r", {"W_in": width, "r": factor}),
        )

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return (Window(self.downscale_factor, 0, self.downscale_factor - 1),) * 2


class ChannelShuffle(Reshaping):
    """Channels of `groups` groups one after the other, each in turn (torch.nn.ChannelShuffle)."""

    type: Literal["channel_shuffle"] = "channel_shuffle"
    prefix: ClassVar[str] = "shuffle"
    positional: ClassVar[tuple[str, ...]] = ("groups",)
    card: ClassVar[Card] = moving("nn.ChannelShuffle", "channel_shuffle", "native_channel_shuffle")
    groups: Size

    def output_types(self, inputs: Tensors) -> Tensors:
        if inputs[0].rank < 3:
            raise ShapeError("needs images", expected="(batch, channels, …)", found=str(inputs[0]))
        channels = inputs[0].shape[1]
        if channels % self.groups:
            raise ShapeError(
                "channels cannot be put in groups", expected=f"a multiple of {self.groups}", found=f"{channels}"
            )
        return inputs

    def placement(self, call: Call) -> Placement:
        return of_images(call)
