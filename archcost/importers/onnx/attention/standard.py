"""ONNX's own attention, with a past or without."""

from __future__ import annotations

from archcost.importers.onnx.attention.parts import (
    Heads,
    after,
    attended,
    by_heads,
    causal_mask,
    first_of,
    merged,
    side_by_side,
)
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.tensors import TensorType


def attention(call: Call) -> Result:
    """Queries, keys and values of 4 axes, or of 3 with the heads side by side. Outputs: the result, all keys, all
    values, the scores.
    """
    heads, groups = call.integer("q_num_heads", 0), call.integer("kv_num_heads", 0)
    flat = call[0].rank == 3
    query, key, value = call[0], call[1], call[2]
    if flat:
        query, key, value = (
            by_heads(call, each, count) for each, count in ((query, heads), (key, groups), (value, groups))
        )
    if not query.rank == key.rank == value.rank == 4:
        raise UnsupportedError("attention of other than 3 or 4 axes")
    new = key.shape[2]
    key, value = after(call, call.get(4), key), after(call, call.get(5), value)
    mask = _whole(call, call.get(3), key.shape[2])
    filled = call.get(6)
    if filled is not None:
        mask = merged(call, mask, first_of(call, filled, key.shape[2]))
    is_causal = call.flag("is_causal")
    if is_causal and (mask is not None or filled is not None or key.shape[2] != new):
        mask, is_causal = merged(call, mask, causal_mask(query.shape[2], key.shape[2])), False
    wants_scores = bool([*call.node.outputs, "", "", "", ""][3])
    scale, softcap = call.real("scale", 0.0), call.real("softcap", 0.0)
    asked = call.integer("qk_matmul_output_mode", 0) if wants_scores else None
    result, scores = attended(
        call, Heads(query, key, value), mask, is_causal=is_causal, scale=scale, softcap=softcap, scores_at=asked
    )
    return side_by_side(call, result) if flat else result, key, value, scores


def _whole(call: Call, mask: Value | None, keys: int) -> Value | None:
    """A mask of fewer keys than there are hides the others."""
    if mask is None or mask.shape[-1] in (1, keys) or mask.shape[-1] > keys:
        return mask
    if mask.is_constant:
        return Value(TensorType((*mask.shape[:-1], keys), mask.tensor.dtype))
    return call.layer("pad", mask, pad=[0, keys - mask.shape[-1]])


RULES: dict[str, Rule] = {"Attention": attention}
