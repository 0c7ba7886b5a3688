"""Regions of images, and which boxes are kept: what detectors do between their convolutions.

How many boxes are left, and how large they are, values decide. What is assumed of it stands beside every number.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card
from archcost.layers.checks import per_axis, require_floating, require_rank
from archcost.layers.fields import Flag, Number, Size, Sizes
from archcost.layers.indexing.gather import placing
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Input, Output, Own
from archcost.terms.expressions import Step
from archcost.terms.memory_format import laid
from archcost.work import Elementwise, Gather, Reduction, Work

ASSUMED_SAMPLES = 2
"""Along each axis of a bin, where the size of the region decides: what Detectron takes for all."""


class Regions(Layer):
    """Of images (B, C, H, W), a feature map of one size for each region of the second input (K, 5): number of the
    image, x1, y1, x2, y2.
    """

    arity: ClassVar[Arity] = Arity(2, 2)
    is_sensitive: ClassVar[bool] = False
    """Whether each bin reads channels of its own."""
    notes_sources: ClassVar[bool] = False
    """Whether a second output says in int32 where each value came from."""

    output_size: Sizes
    spatial_scale: Number = 1.0

    def bins(self) -> tuple[int, ...]:
        return per_axis(self.output_size, 2, "output_size")

    def output_types(self, inputs: Tensors) -> Tensors:
        images, regions = inputs
        require_rank(images, 4, "(batch, channels, height, width)")
        require_floating(inputs)
        if regions.rank != 2 or regions.shape[1] != 5:
            raise ShapeError(
                "the second input must be regions",
                expected="(regions, 5): number of the image, x1, y1, x2, y2",
                found=str(regions),
            )
        height, width = self.bins()
        channels, rest = divmod(images.shape[1], height * width if self.is_sensitive else 1)
        if rest:
            raise ShapeError(
                "each bin reads channels of its own",
                expected=f"channels that are a multiple of {height}·{width}",
                found=str(images),
            )
        shape = (regions.shape[0], channels, height, width)
        pooled = TensorType(shape, images.dtype)
        return (pooled, TensorType(shape, "int32")) if self.notes_sources else (pooled,)

    def autograd(self, call: Call) -> Autograd:
        """It keeps regions; of the images only their shape. Regions get no gradient."""
        if not self.notes_sources:
            return Autograd((Input(1),), (call.source, None))
        zeros = Own("zeros in place of a gradient of integers", call.outputs[1])
        return Autograd((Input(1), Output(1)), (call.source, None), backward=(zeros,))

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """A region may lie anywhere."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step("output axis 0", "K", {"K": inputs[1].shape[0]}, "a feature map for each region"),)


class Aligned(Regions):
    """Means of points between the values: of `sampling_ratio` points along each axis of a bin, each weighed of its four
    neighbours (4 products, 3 additions). Backward divides, and adds 4 products for each point.
    """

    sampling_ratio: Annotated[int, Field(strict=True, ge=-1, le=1000)] = -1

    @property
    def assumption(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        if self.sampling_ratio > 0:
            return ""
        return f"every bin of a region is read at {ASSUMED_SAMPLES}·{ASSUMED_SAMPLES} points, whatever its size"

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Seven operations a point, the points' sum and its division."""
        along = self.sampling_ratio if self.sampling_ratio > 0 else ASSUMED_SAMPLES
        points = along * along
        return (Reduction(outputs[0].numel, 8 * points, {0: 1 + 8 * points}, "mean of points between values"),)


class RoiAlign(Aligned):
    """Regions of images as means of points between values (torchvision.ops.roi_align; He et al. 2017, Mask R-CNN).

    Inputs: images (B, C, H, W), regions (K, 5). `sampling_ratio` points along each axis of a bin, each weighed of its
    four neighbours; without it the size of a region decides, and two are assumed.
    """

    type: Literal["roi_align"] = "roi_align"
    prefix: ClassVar[str] = "roi_align"
    card: ClassVar[Card] = placing(None, time="interpolation")
    aligned: Flag = False


class PsRoiAlign(Aligned):
    """Regions of images as means of points, each bin of channels of its own (torchvision.ops.ps_roi_align; Li et al.
    2018, Light-Head R-CNN).

    Inputs: images (B, C·h·w, H, W), regions (K, 5). Outputs: (K, C, h, w), and of which channel each value is, int32.
    """

    type: Literal["ps_roi_align"] = "ps_roi_align"
    prefix: ClassVar[str] = "roi_align"
    card: ClassVar[Card] = placing(None, time="interpolation")
    is_sensitive: ClassVar[bool] = True
    notes_sources: ClassVar[bool] = True


class Pooled(Regions):
    """Of all values in a bin."""

    assumption: ClassVar[str] = "every region is as large as its image"

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """An operation a value read: each bin has its part of the image."""
        (height, width), pooled = self.bins(), outputs[0]
        read = pooled.numel // (height * width) * inputs[0].shape[2] * inputs[0].shape[3]
        if self.is_sensitive:
            return (Reduction(read, 1, {0: 1}, "mean of a bin"),)
        return (
            Reduction(read, 1, {}, "maximum of a bin"),
            Gather(pooled.numel, 0, {0: 1}, "gradient put back at the maximum"),
        )


class RoiPool(Pooled):
    """Regions of images, the largest value of each bin (torchvision.ops.roi_pool; Girshick 2015, Fast R-CNN).

    Inputs: images (B, C, H, W), regions (K, 5). Outputs: (K, C, h, w), and where each value came from, int32. A
    comparison a value read; how many those are, values decide: assumed is the whole image.
    """

    type: Literal["roi_pool"] = "roi_pool"
    prefix: ClassVar[str] = "roi_pool"
    card: ClassVar[Card] = placing(None, time="max pooling")
    notes_sources: ClassVar[bool] = True


class PsRoiPool(Pooled):
    """Regions of images, the mean of each bin of channels of its own (torchvision.ops.ps_roi_pool; Dai et al. 2016,
    R-FCN).

    Inputs: images (B, C·h·w, H, W), regions (K, 5). Outputs: (K, C, h, w), and of which channel each value is, int32.
    An operation a value read, forward and backward; assumed is that a region is the whole image.
    """

    type: Literal["ps_roi_pool"] = "ps_roi_pool"
    prefix: ClassVar[str] = "roi_pool"
    card: ClassVar[Card] = placing(None, time="average pooling")
    is_sensitive: ClassVar[bool] = True
    notes_sources: ClassVar[bool] = True


class Nms(Layer):
    """Boxes (N, 4) and their scores (N) → which boxes are kept, the best first, int64 (torchvision.ops.nms).

    A box is dropped where it overlaps a better one by more than a threshold. How many are left, values decide: all are
    assumed, each compared with every better one. 13 operations a pair (4 comparisons, 2 differences cut off at 0, a
    product, a sum and a difference of areas, a quotient, a comparison), 3 for each area. There is no gradient.
    """

    type: Literal["nms"] = "nms"
    prefix: ClassVar[str] = "nms"
    card: ClassVar[Card] = placing(None, promotion="named", time="copy")
    arity: ClassVar[Arity] = Arity(2, 2)
    assumption: ClassVar[str] = "no box is suppressed by another, so each is compared with all better ones"

    def output_types(self, inputs: Tensors) -> Tensors:
        boxes, scores = inputs
        require_floating(inputs)
        if boxes.rank != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
            raise ShapeError(
                "needs boxes and a score for each", expected="(boxes, 4) and (boxes)", found=f"{boxes} and {scores}"
            )
        return (TensorType(scores.shape, "int64"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (None, None))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        boxes = inputs[1].numel
        return (
            Elementwise(boxes, 3, {}, "areas"),
            Elementwise(boxes * (boxes - 1) // 2, 13, {}, "overlaps"),
        )

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step("output axis 0", "N", {"N": inputs[1].numel}, self.assumption),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """An index has no place."""
        return


class Nonzero(Layer):
    """Where a mask holds: (n, axes) int64, a row for each value that does (torch.nonzero).

    How many do, values decide. `count` is how many are assumed; without it all. There is no arithmetic and no gradient.
    """

    type: Literal["nonzero"] = "nonzero"
    prefix: ClassVar[str] = "nonzero"
    card: ClassVar[Card] = placing(None, promotion="named", time="copy")
    count: Size | None = None

    @property
    def assumption(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        if self.count is None:
            return "a mask holds for every value"
        return f"a mask holds for {self.count:,} values"

    def output_types(self, inputs: Tensors) -> Tensors:
        values = inputs[0].numel
        if not inputs[0].rank:
            raise ShapeError("a mask has axes", expected="at least one", found=str(inputs[0]))
        if self.count is not None and self.count > values:
            raise ShapeError("count is more than there are", expected=f"at most {values:,}", found=f"{self.count:,}")
        return (TensorType((values if self.count is None else self.count, inputs[0].rank), "int64"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (None,))

    def placement(self, call: Call) -> Placement:
        """Axis by axis, so that the positions along one lie side by side."""
        places, axes = call.result.shape
        return own_storage(call, (laid((places, axes), (1, places)),))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Gather(inputs[0].numel, 0, {}, "places written down"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step("output axis 0", "n", {"n": outputs[0].shape[0]}, self.assumption),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """An index has no place."""
        return
