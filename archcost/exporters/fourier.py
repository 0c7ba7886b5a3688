"""Fourier transforms in ONNX, whose DFT takes no complex tensors: operators of archcost's own."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.emit import Part, draws
from archcost.layers import FFT, IRFFT, RFFT, OverlapAdd


@draws(FFT, IRFFT, RFFT, OverlapAdd)
def itself(part: Part) -> Sequence[str]:
    return part.draw_itself()
