"""The networks whose caches are compared: the class of transformers and its configuration, read off the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import archcost
from archcost import ModelSpec
from archcost.spec.overrides import override

Fields = Mapping[str, Any]


def llama(values: Fields) -> Fields:
    return {
        "hidden_size": values["width"],
        "num_hidden_layers": values["depth"],
        "num_attention_heads": values["heads"],
        "num_key_value_heads": values["groups"],
        "head_dim": values["features"],
        "intermediate_size": values["hidden"],
        "vocab_size": values["vocabulary"],
        "tie_word_embeddings": bool(values["tied"]),
    }


def mistral(values: Fields) -> Fields:
    none = values["window"] == values["tokens"] + 1  # what the spec says where there is none
    return {**llama(values), "sliding_window": None if none else values["window"]}


def mixtral(values: Fields) -> Fields:
    chosen = {"num_local_experts": values["experts"], "num_experts_per_tok": values["chosen"]}
    return {**llama(values), **chosen, "sliding_window": None}


def gpt2(values: Fields) -> Fields:
    return {
        "n_embd": values["width"],
        "n_layer": values["depth"],
        "n_head": values["heads"],
        "vocab_size": values["vocabulary"],
        "n_positions": values["context"],
    }


def whisper(values: Fields) -> Fields:
    return {
        "d_model": values["width"],
        "encoder_layers": values["depth"],
        "decoder_layers": values["depth"],
        "encoder_attention_heads": values["heads"],
        "decoder_attention_heads": values["heads"],
        "encoder_ffn_dim": 4 * values["width"],
        "decoder_ffn_dim": 4 * values["width"],
        "vocab_size": values["vocabulary"],
        "max_source_positions": values["frames"],
        "max_target_positions": values["context"],
    }


class Family(NamedTuple):
    """Networks of one class of transformers. `less` makes a small one, by the names of the spec."""

    config: str
    kind: str
    fields: Callable[[Fields], Fields]
    names: tuple[str, ...]
    less: str = ""
    held: tuple[str, str] | None = None
    """A layer, and what a variable of the model's forward holds until that is done; it matters in inference alone."""

    def spec(self, name: str, tokens: int) -> ModelSpec:
        return override(archcost.load(name), [f"tokens={tokens}"], [])

    def small(self, name: str, tokens: int) -> ModelSpec:
        settings = [*self.less.split(), f"tokens={tokens}"]
        holds = {} if self.held is None else {self.held[0]: (self.held[1],)}
        return override(archcost.load(name), settings, []).model_copy(update={"published": None, "holds": holds})


DECODER = "depth=2 width=64 heads=4 groups=2 features=16 hidden=160 vocabulary=1000"

EMBEDDED = ("norm.weighed", "embed_tokens")

FAMILIES: tuple[Family, ...] = (
    Family("GPT2Config", "GPT2LMHeadModel", gpt2, ("gpt2", "gpt2_medium", "gpt2_large", "gpt2_xl")),
    Family(
        "LlamaConfig",
        "LlamaForCausalLM",
        llama,
        (
            "llama2_7b",
            "llama2_13b",
            "llama2_70b",
            "llama3_8b",
            "llama3_70b",
            "llama3_1_405b",
            "llama3_2_1b",
            "llama3_2_3b",
            "tinyllama_1_1b",
            "smollm2_135m",
            "smollm2_360m",
            "smollm2_1_7b",
        ),
        DECODER,
        EMBEDDED,
    ),
    Family(
        "MistralConfig",
        "MistralForCausalLM",
        mistral,
        ("mistral_7b", "mistral_7b_v0_1", "mistral_nemo_12b"),
        DECODER,
        EMBEDDED,
    ),
    Family(
        "Qwen2Config",
        "Qwen2ForCausalLM",
        llama,
        (
            "qwen2_5_0_5b",
            "qwen2_5_1_5b",
            "qwen2_5_3b",
            "qwen2_5_7b",
            "qwen2_5_14b",
            "qwen2_5_32b",
            "qwen2_5_72b",
        ),
        DECODER,
        EMBEDDED,
    ),
    Family(
        "Qwen3Config",
        "Qwen3ForCausalLM",
        llama,
        ("qwen3_0_6b", "qwen3_1_7b", "qwen3_4b", "qwen3_8b", "qwen3_14b", "qwen3_32b"),
        DECODER,
        EMBEDDED,
    ),
    Family("MixtralConfig", "MixtralForCausalLM", mixtral, ("mixtral_8x7b",)),
    Family("WhisperConfig", "WhisperForConditionalGeneration", whisper, ("whisper_base",)),
)
