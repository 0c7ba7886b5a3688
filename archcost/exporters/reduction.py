"""Layers that fold axes, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.exporters.emit import DTYPES, Part, Rendering


def axes(part: Part) -> str:
    """Those that go; "" for all."""
    if part.layer.dim is None:
        return ""
    return part.integers(*sorted(part.layer.axes(part.node.input_types)))


def folded(kind: str) -> Rendering:
    """In the dtype of the result, in which torch adds up integers."""
    return lambda part: part.draw(kind, part.cast(), axes(part), keepdims=int(part.layer.keepdim))


def picked(kind: str, index: str) -> Rendering:
    """A value and where it is, which ONNX finds by two operators."""

    def rendering(part: Part) -> Sequence[str]:
        dim, keepdims = part.layer.dim, int(part.layer.keepdim)
        return (
            part.draw(kind, part.inputs[0], part.integers(dim), keepdims=keepdims),
            part.draw(index, part.inputs[0], axis=dim, keepdims=keepdims),
        )

    return rendering


def position(kind: str) -> Rendering:
    """Without an axis, among all values one after the other."""

    def rendering(part: Part) -> str:
        layer = part.layer
        if layer.dim is not None:
            return part.draw(kind, part.inputs[0], axis=layer.dim, keepdims=int(layer.keepdim))
        flat = part.draw("Reshape", part.inputs[0], part.integers(-1))
        found = part.draw(kind, flat, axis=0, keepdims=0)
        return part.draw("Reshape", found, part.integers(*part.result.shape)) if layer.keepdim else found

    return rendering


def truth(kind: str) -> Rendering:
    def rendering(part: Part) -> str:
        return part.draw(kind, part.cast(0, "bool"), axes(part), keepdims=int(part.layer.keepdim))

    return rendering


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


def norm(part: Part) -> str:
    return part.draw(f"ReduceL{part.layer.ord}", part.inputs[0], axes(part), keepdims=int(part.layer.keepdim))


RENDERINGS: dict[str, Rendering] = {
    "mean": folded("ReduceMean"),
    "sum": folded("ReduceSum"),
    "prod": folded("ReduceProd"),
    "logsumexp": folded("ReduceLogSumExp"),
    "any": truth("ReduceMax"),
    "all": truth("ReduceMin"),
    "amax": folded("ReduceMax"),
    "amin": folded("ReduceMin"),
    "max": picked("ReduceMax", "ArgMax"),
    "min": picked("ReduceMin", "ArgMin"),
    "argmax": position("ArgMax"),
    "argmin": position("ArgMin"),
    "var": variance,
    "std": lambda part: part.draw("Sqrt", variance(part)),
    "norm": norm,
}
