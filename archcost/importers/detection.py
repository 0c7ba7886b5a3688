"""Torchvision's detectors: what values decide in them, with what is assumed in its place.

How many proposals and boxes are left, in which level of features each lies, and how large each is, decide the sizes of
all that follows. While one of torchvision's functions that ask for it runs, a mask holds for as many values as go on:
of the proposals for all, of the boxes above a threshold for as many as the detector looks at further
(`topk_candidates`, `detections_per_img`), of a level for its equal share. Layers say what is assumed, and `ASSUMED`
what of it is torchvision's own way of working.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import handle_torch_function

from archcost.errors import ArchcostError


class Count(NamedTuple):
    """How many values of a mask are taken to hold: a share of all, and at most so many. `word` is how that is told."""

    parts: int = 1
    limit: int | None = None
    word: str = "mask"

    def of(self, values: int) -> int:
        shared = -(-values // self.parts)
        return shared if self.limit is None else min(shared, self.limit)


EVERY = Count()


_counts: list[Count] = []
"""Of the functions that run, the innermost last."""

MASKED = {"where": "where_{}_holds", "nonzero": "places_of_{}", "getitem": "picked_by_{}"}
"""Calls whose results have as many values as a mask, and the names under which they are recorded instead."""


def masked_name(name: str, args: Any) -> str:
    """The name of a call, or another one for a call that asks a mask of the network in a detector."""
    if not _counts or name not in MASKED:
        return name
    mask = args[-1]
    asks = isinstance(mask, Tensor) and mask.is_meta and len(args) == (2 if name == "getitem" else 1)
    is_mask = asks and (name == "nonzero" or mask.dtype == torch.bool)
    return MASKED[name].format(_counts[-1].word) if is_mask else name


def places(mask: Tensor) -> Tensor:
    """Where the mask is taken to hold, as `nonzero` gives it."""
    return handle_torch_function(_some_places, (mask,), mask, _counts[-1].of(mask.numel()))


def _some_places(mask: Tensor, count: int) -> Tensor:
    return torch.empty((mask.dim(), count), dtype=torch.int64, device="meta").t()


def kept(boxes: Tensor, scores: Tensor) -> Tensor:
    """Which boxes are kept: all of them, the best first."""
    return handle_torch_function(_kept_boxes, (boxes,), boxes, scores)


def _kept_boxes(boxes: Tensor, scores: Tensor) -> Tensor:
    return torch.empty(scores.shape, dtype=torch.int64, device="meta")


_some_places.__name__, _kept_boxes.__name__ = "some_places", "kept_boxes"


@contextmanager
def counted(count: Count) -> Generator[None]:
    _counts.append(count)
    try:
        yield
    finally:
        _counts.pop()


def _counting(function: Any, count_of: Callable[[Any], Count]) -> Any:
    """The function, during which masks hold as its first argument says."""

    @wraps(function)
    def call(first: Any, *args: Any, **named: Any) -> Any:
        with counted(count_of(first)):
            return function(first, *args, **named)

    return call


def _nms_of_all(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """In one pass, boxes of each class moved apart from the others, as torchvision does with fewer of them."""
    boxes_of_torchvision: Any = sys.modules["torchvision.ops.boxes"]
    return boxes_of_torchvision._batched_nms_coordinate_trick(boxes, scores, idxs, iou_threshold)


def _pasted(masks: Tensor, boxes: Tensor, img_shape: Sequence[int], padding: int = 1) -> Tensor:
    return handle_torch_function(paste, (masks,), masks, img_shape)


def paste(masks: Tensor, size: Sequence[int]) -> Tensor:
    """Each mask as large as the image: so large may a box be."""
    return functional.interpolate(masks, size=list(size), mode="bilinear", align_corners=False)


def _keypoints(maps: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
    return handle_torch_function(find_keypoints, (maps,), maps, rois)


def find_keypoints(maps: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
    """Of each map its largest value, looked for where it is enlarged to the size of its box: taken as four-fold."""
    wide = functional.interpolate(maps, scale_factor=4.0, mode="bicubic", align_corners=False)
    scores, positions = wide.flatten(2).max(2)
    columns = wide.shape[3]
    x, y = positions % columns, positions.div(columns, rounding_mode="floor")
    boxes = rois[:, None, :]
    corrections = (boxes[..., 2:] - boxes[..., :2]) / columns
    found = torch.stack([x, y], 2) * corrections + boxes[..., :2]
    return torch.cat([found, torch.ones_like(found[..., :1])], 2), scores


ASSUMED = {
    "where_level_holds": "regions are spread evenly over the levels of features",
    "paste": "a mask is enlarged to the whole image, as large as its box may be",
    "find_keypoints": "maps of keypoints are enlarged four-fold, whatever the size of their boxes",
}
"""By the name of a call what reading it rests on."""

DETECTORS = frozenset(["FasterRCNN", "MaskRCNN", "KeypointRCNN", "GeneralizedRCNN", "RetinaNet", "FCOS", "SSD"])


def require_single_images(module: nn.Module, is_batched: bool) -> None:
    """Raises ArchcostError for a detector of torchvision with a batch: it runs through its images one by one."""
    names = {
        each.__name__ for each in type(module).__mro__ if each.__module__.startswith("torchvision.models.detection")
    }
    if is_batched and names & DETECTORS:
        raise ArchcostError(
            f"{type(module).__name__} takes images one by one, each of its own size, so that there is no batch",
            expected="one image, declared as it is",
            found="an input with a batch",
            hint='torch.zeros(1, 3, 800, 800) with unbatched=["images"] (--input images=1x3x800x800:float32:unbatched)',
        )


@contextmanager
def intercepted() -> Generator[None]:
    """Functions of torchvision's detectors that ask for values run on assumptions. Nothing where it is not loaded."""
    modules: dict[str, Any] = {name: module for name, module in sys.modules.items() if name.startswith("torchvision.")}
    with ExitStack() as stack:
        for module, names in PATCHED.items():
            for name, replaced in names.items() if module in modules else ():
                owner, _, attribute = name.rpartition(".")
                holder = getattr(modules[module], owner) if owner else modules[module]
                if hasattr(holder, attribute):
                    stack.enter_context(patch.object(holder, attribute, replaced(getattr(holder, attribute))))
        yield


def _asking(count_of: Callable[[Any], Count]) -> Callable[[Any], Any]:
    return lambda function: _counting(function, count_of)


def _instead(replacement: Any) -> Callable[[Any], Any]:
    return lambda function: replacement


PATCHED: dict[str, dict[str, Callable[[Any], Any]]] = {
    "torchvision.ops.boxes": {
        "remove_small_boxes": _asking(lambda boxes: EVERY),
        "_batched_nms_vanilla": _instead(_nms_of_all),
    },
    "torchvision.ops.poolers": {"_multiscale_roi_align": _asking(lambda features: Count(len(features), word="level"))},
    "torchvision.models.detection.rpn": {"RegionProposalNetwork.filter_proposals": _asking(lambda rpn: EVERY)},
    "torchvision.models.detection.roi_heads": {
        "RoIHeads.postprocess_detections": _asking(lambda heads: Count(limit=heads.detections_per_img)),
        "paste_masks_in_image": _instead(_pasted),
        "heatmaps_to_keypoints": _instead(_keypoints),
    },
    "torchvision.models.detection.transform": {"paste_masks_in_image": _instead(_pasted)},
    **{
        f"torchvision.models.detection.{module}": {
            f"{name}.postprocess_detections": _asking(lambda detector: Count(limit=detector.topk_candidates))
        }
        for module, name in (("retinanet", "RetinaNet"), ("fcos", "FCOS"), ("ssd", "SSD"))
    },
}
"""By module, what is replaced, and by what is made of it."""
