"""What the attention operators have in common: heads, masks, a past, and the scores where the network reads them."""

from __future__ import annotations

from typing import NamedTuple

from archcost.importers.onnx_call import Call
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.tensors import TensorType

RAW, CAPPED, MASKED, PROBABILITIES = 0, 2, 1, 3
"""Which scores are handed out: the product; with a soft cap; with the mask added; after the softmax."""


class Heads(NamedTuple):
    """(batch, heads, positions, features)."""

    query: Value
    key: Value
    value: Value


def by_heads(call: Call, tensor: Value, heads: int) -> Value:
    """(B, T, D) → (B, heads, T, D / heads)."""
    if not heads or tensor.rank != 3 or tensor.shape[-1] % heads:
        raise UnsupportedError(f"{tensor.tensor} in {heads} heads")
    apart = call.layer("unflatten", tensor, dim=-1, unflattened_size=[heads, -1])
    return call.layer("permute", apart, dims=[0, 2, 1, 3])


def side_by_side(call: Call, tensor: Value) -> Value:
    """(B, heads, T, d) → (B, T, heads · d)."""
    together = call.layer("permute", tensor, dims=[0, 2, 1, 3])
    return call.layer("flatten", together, start_dim=2)


def after(call: Call, past: Value | None, new: Value) -> Value:
    """Keys or values behind those of the past."""
    return new if past is None or not past.shape[2] else call.layer("concat", past, new, dim=2)


def causal_mask(queries: int, keys: int) -> Value:
    """No query sees a key behind it."""
    return Value(TensorType((queries, keys), "bool"))


def first_of(call: Call, counts: Value, keys: int) -> Value:
    """(B,) → (B, 1, 1, keys): whether a position is among the first of its sample."""
    apart = call.reshape(counts, (counts.tensor.numel, 1, 1, 1))
    return call.layer("gt", apart, Value(TensorType((keys,), counts.tensor.dtype)))


def merged(call: Call, mask: Value | None, other: Value | None) -> Value | None:
    """Two masks as one: truth values, or numbers that are added to the scores."""
    if mask is None or other is None:
        return other if mask is None else mask
    truth = [each for each in (mask, other) if each.tensor.dtype == "bool"]
    added = [each for each in (mask, other) if each.tensor.dtype != "bool"]
    if len(truth) == 2:
        return call.layer("logical_and", *truth)
    if not truth:
        return call.layer("add", *added)
    hidden = call.layer("logical_not", truth[0])
    return call.layer("masked_fill", call.layer("add", added[0], _zeros_like(added[0], hidden)), hidden, value=LOWEST)


LOWEST = -3.4028234663852886e38
"""What stands for minus infinity."""


def _zeros_like(added: Value, hidden: Value) -> Value:
    """So that a sum has every axis of the mask."""
    return Value(TensorType(hidden.shape[-2:], added.tensor.dtype))


def attended(
    call: Call,
    heads: Heads,
    mask: Value | None,
    is_causal: bool = False,
    scale: float = 0.0,
    softcap: float = 0.0,
    scores_at: int | None = None,
    sink: Value | None = None,
) -> tuple[Value, Value | None]:
    """The result (B, H, T, Dv), and the scores where they are asked for. `sink` (H,) is one score beside the keys'."""
    query, key, value = heads
    if mask is not None and mask.tensor.dtype not in ("bool", query.tensor.dtype):
        mask = call.cast(mask, query.tensor.dtype)
    if softcap or scores_at is not None or sink is not None:
        return _composed(call, heads, mask, is_causal, scale, softcap, scores_at, sink)
    result = call.layer(
        "scaled_dot_product_attention",
        query,
        key,
        value,
        *(() if mask is None else (mask,)),
        is_causal=is_causal,
        enable_gqa=query.shape[1] != key.shape[1],
        **({"scale": scale} if scale else {}),
    )
    return result, None


def _composed(
    call: Call,
    heads: Heads,
    mask: Value | None,
    is_causal: bool,
    scale: float,
    softcap: float,
    scores_at: int | None,
    sink: Value | None,
) -> tuple[Value, Value | None]:
    """Step by step, as ONNX defines it."""
    query, key, value = heads
    times = query.shape[1] // max(key.shape[1], 1)
    if times > 1:
        key, value = (call.layer("repeat_interleave", each, repeats=times, dim=1) for each in (key, value))
    turned = call.layer("transpose", key, dim0=2, dim1=3)
    scores = call.layer("matmul", query, turned)
    scores = call.layer("scale", scores, factor=scale or query.shape[-1] ** -0.5)
    steps = {RAW: scores}
    if softcap:
        scores = call.layer("tanh", call.layer("scale", scores, factor=1 / softcap))
        scores = call.layer("scale", scores, factor=softcap)
    steps[CAPPED] = scores
    if is_causal:
        mask = merged(call, mask, causal_mask(query.shape[2], key.shape[2]))
    if mask is not None and mask.tensor.dtype == "bool":
        scores = call.layer("masked_fill", scores, call.layer("logical_not", mask), value=LOWEST)
    elif mask is not None:
        scores = call.layer("add", scores, mask)
    steps[MASKED] = scores
    if sink is not None:
        column = call.reshape(sink, (1, sink.tensor.numel, 1, 1))
        column = call.expanded(column, (*scores.shape[:-1], 1))
        scores = call.layer("concat", scores, column, dim=3)
    probabilities = call.layer("softmax", scores, dim=-1)
    if sink is not None:
        probabilities = call.layer("slice", probabilities, stop=key.shape[2], dim=3)
    steps[PROBABILITIES] = probabilities
    if scores_at is not None and scores_at not in steps:
        raise UnsupportedError(f"scores of mode {scores_at}")
    return call.layer("matmul", probabilities, value), None if scores_at is None else steps[scores_at]
