"""Complex numbers in ONNX, which has tensors of them and hardly an operator: operators of archcost's own."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.emit import Part, draws
from archcost.layers import (
    Angle,
    Complex,
    ComplexScale,
    Conj,
    ConjPhysical,
    Imag,
    Magnitude,
    Polar,
    Real,
    ViewAsComplex,
    ViewAsReal,
)


@draws(Angle, Complex, ComplexScale, Conj, ConjPhysical, Imag, Magnitude, Polar, Real, ViewAsComplex, ViewAsReal)
def itself(part: Part) -> Sequence[str]:
    return part.draw_itself()
