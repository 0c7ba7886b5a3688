"""Dropout in ONNX."""

from __future__ import annotations

from archcost.exporters.emit import Part, draws
from archcost.layers import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d


@draws(Dropout, Dropout1d, Dropout2d, Dropout3d, AlphaDropout)
def dropout(part: Part) -> str:
    """With its ratio, although ONNX drops nothing outside training."""
    return part.draw("Dropout", part.inputs[0], part.number(part.layer.p, "float32"))
