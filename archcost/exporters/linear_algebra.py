"""Factors of matrices in ONNX, which has none: operators of archcost's own."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.emit import Part, draws
from archcost.layers import Inverse, Solve, SolveTriangular


@draws(Inverse, Solve, SolveTriangular)
def itself(part: Part) -> Sequence[str]:
    return part.draw_itself()
