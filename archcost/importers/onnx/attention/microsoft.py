"""Attention of onnxruntime's own, which its optimiser and its makers of language models write."""

from __future__ import annotations

from collections.abc import Sequence

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
from archcost.importers.onnx.attention.rotary import rotated, rows_of
from archcost.importers.onnx.linear import linear, turned
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, Value, samples_in
from archcost.tensors import TensorType


def attention(call: Call) -> Result:
    """A projection to queries, keys and values, and attention. Outputs: the result, keys and values stacked."""
    source, weight, bias = call[0], call[1], call.get(2)
    if weight.rank != 2 or weight.ref is not None or weight.held is None:
        raise UnsupportedError("a projection by weights that are computed")
    return of_projected(call, linear(call, source, turned(weight), bias))


def of_projected(call: Call, projected: Value) -> Result:
    """Of queries, keys and values side by side."""
    past = call.get(4)
    if call.flag("do_rotary"):
        raise UnsupportedError("positions whose angles are not in the file")
    if past is not None and call.flag("past_present_share_buffer"):
        raise UnsupportedError("a past in a buffer of which values say how much is filled")
    heads = call.integer("num_heads")
    widths = call.sizes("qkv_hidden_sizes", 3) or [projected.shape[-1] // 3] * 3
    query, key, value = (
        by_heads(call, each, heads) for each in call.layers("split", projected, split_size=_even(widths), dim=2)
    )
    if past is not None:
        key, value = (
            after(call, call.layer("select", past, index=index, dim=0), new) for index, new in enumerate((key, value))
        )
    result = _masked(call, Heads(query, key, value), call.get(3), call.get(5), call.flag("unidirectional"))
    asked = bool([*call.node.outputs, ""][1])
    return side_by_side(call, result), call.layer("stack", key, value, dim=0) if asked else None


def _even(sizes: Sequence[int]) -> int | list[int]:
    return sizes[0] if len(set(sizes)) == 1 else list(sizes)


def _masked(call: Call, heads: Heads, hidden: Value | None, bias: Value | None, is_causal: bool) -> Value:
    """Attention with what hides keys, and what is added to the scores."""
    queries, keys = heads.query.shape[2], heads.key.shape[2]
    mask = merged(call, bias, None if hidden is None else _mask_of(call, hidden, queries, keys))
    if is_causal and (mask is not None or queries != keys):
        mask, is_causal = merged(call, mask, causal_mask(queries, keys)), False
    return attended(call, heads, mask, is_causal, call.real("scale", 0.0))[0]


def _mask_of(call: Call, hidden: Value, queries: int, keys: int) -> Value:
    """Truth values that stretch to (B, H, T, S), by any of the ways in which onnxruntime tells them."""
    if hidden.rank == 1 and samples_in(hidden.shape[0]) in (0, 1):
        return first_of(call, hidden, keys)
    if hidden.rank == 1 and samples_in(hidden.shape[0]) == 2:
        last, first = call.layers("chunk", hidden, chunks=2, dim=0)
        behind = call.layer("logical_not", first_of(call, first, keys))
        return call.layer("logical_and", first_of(call, last, keys), behind)
    mask = call.cast(hidden, "bool")
    if hidden.rank == 2:
        return call.layer("unsqueeze", call.layer("unsqueeze", mask, dim=1), dim=1)
    if hidden.rank == 3:
        return call.layer("unsqueeze", mask, dim=1)
    if hidden.rank != 4:
        raise UnsupportedError(f"a mask {hidden.tensor}")
    for axis, size in ((2, queries), (3, keys)):
        if mask.shape[axis] > size:
            mask = call.layer("slice", mask, start=keys - size or None, stop=keys, dim=axis)
    return mask


def multi_head(call: Call) -> Result:
    """Queries (B, T, D), with keys and values side by side, by heads, or packed. Outputs: the result, all keys, all
    values.
    """
    return _multi_head(call, call.get(3), call.get(4), call.get(8))


def decoder_masked(call: Call) -> Result:
    """Of the newest position alone; inputs in another order."""
    ordered = call.reading(*call.inputs[:3], call.get(10), *call.inputs[3:8])
    return _multi_head(ordered, ordered.get(3), ordered.get(4), ordered.get(8))


def _multi_head(call: Call, bias: Value | None, hidden: Value | None, filled: Value | None) -> Result:
    if any([*call.node.outputs, "", "", ""][3:]):
        raise UnsupportedError("attention that hands out its scores")
    if call.get(6) is not None and (call.flag("past_present_share_buffer") or filled is not None):
        raise UnsupportedError("a past in a buffer of which values say how much is filled")
    query, key, value = _of_each(call, call.integer("num_heads"), bias)
    key, value = after(call, call.get(6), key), after(call, call.get(7), value)
    result = _masked(call, Heads(query, key, value), hidden, call.get(5), call.flag("unidirectional"))
    return side_by_side(call, result), key, value


def _of_each(call: Call, heads: int, bias: Value | None) -> Heads:
    """Queries, keys and values by heads, with their biases."""
    query, key, value = call[0], call.get(1), call.get(2)
    if query.rank == 5:
        if bias is not None:
            raise UnsupportedError("a bias of packed queries, keys and values")
        return Heads(*(_unpacked(call, query, index) for index in range(3)))
    if key is None:
        raise UnsupportedError("queries alone")
    biases = _biases(call, bias, query.shape[-1])
    first = by_heads(call, _added(call, query, biases[0]), heads)
    if key.rank == 5:
        return Heads(first, _unpacked(call, key, 0), _unpacked(call, key, 1))
    if value is None:
        raise UnsupportedError("keys without values")
    if key.rank == 4:
        return Heads(first, key, value)
    keys, values = (
        by_heads(call, _added(call, each, own), heads) for each, own in ((key, biases[1]), (value, biases[2]))
    )
    return Heads(first, keys, values)


def _unpacked(call: Call, packed: Value, index: int) -> Value:
    """(B, T, H, n, d) → (B, H, T, d)."""
    return call.layer("permute", call.layer("select", packed, index=index, dim=3), dims=[0, 2, 1, 3])


def _biases(call: Call, bias: Value | None, width: int) -> tuple[Value | None, Value | None, Value | None]:
    """Of queries, keys and values, which the file holds behind one another."""
    if bias is None:
        return None, None, None
    sizes = [width, width, bias.shape[0] - 2 * width]
    first, second, third = call.layers("split", call.standing(bias), split_size=_even(sizes), dim=0)
    return first, second, third


def _added(call: Call, value: Value, bias: Value | None) -> Value:
    return value if bias is None else call.layer("add", value, bias)


def group_query(call: Call) -> Result:
    """Fewer heads of keys and values than of queries, and positions by their angles. Outputs: the result, all keys, all
    values.
    """
    if any([*call.node.outputs, "", "", ""][3:]):
        raise UnsupportedError("attention that hands out its scores")
    if call.word("k_quant_type", "NONE") != "NONE" or call.word("v_quant_type", "NONE") != "NONE":
        raise UnsupportedError("keys and values that are kept in integers")
    heads, groups = call.integer("num_heads"), call.integer("kv_num_heads")
    query, key, value = call[0], call.get(1), call.get(2)
    if key is None or value is None:
        size = query.shape[-1] // (heads + 2 * groups)
        sizes = [heads * size, groups * size, groups * size]
        query, key, value = call.layers("split", query, split_size=_even(sizes), dim=2)
    query, key, value = (
        by_heads(call, each, count) for each, count in ((query, heads), (key, groups), (value, groups))
    )
    query, key = _normed(call, query, call.get(14)), _normed(call, key, call.get(15))
    if call.flag("do_rotary"):
        query, key = _turned(call, query, key)
    news, keys = key.shape[2], key
    key, value = after(call, call.get(3), keys), after(call, call.get(4), value)
    mask = merged(call, call.get(10), first_of(call, call[5], key.shape[2]) if call[5].ref is not None else None)
    is_causal = call.flag("causal", default=True)
    if is_causal and (mask is not None or key.shape[2] != news):
        mask, is_causal = merged(call, mask, causal_mask(news, key.shape[2])), False
    sink = call.get(11)
    if sink is None and call.integer("smooth_softmax", 0) > 0:
        sink = Value(TensorType((heads,), query.tensor.dtype))
    result, _ = attended(
        call,
        Heads(query, key, value),
        mask,
        is_causal,
        call.real("scale", 0.0),
        call.real("softcap", 0.0),
        sink=sink,
    )
    return side_by_side(call, result), key, value


def _normed(call: Call, value: Value, weight: Value | None) -> Value:
    if weight is None:
        return value
    return call.weighted("rms_norm", value, {"weight": weight}, eps=call.real("qk_norm_epsilon", 1e-6))[0]


def _turned(call: Call, query: Value, key: Value) -> tuple[Value, Value]:
    """By the angles of the positions that are given, or of those behind the past."""
    positions = call.get(9)
    if positions is None:
        steps = Value(TensorType((query.shape[2],), call[5].tensor.dtype))
        positions = call.layer("add", call.reshape(call[5], (call[5].tensor.numel, 1)), steps)
    cosines, sines = (rows_of(call, call[index], positions) for index in (7, 8))
    interleaved = call.flag("rotary_interleaved")
    return rotated(call, query, cosines, sines, interleaved), rotated(call, key, cosines, sines, interleaved)


def packed(call: Call) -> Result:
    raise UnsupportedError("samples of different lengths behind one another, which values tell")


RULES: dict[str, Rule] = {
    "com.microsoft::Attention": attention,
    "com.microsoft::MultiHeadAttention": multi_head,
    **dict.fromkeys(("com.microsoft::DecoderMaskedMultiHeadAttention",), decoder_masked),
    "com.microsoft::GroupQueryAttention": group_query,
    **dict.fromkeys(("com.microsoft::PackedAttention", "com.microsoft::PackedMultiHeadAttention"), packed),
}
