"""Attention in ONNX."""

from __future__ import annotations

from archcost.exporters.emit import DTYPES, Attribute, Part, draws
from archcost.layers import ScaledDotProductAttention


@draws(ScaledDotProductAttention)
def attention(part: Part) -> str:
    """ONNX reads off the heads which of them serve several, and drops nothing out. It knows no other axes."""
    layer = part.layer
    if part.source.rank != 4:
        return _composed_attention(part)
    settings: dict[str, Attribute] = {} if layer.scale is None else {"scale": layer.scale}
    return part.draw("Attention", *part.inputs, is_causal=int(layer.is_causal), **settings)


LEAST = -3.4e38
"""What a score that is hidden becomes, in place of minus infinity."""


def _composed_attention(part: Part) -> str:
    layer, rank = part.layer, part.source.rank
    query, key, value, *masks = part.inputs
    scale = part.number(part.source.shape[-1] ** -0.5 if layer.scale is None else layer.scale)
    turned = part.draw("Transpose", key, perm=(*range(rank - 2), rank - 1, rank - 2))
    scores = part.draw("Mul", part.draw("MatMul", query, turned), scale)
    if layer.is_causal:
        ones = part.full(1.0, (part.source.shape[-2], part.node.input_types[1].shape[-2]))
        masks = [part.draw("Cast", part.draw("Trilu", ones, upper=0), to=DTYPES["bool"])]
    if layer.is_causal or (masks and part.node.input_types[3].dtype == "bool"):
        scores = part.draw("Where", masks[0], scores, part.number(LEAST))
    elif masks:
        scores = part.draw("Add", scores, masks[0])
    return part.draw("MatMul", part.draw("Softmax", scores, axis=-1), value)
