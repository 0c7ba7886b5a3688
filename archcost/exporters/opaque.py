"""Operations of which only the shapes are known, and functions that bring their own backward, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.emit import Part, draws
from archcost.layers import Integers, Opaque, OwnBackward


@draws(Opaque, Integers)
def opaque(part: Part) -> Sequence[str]:
    """With the formulas of its author, where there are some, as attributes."""
    told = {name: getattr(part.layer, name, None) for name in ("flops", "backward_flops")}
    attributes = {name: list(value) for name, value in told.items() if value is not None}
    return part.draw_unknown(part.layer.op, len(part.node.output_types), *part.inputs, **attributes)


@draws(OwnBackward)
def returned(part: Part) -> Sequence[str]:
    """What forward made, by layers of its own: a file says nothing of a backward."""
    returns: Sequence[int] = part.layer.returns
    return tuple([part.draw("Identity", part.inputs[index]) for index in returns])
