"""Layers that fold axes, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.emit import DTYPES, Part, draws
from archcost.layers import (
    All,
    AMax,
    AMin,
    AMinMax,
    AnyTrue,
    ArgMax,
    ArgMin,
    CountNonzero,
    KthValue,
    LogSumExp,
    Max,
    Mean,
    Median,
    MedianAll,
    Min,
    Mode,
    Multinomial,
    NanMedian,
    NanMedianAll,
    NanSum,
    Norm,
    Prod,
    Std,
    Sum,
    Var,
)
from archcost.layers.checks import normalize_axis

EXTREMA = {"amax": "ReduceMax", "amin": "ReduceMin", "any": "ReduceMax", "all": "ReduceMin"}
"""Of truth values the largest says whether any holds, the smallest whether all do."""


def axes(part: Part) -> str:
    """Those that go; "" for all."""
    if part.layer.dim is None:
        return ""
    return part.integers(*sorted(part.layer.axes(part.node.input_types)))


def reduced(part: Part, kind: str, tensor: str) -> str:
    return part.draw(kind, tensor, axes(part), keepdims=int(part.layer.keepdim))


@draws(Mean, Sum, Prod, LogSumExp)
def folded(part: Part) -> str:
    """In the dtype of the result, in which torch adds up integers."""
    return reduced(part, part.layer.card.onnx.operator, part.cast())


@draws(AMax, AMin)
def extreme(part: Part) -> str:
    return reduced(part, EXTREMA[part.layer.type], part.cast())


@draws(AnyTrue, All)
def truth(part: Part) -> str:
    return reduced(part, EXTREMA[part.layer.type], part.cast(0, "bool"))


@draws(Max, Min)
def picked(part: Part) -> Sequence[str]:
    """A value and where it is, which ONNX finds by two operators."""
    dim, keepdims = part.layer.dim, int(part.layer.keepdim)
    kind = "Max" if part.layer.type == "max" else "Min"
    return (
        part.draw(f"Reduce{kind}", part.inputs[0], part.integers(dim), keepdims=keepdims),
        part.draw(f"Arg{kind}", part.inputs[0], axis=dim, keepdims=keepdims),
    )


@draws(ArgMax, ArgMin)
def position(part: Part) -> str:
    """Without an axis, among all values one after the other."""
    layer, kind = part.layer, part.layer.card.onnx.operator
    if layer.dim is not None:
        return part.draw(kind, part.inputs[0], axis=layer.dim, keepdims=int(layer.keepdim))
    flat = part.draw("Reshape", part.inputs[0], part.integers(-1))
    found = part.draw(kind, flat, axis=0, keepdims=0)
    return part.draw("Reshape", found, part.integers(*part.result.shape)) if layer.keepdim else found


@draws(Var)
def variance(part: Part) -> str:
    """Σ(x − mean)²/(n − correction), n asked of the tensor, since it may be the batch."""
    over, keepdims = axes(part), int(part.layer.keepdim)
    apart = part.draw("Sub", part.inputs[0], part.draw("ReduceMean", part.inputs[0], over, keepdims=1))
    squares = part.draw("Mul", apart, apart)
    if part.layer.correction == 0:
        return part.draw("ReduceMean", squares, over, keepdims=keepdims)
    sizes = part.draw("Gather", part.draw("Shape", part.inputs[0]), over, axis=0)
    values = part.draw("Sub", part.draw("ReduceProd", sizes, keepdims=0), part.index(part.layer.correction))
    divisor = part.draw("Cast", values, to=DTYPES[part.source.dtype])
    return part.draw("Div", part.draw("ReduceSum", squares, over, keepdims=keepdims), divisor)


@draws(Std)
def deviation(part: Part) -> str:
    return part.draw("Sqrt", variance(part))


@draws(Norm)
def norm(part: Part) -> str:
    """ONNX has operators for orders 1 and 2, and for extrema."""
    order = part.layer.ord
    if order in (1, 2):
        return reduced(part, f"ReduceL{int(order)}", part.inputs[0])
    sizes = part.draw("Abs", part.cast())
    if order in ("inf", "-inf"):
        return reduced(part, "ReduceMax" if order == "inf" else "ReduceMin", sizes)
    if order == 0:
        return reduced(part, "ReduceSum", part.draw("Sign", sizes))
    total = reduced(part, "ReduceSum", part.draw("Pow", sizes, part.number(float(order))))
    return part.draw("Pow", total, part.number(1 / order))


@draws(AMinMax)
def both_ends(part: Part) -> Sequence[str]:
    layer = part.layer
    over = "" if layer.dim is None else part.integers(layer.dim)
    ends = ("ReduceMin", "ReduceMax")
    return [part.draw(kind, part.inputs[0], over, keepdims=int(layer.keepdim)) for kind in ends]


@draws(CountNonzero)
def count(part: Part) -> str:
    marks = part.draw("Cast", part.cast(0, "bool"), to=DTYPES["int64"])
    return part.draw("ReduceSum", marks, axes(part), keepdims=0)


@draws(NanSum)
def nansum(part: Part) -> str:
    is_nan = part.draw("IsNaN", part.inputs[0])
    return reduced(part, "ReduceSum", part.draw("Where", is_nan, part.number(0.0), part.inputs[0]))


@draws(KthValue)
def kth(part: Part) -> Sequence[str]:
    """The last of the k smallest."""
    layer = part.layer
    axis = normalize_axis(layer.dim, part.source.rank)
    settings = {"axis": axis, "largest": 0, "sorted": 1}
    smallest = part.draw_many("TopK", 2, part.inputs[0], part.integers(layer.k), **settings)
    last = part.integers(layer.k - 1) if layer.keepdim else part.index(layer.k - 1)
    return [part.draw("Gather", each, last, axis=axis) for each in smallest]


@draws(Median, NanMedian, Mode)
def picked_by_order(part: Part) -> Sequence[str]:
    return part.draw_unknown(type(part.layer).__name__, 2, part.inputs[0])


@draws(MedianAll, NanMedianAll, Multinomial)
def foreign(part: Part) -> str:
    """None of which ONNX has an operator for, or, of what is drawn, none that reads weights as torch does."""
    return part.draw_unknown(type(part.layer).__name__, 1, part.inputs[0])[0]
