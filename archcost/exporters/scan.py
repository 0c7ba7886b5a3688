"""Running sums, sorting and the largest values of an axis in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.emit import Part, draws
from archcost.layers import ArgSort, Cummax, Cummin, Cumprod, Cumsum, LogCumsumExp, Sort, TopK
from archcost.layers.checks import normalize_axis


@draws(Cumsum)
def cumsum(part: Part) -> str:
    return part.draw("CumSum", part.cast(), part.index(part.layer.dim))


@draws(Sort)
def ordered(part: Part) -> Sequence[str]:
    """As many of the largest, or smallest, as there are."""
    axis = normalize_axis(part.layer.dim, part.source.rank)
    count = part.draw("Shape", part.inputs[0], start=axis, end=axis + 1)
    settings = {"axis": axis, "largest": int(part.layer.descending), "sorted": 1}
    tensor = part.inputs[0] if part.source.dtype != "bool" else part.cast(0, "uint8")
    return part.draw_many("TopK", 2, tensor, count, **settings)


@draws(ArgSort)
def order(part: Part) -> str:
    return ordered(part)[1]


@draws(TopK)
def topk(part: Part) -> Sequence[str]:
    layer = part.layer
    settings = {"largest": int(layer.largest), "sorted": int(layer.sorted)}
    return part.draw_many("TopK", 2, part.inputs[0], part.integers(layer.k), axis=layer.dim, **settings)


@draws(Cummax, Cummin)
def running(part: Part) -> Sequence[str]:
    return part.draw_unknown(type(part.layer).__name__, 2, part.inputs[0])


@draws(Cumprod)
def cumprod(part: Part) -> str:
    return part.draw_unknown("CumProd", 1, part.inputs[0])[0]


@draws(LogCumsumExp)
def logcumsumexp(part: Part) -> str:
    return part.draw("Log", part.draw("CumSum", part.draw("Exp", part.inputs[0]), part.index(part.layer.dim)))
