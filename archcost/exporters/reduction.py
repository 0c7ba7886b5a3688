"""Layers that fold axes, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.emit import DTYPES, Part, draws
from archcost.layers import (
    All,
    AMax,
    AMin,
    AnyTrue,
    ArgMax,
    ArgMin,
    LogSumExp,
    Max,
    Mean,
    Min,
    Norm,
    Prod,
    Std,
    Sum,
    Var,
)

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
    return part.draw(f"ReduceL{part.layer.ord}", part.inputs[0], axes(part), keepdims=int(part.layer.keepdim))
