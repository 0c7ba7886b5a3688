"""Attention."""

from __future__ import annotations

from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, Value


def attention(call: Call) -> Result:
    """Queries, keys and values of 4 axes, or of 3 with the heads side by side; none from the past."""
    query, key, value, mask = call[0], call[1], call[2], call.get(3)
    outputs = [name for name in call.node.outputs if name]
    if any(call.get(index) is not None for index in range(4, len(call.inputs))) or len(outputs) > 1:
        raise UnsupportedError("attention with a past")
    if call.real("softcap", 0.0) or (mask is not None and call.integer("is_causal", 0)):
        raise UnsupportedError("attention with a soft cap, or with a mask beside is_causal")
    heads, groups = call.integer("q_num_heads", 0), call.integer("kv_num_heads", 0)
    flat = query.rank == 3
    if flat:
        query, key, value = (
            _by_heads(call, tensor, count) for tensor, count in ((query, heads), (key, groups), (value, groups))
        )
    if not query.rank == key.rank == value.rank == 4:
        raise UnsupportedError("attention of other than 3 or 4 axes")
    scale = call.real("scale", 0.0)
    result = call.layer(
        "scaled_dot_product_attention",
        query,
        key,
        value,
        *(() if mask is None else (mask,)),
        is_causal=call.flag("is_causal"),
        enable_gqa=query.shape[1] != key.shape[1],
        **({"scale": scale} if scale else {}),
    )
    if not flat:
        return result
    together = call.layer("permute", result, dims=[0, 2, 1, 3])
    return call.layer("flatten", together, start_dim=2)


def _by_heads(call: Call, tensor: Value, heads: int) -> Value:
    if not heads:
        raise UnsupportedError("attention without its number of heads")
    apart = call.layer("unflatten", tensor, dim=-1, unflattened_size=[heads, -1])
    return call.layer("permute", apart, dims=[0, 2, 1, 3])


RULES: dict[str, Rule] = {"Attention": attention}
