"""Resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from archcost.importers.onnx_call import Call, Rule, one
from archcost.importers.onnx_values import UnsupportedError, Value, from_batch
from archcost.layers.checks import normalize_axis

MODES = {"nearest": ("nearest",) * 3, "linear": ("linear", "bilinear", "trilinear"), "cubic": ("", "bicubic", "")}
"""Torch's words, by the number of spatial axes."""


def resize(call: Call) -> Value:
    """`sizes`, or ⌊n·scale⌋, as attributes or inputs of each version of ONNX. Axes other than those of images, such as
    of images with the channels last, are moved behind the others for it.
    """
    value = call[0]
    after = _resized(call, value)
    changed = [axis for axis, size in enumerate(after) if size != value.shape[axis]]
    if changed and changed[0] < 2 <= value.rank - len(changed) and not set(changed) & set(from_batch(value.shape)):
        order = [axis for axis in range(value.rank) if axis not in changed] + changed
        moved = call.layer("permute", value, dims=order)
        result = _enlarged(call, moved, [after[axis] for axis in order])
        return call.layer("permute", result, dims=[order.index(axis) for axis in range(value.rank)])
    return _enlarged(call, value, after)


def _enlarged(call: Call, value: Value, after: Sequence[int]) -> Value:
    if tuple(after[:2]) != value.shape[:2] or not 3 <= value.rank <= 5:
        raise UnsupportedError("a resize of other axes than those of images")
    mode = MODES.get(call.word("mode", "nearest"), ("", "", ""))[value.rank - 3]
    if not mode:
        raise UnsupportedError(f"mode {call.word('mode')} for {value.rank - 2} axes")
    aligned = call.word("coordinate_transformation_mode") == "align_corners"
    corners = {} if mode == "nearest" else {"align_corners": aligned}
    smoothed = {"antialias": True} if call.flag("antialias") and mode != "nearest" else {}
    if smoothed and (aligned or value.rank != 4):
        raise UnsupportedError("antialias with align_corners, or of other images than those of 2 axes")
    return call.layer("upsample", value, size=one(after[2:]), mode=mode, **corners, **smoothed)


def _resized(call: Call, value: Value) -> list[int]:
    """What is cut out of a region beforehand costs nothing: as many values are worked out, of as many each."""
    axes = [normalize_axis(axis, value.rank, "axes") for axis in call.sizes("axes") or range(value.rank)]
    sizes = call.integers(3) or None
    if sizes is not None and len(sizes) != len(axes):
        raise UnsupportedError("sizes of other axes")
    after = list(value.shape)
    if sizes:
        sizes = _as_policy_says(call, [value.shape[axis] for axis in axes], sizes)
        for axis, size in zip(axes, sizes, strict=True):
            after[axis] = after[axis] if axis == 0 and size == call.written_for else size
        return after
    scales = _scales(call)
    if len(scales) != len(axes):
        raise UnsupportedError("scales of other axes")
    for axis, scale in zip(axes, scales, strict=True):
        after[axis] = int(after[axis] * scale)
    return after


def _as_policy_says(call: Call, before: Sequence[int], sizes: list[int]) -> list[int]:
    """Of the scale that keeps the aspect ratio, where it must be kept."""
    policy = call.word("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return sizes
    scales = [wanted / size for wanted, size in zip(sizes, before, strict=True)]
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [int(scale * size + 0.5) for size in before]


def _scales(call: Call) -> list[float]:
    """An attribute, the second input, or the third behind a region of interest."""
    given = call.node.attributes.get("scales")
    if isinstance(given, list):
        return [scale for scale in cast("list[Any]", given) if isinstance(scale, (int, float))]
    value = call.get(2) if len(call.inputs) > 2 else call.get(1)
    if value is None or value.numbers is None:
        raise UnsupportedError("scales that are computed")
    return [float(scale) for scale in value.numbers.flatten()]


RULES: dict[str, Rule] = {"Resize": resize, "Upsample": resize, "com.microsoft.nchwc::Upsample": resize}
