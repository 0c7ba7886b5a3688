"""Small transformers, run: what the layers of attention keep and hand on is right where they stand together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import archcost
from archcost.passes.run import Run
from archcost.pytorch import verify
from tests.specs.variants import smaller


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Beside networks of 40 KB, what kernels allocate a thread would decide; one thread's is modelled to the byte."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


GPT = """
name: tiny_gpt
inputs:
  tokens: {shape: [11], dtype: int64}
  positions: {shape: [11], dtype: int64}
loss: sum
layers:
  - {type: embedding, name: wte, num_embeddings: 29, embedding_dim: 15, inputs: [tokens]}
  - {type: embedding, name: wpe, num_embeddings: 13, embedding_dim: 15, inputs: [positions]}
  - {type: add, name: sum, inputs: [wte, wpe]}
  - {type: layer_norm, name: ln1}
  - {type: linear, name: qkv, out_features: 45}
  - {type: split, name: parts, split_size: 15, dim: -1}
  - {type: unflatten, name: q0, dim: -1, unflattened_size: [3, 5], inputs: [parts]}
  - {type: permute, name: q, dims: [0, 2, 1, 3]}
  - {type: unflatten, name: k0, dim: -1, unflattened_size: [3, 5], inputs: ["parts:1"]}
  - {type: permute, name: k, dims: [0, 2, 1, 3]}
  - {type: unflatten, name: v0, dim: -1, unflattened_size: [3, 5], inputs: ["parts:2"]}
  - {type: permute, name: v, dims: [0, 2, 1, 3]}
  - {type: scaled_dot_product_attention, name: attn, is_causal: true, inputs: [q, k, v]}
  - {type: permute, name: back, dims: [0, 2, 1, 3]}
  - {type: flatten, name: merged, start_dim: 2}
  - {type: linear, name: proj, out_features: 15}
  - {type: add, name: res, inputs: [proj, sum]}
  - {type: layer_norm, name: ln2}
  - {type: linear, name: head, out_features: 29, bias: false, weight: wte.weight}
"""
"""A table shared with the last layer, and fused attention on pieces of one product."""

VIT = """
name: tiny_vit
input: [3, 8, 12]
layers:
  - {type: conv2d, name: patches, out_channels: 15, kernel_size: 4, stride: 4}
  - {type: flatten, name: flat, start_dim: 2}
  - {type: permute, name: tokens, dims: [0, 2, 1]}
  - {type: parameter, name: cls, shape: [1, 1, 15]}
  - {type: expand_batch, name: clss, inputs: [cls, tokens]}
  - {type: concat, name: seq, inputs: [clss, tokens]}
  - {type: parameter, name: pos, shape: [1, 7, 15]}
  - {type: add, name: embedded, inputs: [seq, pos]}
  - {type: layer_norm, name: ln1}
  - {type: linear, name: qkv, out_features: 45}
  - {type: split, name: parts, split_size: 15, dim: -1}
  - {type: unflatten, name: q0, dim: -1, unflattened_size: [3, 5], inputs: [parts]}
  - {type: permute, name: q, dims: [0, 2, 1, 3]}
  - {type: unflatten, name: k0, dim: -1, unflattened_size: [3, 5], inputs: ["parts:1"]}
  - {type: permute, name: k, dims: [0, 2, 1, 3]}
  - {type: unflatten, name: v0, dim: -1, unflattened_size: [3, 5], inputs: ["parts:2"]}
  - {type: permute, name: v, dims: [0, 2, 1, 3]}
  - {type: permute, name: kt, dims: [0, 1, 3, 2], inputs: [k]}
  - {type: matmul, name: scores, inputs: [q, kt]}
  - {type: softmax, dim: -1}
  - {type: matmul, name: attn, inputs: [softmax1, v]}
  - {type: permute, name: back, dims: [0, 2, 1, 3]}
  - {type: flatten, name: merged, start_dim: 2}
  - {type: linear, name: proj, out_features: 15}
  - {type: parameter, name: gamma, shape: [15]}
  - {type: mul, name: scaled, inputs: [proj, gamma]}
  - {type: add, name: res, inputs: [scaled, embedded]}
  - {type: linear, name: head, out_features: 3}
"""
"""A class token, learned positions, attention from its parts, and a layer scale."""

RUNS = {
    "trained": Run(),
    "in 16 bits": Run(precision="bf16"),
    "inferred": Run(mode="infer"),
    "recomputed": Run(recompute="every:5"),
    "accumulated": Run(accumulation=2),
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(GPT, id="gpt"),
        pytest.param(GPT.replace("is_causal: true", "is_causal: true, backend: math"), id="gpt, composed"),
        pytest.param(GPT.replace("is_causal: true", "is_causal: true, dropout_p: 0.1"), id="gpt, dropping"),
        pytest.param(VIT, id="vit"),
    ],
)
def test_every_witness_agrees(text: str, run: str) -> None:
    """Computed again, a composition stops inside, where its last tensor is kept: archcost plays all of it, 2 % more."""
    if run == "recomputed" and "dropout_p" in text:
        found = verify(archcost.loads(text), batch=2, run=RUNS[run]).disagreements
        assert {(check.quantity, check.scope) for check in found} == {
            ("peak_bytes", "total"),
            ("peak_bytes", "backward"),
        }
        return
    assert verify(archcost.loads(text), batch=2, run=RUNS[run]).disagreements == ()


@pytest.mark.parametrize("run", ["trained", "in 16 bits", "inferred"])
@pytest.mark.parametrize(
    "name",
    [
        *("vit_b_16", "swin_t", "bert_base", "gpt2", "llama2_70b", "whisper_base", "mixtral_8x7b", "qwen2_57b_a14b"),
        *("deepseek_v2_lite", "deepseek_v3", "gpt_oss_20b"),
    ],
)
def test_shipped_transformers_made_narrow(name: str, run: str) -> None:
    """With dropout as declared, for which the CPU composes attention."""
    assert verify(smaller(name), batch=2, run=RUNS[run]).disagreements == ()


def test_a_single_sample() -> None:
    """Then nothing is stretched, and the gradient of a learned tensor is one that others have too."""
    assert verify(archcost.loads(VIT), batch=1, run=Run()).disagreements == ()


def test_fused_attention_is_composed_on_meta_and_fvcore_does_not_hear_it() -> None:
    """The scores again: 2 FLOPs for each of 3*7*7 scores of 5 products, which torch's composition does not do."""
    verification = verify(
        archcost.loads("""
name: attending
input: [7, 15]
layers:
  - {type: linear, name: query, out_features: 15}
  - {type: unflatten, name: heads, dim: -1, unflattened_size: [3, 5]}
  - {type: permute, name: q, dims: [0, 2, 1, 3]}
  - {type: scaled_dot_product_attention, name: attend, inputs: [q, q, q]}
""")
    )
    assert verification.ok
    (backward,) = (c for c in verification.checks if (c.quantity, c.scope) == ("flops_backward", "attend"))
    assert backward.reason is not None
    assert backward.reason.startswith("attention_composed_on_meta: ")
    assert backward.reason.endswith("1,470 too few")
    (macs,) = (c for c in verification.checks if (c.quantity, c.scope) == ("macs", "total") and "fvcore" in c.by)
    assert (macs.archcost, macs.agrees) == (7 * 15 * 15, True)
    assert macs.reason == "without scaled_dot_product_attention, for which fvcore has no rule"
