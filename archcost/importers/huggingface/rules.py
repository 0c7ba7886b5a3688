"""What several keys of a config say together, as parameters of our families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archcost.files.values import as_list, as_mapping
from archcost.spec.values import Value

Keys = Mapping[str, Any]
"""A config, with the class's defaults where it says nothing."""


class UnsuitedError(Exception):
    """A config says something that the family has no layers for: which key, what is expected, what was found."""

    def __init__(self, key: str, expected: str, found: object) -> None:
        super().__init__(key)
        self.key, self.expected, self.found = key, expected, found


def decoder(keys: Keys) -> dict[str, Value]:
    """What decoders of the llama kind share: heads of keys, features of a head, whether the table is shared."""
    width, heads = size(keys, "hidden_size"), size(keys, "num_attention_heads")
    groups = size(keys, "num_key_value_heads") if keys.get("num_key_value_heads") is not None else heads
    if heads % groups:
        raise UnsuitedError("num_key_value_heads", f"a divisor of num_attention_heads, {heads:,}", groups)
    if keys.get("head_dim") is None and width % heads:
        raise UnsuitedError("num_attention_heads", f"a divisor of hidden_size, {width:,}", heads)
    features = size(keys, "head_dim") if keys.get("head_dim") is not None else width // heads
    tied = keys.get("tie_word_embeddings")
    if not isinstance(tied, bool):
        raise UnsuitedError("tie_word_embeddings", "true or false", tied)
    if _turned(keys, features) != features:
        raise UnsuitedError("partial_rotary_factor", "1", _turned(keys, features) / features)
    return {"groups": groups, "features": features, "tied": int(tied)}


def partly_turned(keys: Keys) -> dict[str, Value]:
    """A decoder that turns some of each head's features alone."""
    whole = decoder({**keys, "partial_rotary_factor": 1, "rope_parameters": None, "rope_scaling": None})
    return {**whole, "rotary": _turned(keys, int(str(whole["features"])))}


def _turned(keys: Keys, features: int) -> int:
    """How many features of a head are turned: `int(head_dim * partial_rotary_factor)` in transformers."""
    rope = as_mapping(keys.get("rope_parameters")) or as_mapping(keys.get("rope_scaling")) or {}
    own: Any = keys.get("partial_rotary_factor", keys.get("rotary_pct", 1.0))
    share: Any = rope.get("partial_rotary_factor", own)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
        raise UnsuitedError("partial_rotary_factor", "a number above 0, to 1", share)
    return int(features * share)


def size(keys: Keys, key: str) -> int:
    """A key that is a size."""
    found = keys.get(key)
    if type(found) is not int or not 1 <= found < 2**31:
        raise UnsuitedError(key, "an integer from 1", found)
    return found


def windowed(keys: Keys) -> dict[str, Value]:
    """All layers see a window of tokens, or none does."""
    layers = _layer_kinds(keys)
    if keys.get("sliding_window") is None or layers == {"full_attention"}:
        return decoder(keys)
    if layers and layers != {"sliding_attention"}:
        raise UnsuitedError("layer_types", "one kind for all layers", "both")
    return {**decoder(keys), "locals": size(keys, "num_hidden_layers"), "window": size(keys, "sliding_window")}


def _layer_kinds(keys: Keys) -> set[str]:
    listed = keys.get("layer_types")
    kinds = as_list(listed)
    if kinds is None and listed is not None:
        raise UnsuitedError("layer_types", "a list of words", listed)
    return set(map(str, kinds or ()))


def full(keys: Keys) -> dict[str, Value]:
    """Qwen's layers without windows, which a config can switch on."""
    if keys.get("use_sliding_window") or _layer_kinds(keys) - {"full_attention"}:
        raise UnsuitedError("use_sliding_window", "false", True)
    return decoder(keys)


def routed(keys: Keys) -> dict[str, Value]:
    """Qwen's layers of experts: whether what the chosen ones are worth sums up to 1."""
    if not isinstance(keys.get("norm_topk_prob"), bool):
        raise UnsuitedError("norm_topk_prob", "true or false", keys.get("norm_topk_prob"))
    if size(keys, "num_experts_per_tok") > size(keys, "num_experts"):
        raise UnsuitedError(
            "num_experts_per_tok", f"at most num_experts, {keys['num_experts']:,}", keys["num_experts_per_tok"]
        )
    return {**full(keys), "normed": int(keys["norm_topk_prob"])}


def alternating(period: int) -> Callable[[Keys], dict[str, Value]]:
    """Of so many layers all but the last see a window."""

    def more(keys: Keys) -> dict[str, Value]:
        pattern = keys.get("sliding_window_pattern", keys.get("_sliding_window_pattern", period))
        if pattern != period:
            raise UnsuitedError("sliding_window_pattern", str(period), pattern)
        depth = size(keys, "num_hidden_layers")
        kinds = ["full_attention" if (index + 1) % period == 0 else "sliding_attention" for index in range(depth)]
        if keys.get("layer_types") not in (None, kinds):
            raise UnsuitedError("layer_types", f"full attention in each {period}th layer, and in no other", "others")
        return {**decoder(keys), "window": size(keys, "sliding_window")}

    return more


def _four_times(hidden: str, width: str) -> Callable[[Keys], dict[str, Value]]:
    def more(keys: Keys) -> dict[str, Value]:
        if keys.get(hidden) is not None and size(keys, hidden) != 4 * size(keys, width):
            raise UnsuitedError(hidden, f"4 × {width}, {4 * size(keys, width):,}", keys.get(hidden))
        return {}

    return more


def encoder(keys: Keys) -> dict[str, Value]:
    _four_times("intermediate_size", "hidden_size")(keys)
    _require_equal(keys, "hidden_dropout_prob", "attention_probs_dropout_prob")
    _require_divides(keys, "hidden_size", "num_attention_heads")
    return {}


def distilled(keys: Keys) -> dict[str, Value]:
    _four_times("hidden_dim", "dim")(keys)
    _require_equal(keys, "dropout", "attention_dropout")
    _require_divides(keys, "dim", "n_heads")
    return {}


def gpt2(keys: Keys) -> dict[str, Value]:
    _four_times("n_inner", "n_embd")(keys)
    _require_equal(keys, "resid_pdrop", "embd_pdrop", "attn_pdrop")
    _require_divides(keys, "n_embd", "n_head")
    return {}


def _require_equal(keys: Keys, first: str, *others: str) -> None:
    for other in others:
        if keys.get(other) != keys.get(first):
            raise UnsuitedError(other, f"as much as {first}, {keys.get(first)}", keys.get(other))


def _require_divides(keys: Keys, width: str, heads: str) -> None:
    if size(keys, width) % size(keys, heads):
        raise UnsuitedError(heads, f"a divisor of {width}, {size(keys, width):,}", keys.get(heads))
