"""The networks that families.py compares: transformers' classes with their released configurations, and small ones.

Numbers are those of each network's config.json at huggingface.co, as of November 2026; what is left out is the class's
own default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import archcost
from archcost import ModelSpec

BATCH = 2

Fields = Mapping[str, Any]


class Kind(NamedTuple):
    """A class of transformers: its configuration, what it is made with (`auto`), and fields that all sizes share.

    `columns` names the fields in which sizes differ. `inputs` are those of forward, in the order of the declared ones;
    `outputs` what is compared.
    """

    config: str
    columns: str
    fields: Fields = MappingProxyType({})
    auto: str = "AutoModelForCausalLM"
    inputs: tuple[str, ...] = ("input_ids",)
    outputs: tuple[str, ...] = ("logits",)

    def module(self, fields: Fields) -> nn.Module:
        library: Any = import_module("transformers")
        config = getattr(library, f"{self.config}Config")(**{**self.fields, **fields})
        if hasattr(config, "use_cache"):
            config.use_cache = False  # a cache of keys is for generating, not for a step
        module = getattr(library, self.auto).from_config(config)
        if fields.get("tie_word_embeddings", self.fields.get("tie_word_embeddings")) is False:
            untie(module)
        return Chosen(module, self.inputs, self.outputs)

    def size(self, *values: Any, **more: Any) -> Fields:
        return {**dict(zip(self.columns.split(), values, strict=True)), **more}


class Chosen(nn.Module):
    """A module that takes its inputs by place and returns some of what it has."""

    def __init__(self, module: nn.Module, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.module = module
        self.inputs = inputs
        self.outputs = outputs

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        found = self.module(**dict(zip(self.inputs, values, strict=True)))
        return tuple(getattr(found, name) for name in self.outputs)


def untie(module: Any) -> None:
    """T5's class ties the last layer to the table whatever its configuration says; released weights may have both."""
    if hasattr(module, "shared") and module.lm_head.weight is module.shared.weight:
        module.lm_head.weight = nn.Parameter(torch.empty_like(module.shared.weight))


SIZES = "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads"
TIED: Fields = {"tie_word_embeddings": True}
STATES = ("last_hidden_state", "pooler_output")

LLAMA = Kind("Llama", SIZES)
QWEN2 = Kind("Qwen2", SIZES, {"vocab_size": 152064})
QWEN3 = Kind("Qwen3", SIZES, {"vocab_size": 151936, "head_dim": 128})
MISTRAL = Kind("Mistral", SIZES)
GEMMA2 = Kind("Gemma2", SIZES, {"head_dim": 256, "sliding_window": 4096})
GEMMA3 = Kind("Gemma3Text", SIZES, {"head_dim": 256, "sliding_window": 1024, "vocab_size": 262208})
PHI = Kind("Phi", SIZES, {"vocab_size": 51200, "resid_pdrop": 0.1, "partial_rotary_factor": 0.4})
PHI3 = Kind("Phi3", SIZES, {"pad_token_id": 0})
OLMO2 = Kind("Olmo2", SIZES, {"vocab_size": 100352})
PYTHIA = Kind("GPTNeoX", "hidden_size intermediate_size num_hidden_layers num_attention_heads vocab_size")
FALCON = Kind(
    "Falcon",
    "hidden_size num_hidden_layers num_attention_heads vocab_size",
    {"multi_query": True, "parallel_attn": True, "new_decoder_architecture": False, "bias": False, "alibi": False},
)
OPT = Kind(
    "OPT", "hidden_size ffn_dim num_hidden_layers num_attention_heads word_embed_proj_dim", {"vocab_size": 50272}
)
ENCODER = "hidden_size intermediate_size num_hidden_layers num_attention_heads"
BERT = Kind("Bert", ENCODER, auto="AutoModel", inputs=("input_ids", "token_type_ids"), outputs=STATES)
ROBERTA_FIELDS: Fields = {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}
ROBERTA = Kind("Roberta", ENCODER, {**ROBERTA_FIELDS, "layer_norm_eps": 1e-5}, "AutoModel", outputs=STATES)
DISTILBERT = Kind("DistilBert", "dim hidden_dim n_layers n_heads", auto="AutoModel", outputs=STATES[:1])
MODERNBERT = Kind("ModernBert", ENCODER, auto="AutoModelForMaskedLM")
READ = ("input_ids", "decoder_input_ids")
T5 = Kind("T5", "d_model d_ff num_layers num_heads d_kv", auto="AutoModelForSeq2SeqLM", inputs=READ)
FLAN = T5._replace(fields={"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False})
WHISPER = Kind(
    "Whisper",
    "d_model encoder_ffn_dim decoder_ffn_dim encoder_layers decoder_layers encoder_attention_heads "
    "decoder_attention_heads",
    auto="AutoModelForSpeechSeq2Seq",
    inputs=("input_features", "decoder_input_ids"),
)


def _llama3(*sizes: int, **more: Any) -> Fields:
    return LLAMA.size(*sizes, vocab_size=128256, **more)


def _tied_qwen2(*sizes: int) -> Fields:
    return QWEN2.size(*sizes, vocab_size=151936, **TIED)


RELEASED: Mapping[str, tuple[Kind, Fields]] = {
    "llama2_7b": (LLAMA, LLAMA.size(4096, 11008, 32, 32, 32)),
    "llama2_13b": (LLAMA, LLAMA.size(5120, 13824, 40, 40, 40)),
    "llama2_70b": (LLAMA, LLAMA.size(8192, 28672, 80, 64, 8)),
    "llama3_8b": (LLAMA, _llama3(4096, 14336, 32, 32, 8)),
    "llama3_70b": (LLAMA, _llama3(8192, 28672, 80, 64, 8)),
    "llama3_1_405b": (LLAMA, _llama3(16384, 53248, 126, 128, 8)),
    "llama3_2_1b": (LLAMA, _llama3(2048, 8192, 16, 32, 8, **TIED)),
    "llama3_2_3b": (LLAMA, _llama3(3072, 8192, 28, 24, 8, **TIED)),
    "tinyllama_1_1b": (LLAMA, LLAMA.size(2048, 5632, 22, 32, 4)),
    "smollm2_135m": (LLAMA, LLAMA.size(576, 1536, 30, 9, 3, vocab_size=49152, **TIED)),
    "smollm2_360m": (LLAMA, LLAMA.size(960, 2560, 32, 15, 5, vocab_size=49152, **TIED)),
    "smollm2_1_7b": (LLAMA, LLAMA.size(2048, 8192, 24, 32, 32, vocab_size=49152, **TIED)),
    "qwen2_5_0_5b": (QWEN2, _tied_qwen2(896, 4864, 24, 14, 2)),
    "qwen2_5_1_5b": (QWEN2, _tied_qwen2(1536, 8960, 28, 12, 2)),
    "qwen2_5_3b": (QWEN2, _tied_qwen2(2048, 11008, 36, 16, 2)),
    "qwen2_5_7b": (QWEN2, QWEN2.size(3584, 18944, 28, 28, 4)),
    "qwen2_5_14b": (QWEN2, QWEN2.size(5120, 13824, 48, 40, 8)),
    "qwen2_5_32b": (QWEN2, QWEN2.size(5120, 27648, 64, 40, 8)),
    "qwen2_5_72b": (QWEN2, QWEN2.size(8192, 29568, 80, 64, 8)),
    "qwen3_0_6b": (QWEN3, QWEN3.size(1024, 3072, 28, 16, 8, **TIED)),
    "qwen3_1_7b": (QWEN3, QWEN3.size(2048, 6144, 28, 16, 8, **TIED)),
    "qwen3_4b": (QWEN3, QWEN3.size(2560, 9728, 36, 32, 8, **TIED)),
    "qwen3_8b": (QWEN3, QWEN3.size(4096, 12288, 36, 32, 8)),
    "qwen3_14b": (QWEN3, QWEN3.size(5120, 17408, 40, 40, 8)),
    "qwen3_32b": (QWEN3, QWEN3.size(5120, 25600, 64, 64, 8)),
    "mistral_7b": (MISTRAL, MISTRAL.size(4096, 14336, 32, 32, 8, vocab_size=32768, sliding_window=None)),
    "mistral_7b_v0_1": (MISTRAL, MISTRAL.size(4096, 14336, 32, 32, 8, sliding_window=4096)),
    "mistral_nemo_12b": (
        MISTRAL,
        MISTRAL.size(5120, 14336, 40, 32, 8, vocab_size=131072, head_dim=128, sliding_window=None),
    ),
    "gemma2_2b": (GEMMA2, GEMMA2.size(2304, 9216, 26, 8, 4)),
    "gemma2_9b": (GEMMA2, GEMMA2.size(3584, 14336, 42, 16, 8)),
    "gemma2_27b": (GEMMA2, GEMMA2.size(4608, 36864, 46, 32, 16, head_dim=128)),
    "gemma3_1b": (GEMMA3, GEMMA3.size(1152, 6912, 26, 4, 1, sliding_window=512, vocab_size=262144)),
    "gemma3_4b": (GEMMA3, GEMMA3.size(2560, 10240, 34, 8, 4)),
    "gemma3_12b": (GEMMA3, GEMMA3.size(3840, 15360, 48, 16, 8)),
    "gemma3_27b": (GEMMA3, GEMMA3.size(5376, 21504, 62, 32, 16, head_dim=128)),
    "phi2": (PHI, PHI.size(2560, 10240, 32, 32, 32)),
    "phi3_mini": (PHI3, PHI3.size(3072, 8192, 32, 32, 32, vocab_size=32064, sliding_window=2047)),
    "phi4": (PHI3, PHI3.size(5120, 17920, 40, 40, 10, vocab_size=100352, sliding_window=None)),
    "olmo2_1b": (OLMO2, OLMO2.size(2048, 8192, 16, 16, 16)),
    "olmo2_7b": (OLMO2, OLMO2.size(4096, 11008, 32, 32, 32)),
    "olmo2_13b": (OLMO2, OLMO2.size(5120, 13824, 40, 40, 40)),
    "olmo2_32b": (OLMO2, OLMO2.size(5120, 27648, 64, 40, 8)),
    "pythia_160m": (PYTHIA, PYTHIA.size(768, 3072, 12, 12, 50304)),
    "pythia_410m": (PYTHIA, PYTHIA.size(1024, 4096, 24, 16, 50304)),
    "pythia_1b": (PYTHIA, PYTHIA.size(2048, 8192, 16, 8, 50304)),
    "pythia_1_4b": (PYTHIA, PYTHIA.size(2048, 8192, 24, 16, 50304)),
    "pythia_2_8b": (PYTHIA, PYTHIA.size(2560, 10240, 32, 32, 50304)),
    "pythia_6_9b": (PYTHIA, PYTHIA.size(4096, 16384, 32, 32, 50432)),
    "pythia_12b": (PYTHIA, PYTHIA.size(5120, 20480, 36, 40, 50688)),
    "falcon_7b": (FALCON, FALCON.size(4544, 32, 71, 65024)),
    "opt_125m": (OPT, OPT.size(768, 3072, 12, 12, 768)),
    "opt_1_3b": (OPT, OPT.size(2048, 8192, 24, 32, 2048)),
    "opt_6_7b": (OPT, OPT.size(4096, 16384, 32, 32, 4096)),
    "bert_base": (BERT, BERT.size(768, 3072, 12, 12)),
    "bert_large": (BERT, BERT.size(1024, 4096, 24, 16)),
    "roberta_base": (ROBERTA, ROBERTA.size(768, 3072, 12, 12)),
    "roberta_large": (ROBERTA, ROBERTA.size(1024, 4096, 24, 16)),
    "distilbert_base": (DISTILBERT, DISTILBERT.size(768, 3072, 6, 12)),
    "modernbert_base": (MODERNBERT, MODERNBERT.size(768, 1152, 22, 12)),
    "modernbert_large": (MODERNBERT, MODERNBERT.size(1024, 2624, 28, 16)),
    "t5_small": (T5, T5.size(512, 2048, 6, 8, 64)),
    "t5_base": (T5, T5.size(768, 3072, 12, 12, 64)),
    "t5_large": (T5, T5.size(1024, 4096, 24, 16, 64)),
    "t5_3b": (T5, T5.size(1024, 16384, 24, 32, 128)),
    "flan_t5_base": (FLAN, FLAN.size(768, 2048, 12, 12, 64)),
    "flan_t5_large": (FLAN, FLAN.size(1024, 2816, 24, 16, 64)),
    "flan_t5_xl": (FLAN, FLAN.size(2048, 5120, 24, 32, 64)),
    "whisper_base": (WHISPER, WHISPER.size(512, 2048, 2048, 6, 6, 8, 8)),
    "whisper_large_v3": (
        WHISPER,
        WHISPER.size(1280, 5120, 5120, 32, 32, 20, 20, vocab_size=51866, num_mel_bins=128),
    ),
}


class Small(NamedTuple):
    """A few narrow layers of a family: the declared network with other parameters, and the module that it is."""

    name: str
    network: str
    settings: str
    kind: Kind
    fields: Fields

    def spec(self) -> ModelSpec:
        """Its loss is the sum of what comes out, as the module's is."""
        spec = archcost.load(self.network, settings=[*self.settings.split(), "vocabulary=97"])
        return spec.model_copy(update={"loss": "sum"})

    def module(self) -> nn.Module:
        torch.manual_seed(0)
        return self.kind.module({**self.fields, "vocab_size": 97})

    def inputs(self, batch: int) -> tuple[Tensor, ...]:
        return tuple(shaped(self.spec(), batch))


def shaped(spec: ModelSpec, batch: int) -> Iterator[Tensor]:
    """Zeros for each of its inputs."""
    for given in spec.inputs.values():
        yield torch.zeros(batch, *given.shape, dtype=getattr(torch, given.dtype))


NARROW = "depth=2 width=64 heads=4 tokens=40"
GROUPED = f"{NARROW} groups=2 hidden=80"
EIGHT = "depth=8 width=64 heads=4 groups=2 hidden=80 tokens=40 features=24"
FEW = (64, 80, 2, 4)
GROUPS = (*FEW, 2)
TEXTS = f"{NARROW} written=24 features=16 hidden=80"
WIDE = (64, 256, 2, 4)

SMALL: tuple[Small, ...] = (
    Small("Llama", "llama2_7b", GROUPED, LLAMA, LLAMA.size(*GROUPS)),
    Small("Llama, tied", "llama3_2_1b", GROUPED, LLAMA, LLAMA.size(*GROUPS, **TIED)),
    Small("Qwen 2.5", "qwen2_5_7b", GROUPED, QWEN2, QWEN2.size(*GROUPS)),
    Small("Qwen 3", "qwen3_8b", f"{GROUPED} features=24", QWEN3, QWEN3.size(*GROUPS, head_dim=24)),
    Small("Mistral", "mistral_7b", GROUPED, MISTRAL, MISTRAL.size(*GROUPS, sliding_window=None)),
    Small(
        "Mistral, a window of 16",
        "mistral_7b_v0_1",
        f"{GROUPED} window=16",
        MISTRAL,
        MISTRAL.size(*GROUPS, sliding_window=16),
    ),
    Small(
        "Gemma 2",
        "gemma2_2b",
        f"{GROUPED} features=24 window=16",
        GEMMA2,
        GEMMA2.size(*GROUPS, head_dim=24, sliding_window=16),
    ),
    Small(
        "Gemma 3, eight layers",
        "gemma3_4b",
        f"{EIGHT} window=16",
        GEMMA3,
        GEMMA3.size(64, 80, 8, 4, 2, head_dim=24, sliding_window=16),
    ),
    Small(
        "Gemma 3, shorter than its window",
        "gemma3_4b",
        EIGHT,
        GEMMA3,
        GEMMA3.size(64, 80, 8, 4, 2, head_dim=24),
    ),
    Small(
        "Phi-2",
        "phi2",
        f"{NARROW} hidden=80 features=16 rotary=8",
        PHI,
        PHI.size(*GROUPS[:4], 4, partial_rotary_factor=0.5),
    ),
    Small("Phi-3, Phi-4", "phi4", GROUPED, PHI3, PHI3.size(*GROUPS, sliding_window=None)),
    Small("Phi-3, a window", "phi3_mini", f"{GROUPED} window=16", PHI3, PHI3.size(*GROUPS, sliding_window=16)),
    Small("OLMo 2", "olmo2_7b", GROUPED, OLMO2, OLMO2.size(*GROUPS)),
    Small("Pythia", "pythia_6_9b", f"{NARROW} hidden=80", PYTHIA, PYTHIA.size(*FEW, 97)),
    Small("Falcon", "falcon_7b", f"{NARROW} features=16", FALCON, FALCON.size(64, 2, 4, 97)),
    Small("OPT", "opt_1_3b", f"{NARROW} hidden=80 context=48", OPT, OPT.size(*FEW, 64, max_position_embeddings=48)),
    Small("BERT", "bert_base", f"{NARROW} context=50", BERT, BERT.size(*WIDE, max_position_embeddings=50)),
    Small("RoBERTa", "roberta_base", f"{NARROW} context=50", ROBERTA, ROBERTA.size(*WIDE, max_position_embeddings=50)),
    Small(
        "DistilBERT",
        "distilbert_base",
        f"{NARROW} context=50",
        DISTILBERT,
        DISTILBERT.size(64, 256, 2, 4, max_position_embeddings=50),
    ),
    Small(
        "ModernBERT, five layers",
        "modernbert_base",
        "depth=5 width=64 heads=4 tokens=40 hidden=80 window=8",
        MODERNBERT,
        MODERNBERT.size(64, 80, 5, 4, local_attention=16, pad_token_id=0),
    ),
    Small("T5", "t5_base", TEXTS, T5, T5.size(64, 80, 2, 4, 16)),
    Small("Flan-T5", "flan_t5_base", TEXTS, FLAN, FLAN.size(64, 80, 2, 4, 16)),
    Small(
        "Whisper",
        "whisper_base",
        "depth=2 width=64 heads=4 tokens=24 bins=8 sound=40 context=48",
        WHISPER,
        WHISPER.size(
            *(64, 256, 256, 2, 2, 4, 4),
            num_mel_bins=8,
            max_source_positions=20,
            max_target_positions=48,
            pad_token_id=1,
            bos_token_id=2,
            eos_token_id=3,
            decoder_start_token_id=2,
        ),
    ),
)
