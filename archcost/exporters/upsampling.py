"""Enlarging in ONNX."""

from __future__ import annotations

from archcost.exporters.emit import Attribute, Part, draws
from archcost.layers import Upsample


@draws(Upsample)
def upsample(part: Part) -> str:
    """To sizes rather than by factors, which are single precision in ONNX."""
    layer = part.layer
    sizes = part.integers(*part.result.shape[2:])
    axes = tuple(range(2, part.source.rank))
    if layer.mode == "nearest":
        return part.draw(
            "Resize",
            *(part.inputs[0], "", "", sizes),
            axes=axes,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    if layer.mode == "nearest-exact":
        return part.draw(
            "Resize",
            *(part.inputs[0], "", "", sizes),
            axes=axes,
            mode="nearest",
            coordinate_transformation_mode="half_pixel",
            nearest_mode="round_prefer_ceil",
        )
    settings: dict[str, Attribute] = {"antialias": 1, "exclude_outside": 1} if layer.antialias else {}
    if layer.mode == "bicubic":
        settings["cubic_coeff_a"] = -0.5 if layer.antialias else -0.75
    return part.draw(
        "Resize",
        *(part.inputs[0], "", "", sizes),
        axes=axes,
        mode="cubic" if layer.mode == "bicubic" else "linear",
        coordinate_transformation_mode="align_corners" if layer.align_corners else "half_pixel",
        **settings,
    )
