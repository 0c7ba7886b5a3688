"""What networks keep of a token, by hand."""

from __future__ import annotations

import pytest

import archcost
from archcost.passes.caches import caches

BY_HAND = {
    # layers * (keys + values) * heads that are kept * features
    "gpt2": 12 * 2 * 12 * 64,
    "gpt2_xl": 48 * 2 * 25 * 64,
    "gpt3_175b": 96 * 2 * 96 * 128,
    "llama2_7b": 32 * 2 * 32 * 128,
    "llama2_13b": 40 * 2 * 40 * 128,
    "llama2_70b": 80 * 2 * 8 * 128,  # eight heads of keys serve 64 of queries
    "mixtral_8x7b": 32 * 2 * 8 * 128,
    "transformer_base": 6 * 2 * 8 * 64,  # of the decoder
    "whisper_base": 6 * 2 * 8 * 64,
}

READ_ONCE = {
    "transformer_base": 6 * 2 * 8 * 64 * 128,  # of 128 tokens that the encoder has read
    "whisper_base": 6 * 2 * 8 * 64 * 1500,  # of 1,500 frames
}


@pytest.mark.parametrize("name", BY_HAND)
def test_elements_of_a_token(name: str) -> None:
    found = caches(archcost.build(archcost.load(name)))
    assert sum(each.elements for each in found.of_positions) == BY_HAND[name]
    assert sum(each.elements * each.positions for each in found.fixed) == READ_ONCE.get(name, 0)


WITHOUT = {
    "resnet50": "it has no attention",
    "bert_base": "sees all others",
    "vit_b_16": "sees all others",
    "swin_t": "sees all others",
    "mlp_mixer": "it has no attention",
}


@pytest.mark.parametrize("name", WITHOUT)
def test_what_keeps_nothing_says_why(name: str) -> None:
    found = caches(archcost.build(archcost.load(name)))
    assert found.attentions == ()
    assert WITHOUT[name] in found.why_none


COMPOSED = """
name: composed
inputs: {tokens: {shape: [8], dtype: int64}}
layers:
  - {name: token, type: embedding, num_embeddings: 50, embedding_dim: 24, inputs: [tokens]}
  - {name: q, type: linear, out_features: 24}
  - {name: qs, type: unflatten, dim: -1, unflattened_size: [6, 4]}
  - {name: query, type: transpose, dim0: 1, dim1: 2}
  - {name: k, type: linear, out_features: 8, inputs: [token]}
  - {name: ks, type: unflatten, dim: -1, unflattened_size: [2, 4]}
  - {name: key, type: transpose, dim0: 1, dim1: 2}
  - {name: keys, type: repeat_interleave, repeats: 3, dim: 1}
  - {name: v, type: linear, out_features: 8, inputs: [token]}
  - {name: vs, type: unflatten, dim: -1, unflattened_size: [2, 4]}
  - {name: value, type: transpose, dim0: 1, dim1: 2}
  - {name: values, type: repeat_interleave, repeats: 3, dim: 1}
  - {name: turned, type: transpose, dim0: 2, dim1: 3, inputs: [keys]}
  - {name: scores, type: matmul, inputs: [query, turned]}
  - {name: mask, type: constant, shape: [1, 1, 8, 8]}
  - {name: masked, type: add, inputs: [scores, mask]}
  - {name: chances, type: softmax, dim: -1}
  - {name: mean, type: matmul, inputs: [chances, values]}
  - {name: heads, type: transpose, dim0: 1, dim1: 2}
  - {name: joined, type: flatten, start_dim: 2}
  - {name: head, type: linear, out_features: 50}
"""


def test_composed_attention_keeps_heads_before_they_are_repeated() -> None:
    (each,) = caches(archcost.build(archcost.loads(COMPOSED))).attentions
    assert (each.layer, each.kind, each.elements, each.vectors) == ("chances", "full", 2 * 2 * 4, 2 * 2)
    assert list(map(str, each.ports)) == ["key", "value"]


def test_without_a_mask_every_position_sees_all() -> None:
    text = COMPOSED.replace("inputs: [scores, mask]", "inputs: [scores, scores]")
    assert "sees" in caches(archcost.build(archcost.loads(text))).why_none


def test_a_mask_alone_makes_no_cache_where_no_token_is_guessed() -> None:
    text = COMPOSED.replace(
        "{name: head, type: linear, out_features: 50}", "{name: head, type: linear, out_features: 49}"
    )
    assert "chances of a next token" in caches(archcost.build(archcost.loads(text))).why_none


LATENT = """
name: latent
inputs: {tokens: {shape: [8], dtype: int64}}
layers:
  - {name: token, type: embedding, num_embeddings: 50, embedding_dim: 24, inputs: [tokens]}
  - {name: norm, type: rms_norm}
  - {name: q, type: linear, out_features: 36}
  - {name: qs, type: unflatten, dim: -1, unflattened_size: [6, 6]}
  - {name: query, type: transpose, dim0: 1, dim1: 2}
  - {name: down, type: linear, out_features: 10, inputs: [norm]}
  - {name: parts, type: split, split_size: [8, 2], dim: -1}
  - {name: latent, type: rms_norm, inputs: [parts]}
  - {name: up, type: linear, out_features: 48}
  - {name: kvs, type: unflatten, dim: -1, unflattened_size: [6, 8]}
  - {name: kv, type: transpose, dim0: 1, dim1: 2}
  - {name: pieces, type: split, split_size: 4, dim: -1}
  - {name: place, type: unsqueeze, dim: 1, inputs: ["parts:1"]}
  - {name: places, type: expand, size: [-1, 6, -1, -1]}
  - {name: key, type: concat, dim: -1, inputs: [pieces, places]}
  - {name: attention, type: scaled_dot_product_attention, is_causal: true, inputs: [query, key, "pieces:1"]}
  - {name: heads, type: transpose, dim0: 1, dim1: 2}
  - {name: joined, type: flatten, start_dim: 2}
  - {name: head, type: linear, out_features: 50}
"""


def test_a_latent_is_kept_in_place_of_what_is_made_of_it() -> None:
    graph = archcost.build(archcost.loads(LATENT))
    (each,) = caches(graph).attentions
    assert (each.kind, each.elements, each.expanded, each.vectors) == ("latent", 8 + 2, 6 * (6 + 4), 1)
    (each,) = caches(graph, latent=False).attentions
    assert (each.kind, each.elements, each.vectors) == ("full", 6 * (6 + 4), 6 + 6)


STATES = {
    # layers * (heads * features * numbers of each, in float32, and of a convolution's channels four positions, in bf16)
    "mamba2_130m": 24 * (24 * 64 * 128 * 4 + (24 * 64 + 2 * 128) * 4 * 2),
    "bamba_9b": 29 * (128 * 64 * 128 * 4 + (128 * 64 + 2 * 128) * 4 * 2),
}


@pytest.mark.parametrize("name", STATES)
def test_a_scan_keeps_a_state(name: str) -> None:
    found = archcost.serve(name, hardware="nvidia-h100-sxm5-80gb", prompt=100, new=10).cache
    assert found.per_sequence == STATES[name]
    assert found.per_token == (3 * 2 * 8 * 128 * 2 if name == "bamba_9b" else 0)
