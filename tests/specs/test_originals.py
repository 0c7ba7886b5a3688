"""Networks of the zoo beside those that torch, torchvision and transformers build: weights, FLOPs of a step, bytes.

FLOPs are counted on the meta device, where torch composes attention: fused, it works out the scores again, 2 FLOPs for
each product of theirs, and so half of forward's. Bytes are those of small members of the families. Where torchvision or
transformers is not installed, its networks are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archcost
from archcost.costs.phases import by_phase
from archcost.costs.timeline import timeline
from archcost.passes.run import Run
from archcost.passes.storages import kept
from archcost.spec.overrides import override
from tests.pytorch import foreign

BATCH = 2

Make = Callable[[], nn.Module]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def torchvision() -> Any:
    """One that was built for another torch lacks two operators, which no network here needs."""
    try:
        return pytest.importorskip("torchvision")
    except RuntimeError:
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor a, Tensor b, float c) -> Tensor")
        return import_module("torchvision")


def transformers() -> Any:
    """It imports torchvision where there is one."""
    found = pytest.importorskip("transformers")
    torchvision()
    return found


def cost_of(spec: archcost.ModelSpec) -> tuple[int, int]:
    """Weights, and FLOPs of a step, the scores that fused attention works out again left out."""
    cost = archcost.cost(archcost.build(spec, BATCH))
    again = sum(layer.macs for layer in cost.layers if layer.type == "scaled_dot_product_attention")
    return cost.parameters, cost.flops.total.contraction - again


def altered(network: str, settings: str = "", *inputs: str, loss: str = "sum") -> archcost.ModelSpec:
    return override(archcost.load(network), settings.split(), inputs).model_copy(update={"loss": loss})


def counted(module: nn.Module, inputs: dict[str, Tensor], output: Callable[[Any], Tensor]) -> tuple[int, int]:
    return foreign.weights(module), foreign.flops(module, inputs, output)


# As they ship, on the meta device ---------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["vit_b_16", "convnext_tiny", "swin_t"])
def test_torchvision(network: str) -> None:
    """Torch's count of grouped convolutions' weight gradients is too high by as many times as there are groups."""
    with torch.device("meta"):
        module = getattr(torchvision().models, network)()
    inputs = {"x": torch.zeros(BATCH, 3, 224, 224, device="meta")}
    cost = archcost.cost(archcost.build(archcost.load(network), BATCH))
    grouped = [layer for layer in cost.layers if getattr(layer.node.layer, "groups", 1) > 1]
    too_much = sum((layer.node.layer.groups - 1) * layer.flops.forward.contraction for layer in grouped)
    weights, flops = counted(module, inputs, lambda result: result)
    assert cost_of(archcost.load(network)) == (weights, flops - too_much)


def ids(tokens: int) -> Tensor:
    return torch.zeros(BATCH, tokens, dtype=torch.int64, device="meta")


TOKENS = 128
MASK = {"attention_mask": torch.zeros(BATCH, 1, TOKENS, TOKENS, device="meta")}
"""Whole: without one, some of transformers' networks look at values."""

GPT2 = {
    "gpt2": {},
    "gpt2_medium": {"n_embd": 1024, "n_layer": 24, "n_head": 16},
    "gpt2_large": {"n_embd": 1280, "n_layer": 36, "n_head": 20},
    "gpt2_xl": {"n_embd": 1600, "n_layer": 48, "n_head": 25},
}
BERT = {
    "bert_base": {},
    "bert_large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
}
LLAMA = {
    "llama2_7b": (4096, 11008, 32, 32, 32),
    "llama2_13b": (5120, 13824, 40, 40, 40),
    "llama2_70b": (8192, 28672, 80, 64, 8),
}


def on_meta(make: Make) -> nn.Module:
    with torch.device("meta"):
        return make()


@pytest.mark.parametrize("network", GPT2)
def test_gpt2(network: str) -> None:
    tf = transformers()
    module = on_meta(lambda: tf.GPT2LMHeadModel(tf.GPT2Config(**GPT2[network])))
    spec = altered(network, f"tokens={TOKENS}", f"{TOKENS}")
    assert cost_of(spec) == counted(module, {"input_ids": ids(TOKENS)}, lambda result: result.logits)


@pytest.mark.parametrize("network", BERT)
def test_bert(network: str) -> None:
    tf = transformers()
    module = on_meta(lambda: tf.BertModel(tf.BertConfig(**BERT[network])))
    inputs = {"input_ids": ids(TOKENS), "token_type_ids": ids(TOKENS)}
    spec = altered(network).model_copy(update={"outputs": ("states",)})
    assert cost_of(spec) == counted(module, inputs, lambda result: result.last_hidden_state)


@pytest.mark.parametrize("network", LLAMA)
def test_llama(network: str) -> None:
    tf = transformers()
    width, hidden, depth, heads, groups = LLAMA[network]
    config = tf.LlamaConfig(
        vocab_size=32000,
        hidden_size=width,
        intermediate_size=hidden,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        num_key_value_heads=groups,
        use_cache=False,
    )
    module = on_meta(lambda: tf.LlamaForCausalLM(config))
    spec = altered(network, f"tokens={TOKENS}", f"{TOKENS}")
    assert cost_of(spec) == counted(module, {"input_ids": ids(TOKENS), **MASK}, lambda result: result.logits)


def test_mixtral() -> None:
    """In the form in which each chosen expert's weights are multiplied by each token's row."""
    tf = transformers()
    config = tf.MixtralConfig(use_cache=False, experts_implementation="batched_mm")
    module = on_meta(lambda: tf.MixtralForCausalLM(config))
    spec = altered("mixtral_8x7b", f"tokens={TOKENS}", f"{TOKENS}")
    assert cost_of(spec) == counted(module, {"input_ids": ids(TOKENS), **MASK}, lambda result: result.logits)


def test_whisper() -> None:
    """The encoder's fixed waves are a weight that is not trained."""
    tf = transformers()
    sizes = {f"{side}_{field}": number for side in ("encoder", "decoder") for field, number in WHISPER.items()}
    config = tf.WhisperConfig(vocab_size=51865, d_model=512, use_cache=False, **sizes)
    module = on_meta(lambda: tf.WhisperForConditionalGeneration(config))
    inputs = {
        "input_features": torch.zeros(BATCH, 80, 3000, device="meta"),
        "decoder_input_ids": ids(448),
        "decoder_attention_mask": torch.zeros(BATCH, 1, 448, 448, device="meta"),
    }
    weights, flops = counted(module, inputs, lambda result: result.logits)
    assert cost_of(altered("whisper_base")) == (weights, flops)


WHISPER = {"layers": 6, "attention_heads": 8, "ffn_dim": 2048}


# Small ones, run --------------------------------------------------------------------------------------------------


def peaks(spec: archcost.ModelSpec) -> dict[str, int]:
    line = timeline(archcost.build(spec, BATCH), Run(optimizer="sgd"), "cpu", out_of_place=True)
    return {phase.name: phase.peak for phase in by_phase(line)}


def bytes_kept(spec: archcost.ModelSpec) -> int:
    return sum(storage.nbytes for storage in kept(archcost.build(spec, BATCH)).storages)


def small_vit() -> tuple[archcost.ModelSpec, nn.Module]:
    made = import_module("torchvision.models.vision_transformer").VisionTransformer(32, 8, 2, 3, 48, 192)
    return altered("vit_b_16", "depth=2 width=48 heads=3 tokens=17 patch=8", "3x32x32"), made


def small_convnext() -> tuple[archcost.ModelSpec, nn.Module]:
    module = import_module("torchvision.models.convnext")
    stages = [(16, 32, 1), (32, 64, 1), (64, 128, 2), (128, None, 1)]
    made = module.ConvNeXt([module.CNBlockConfig(*stage) for stage in stages])
    return altered("convnext_tiny", "width=16 depth1=1 depth2=1 depth3=2 depth4=1", "3x64x64"), made


def small_swin() -> tuple[archcost.ModelSpec, nn.Module]:
    module = import_module("torchvision.models.swin_transformer")
    made = module.SwinTransformer([4, 4], 32, [2, 2, 2, 2], [1, 2, 4, 8], [4, 4], stochastic_depth_prob=0.0)
    return altered("swin_t", "width=32 heads=1 pairs3=1 window=4 shift=2 side=32", "3x128x128"), made


@pytest.mark.parametrize("make", [small_vit, small_convnext, small_swin])
def test_torchvisions_bytes(make: Callable[[], tuple[archcost.ModelSpec, nn.Module]]) -> None:
    torchvision()
    spec, module = make()
    side = spec.inputs["image"].shape[-1]
    inputs = {"x" if "x" in module.forward.__code__.co_varnames else "input": foreign.normal(BATCH, 3, side, side)}
    assert bytes_kept(spec) == foreign.kept(module, inputs)
    assert peaks(spec) == foreign.peaks(module, inputs, "sgd")


class Translating(nn.Module):
    """What torch.nn.Transformer leaves to others: the table of tokens, where they stand, and the last layer."""

    def __init__(self, width: int, heads: int, depth: int, tokens: int) -> None:
        super().__init__()
        self.width = width
        self.token = nn.Embedding(97, width)
        self.drop = nn.Dropout(0.1)
        self.transformer = nn.Transformer(width, heads, depth, depth, 4 * width, batch_first=True)
        self.head = nn.Linear(width, 97, bias=False)
        self.head.weight = self.token.weight
        self.mask = [nn.Transformer.generate_square_subsequent_mask(tokens)]  # no buffer, and never looked at

    def forward(self, tokens: Tensor, written: Tensor) -> Tensor:
        mask = self.mask[0].to(tokens.device)
        states = self.transformer(self.embed(tokens), self.embed(written), tgt_mask=mask, tgt_is_causal=True)
        return self.head(states).transpose(1, 2)

    def embed(self, tokens: Tensor) -> Tensor:
        waves = torch.zeros(1, tokens.shape[1], self.width, device=tokens.device)
        return self.drop(self.token(tokens) * sqrt(self.width) + waves)


def test_torchs_own_transformer() -> None:
    spec = altered("transformer_base", "depth=2 width=48 heads=4 vocabulary=97 tokens=32 written=32", "32", "32")
    module = Translating(48, 4, 2, 32)
    inputs = {name: torch.zeros(BATCH, 32, dtype=torch.int64) for name in ("tokens", "written")}
    assert bytes_kept(spec) == foreign.kept(module, inputs)
    ours, theirs = peaks(spec), foreign.peaks(module, inputs, "sgd")
    assert (ours["backward"], ours["optimizer"]) == (theirs["backward"], theirs["optimizer"])
    assert ours["forward"] == pytest.approx(theirs["forward"], rel=0.01)  # callers hold what they hand on
    sketch = on_meta(lambda: Translating(48, 4, 2, 32))
    assert cost_of(spec) == counted(sketch, {"tokens": ids(32), "written": ids(32)}, lambda result: result)
