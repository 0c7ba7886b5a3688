"""Which of our families a `model_type` is, and what its keys are there.

Keys and defaults are those of transformers' configuration classes (release 5.24, `models/*/configuration_*.py`). A key
that stands in none of these tables is told; one with a value that the family has no layers for is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archcost.importers.huggingface import rules
from archcost.importers.huggingface.rules import Keys
from archcost.spec.values import Value

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Family:
    """A family of ours, by keys of a config.

    `sizes` are keys that are parameters of the family, `defaults` what the class assumes of keys that are left out,
    `fixed` the only values that the family has layers for, `harmless` keys that change no number. `more` works out
    parameters of several keys. `heads` are the architectures with the family's last layers.
    """

    file: str
    sizes: Mapping[str, str]
    defaults: Mapping[str, Any]
    heads: tuple[str, ...]
    fixed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, "tuple[Any, ...]"])
    harmless: tuple[str, ...] = ()
    more: Callable[[Keys], Mapping[str, Value]] | None = None
    reads: tuple[str, ...] = ()
    """The keys that `more` reads."""
    longest: str | None = None
    """The key with the most positions, where these are no rows of a table; the family's own length stays below it."""

    def knows(self, key: str) -> bool:
        tables = (self.sizes, self.defaults, self.fixed, self.harmless, self.reads, HARMLESS)
        return any(key in table for table in tables) or key == self.longest


HARMLESS = (
    *("model_type", "architectures", "dtype", "torch_dtype", "transformers_version", "auto_map", "use_cache"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "cls_token_id", "mask_token_id"),
    *(
        "initializer_range",
        "initializer_factor",
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        "rope_local_base_freq",
    ),
    *("pretraining_tp", "cache_implementation", "gradient_checkpointing", "id2label", "label2id", "finetuning_task"),
    *("task_specific_params", "output_attentions", "output_hidden_states", "return_dict", "is_encoder_decoder"),
    *("attn_implementation", "original_max_position_embeddings", "classifier_dropout", "problem_type"),
)
"""Keys that change no number of ours: tokens, angles, initial values, what training tools keep."""

OFF = (False, None)
NO_DROPOUT = (0, 0.0, None)


SIZES = {
    "vocab_size": "vocabulary",
    "hidden_size": "width",
    "intermediate_size": "hidden",
    "num_hidden_layers": "depth",
    "num_attention_heads": "heads",
}
DECODER_SIZES = {**SIZES, "rms_norm_eps": "eps"}
DECODER_READS = ("num_key_value_heads", "head_dim", "tie_word_embeddings", "partial_rotary_factor", "layer_types")
LONGEST = "max_position_embeddings"


def _llama_like(
    file: str,
    heads: tuple[str, ...],
    more: Callable[[Keys], Mapping[str, Value]] = rules.decoder,
    defaults: Mapping[str, Any] = NOTHING,
    fixed: Mapping[str, tuple[Any, ...]] = NOTHING,
    **fields: Any,
) -> Family:
    return Family(
        file,
        fields.pop("sizes", DECODER_SIZES),
        {"tie_word_embeddings": False, "rms_norm_eps": 1e-6, **defaults},
        heads,
        {"hidden_act": ("silu",), "attention_bias": OFF, "attention_dropout": NO_DROPOUT, **fixed},
        fields.pop("harmless", ()),
        more,
        (*DECODER_READS, *fields.pop("reads", ())),
        LONGEST,
    )


EXPERT_SIZES = {key: name for key, name in DECODER_SIZES.items() if name != "hidden"}
ROUTED: Mapping[str, tuple[Any, ...]] = {"tie_word_embeddings": (False,), "output_router_logits": OFF}
"""What networks of experts have no layers for: a shared table, a loss of the router."""

GELU_TANH = ("gelu_pytorch_tanh",)
GEMMA = {
    "hidden_activation": (*GELU_TANH, None),
    "hidden_act": (*GELU_TANH, None),
    "use_bidirectional_attention": OFF,
}
WINDOWS = ("sliding_window", "sliding_window_pattern", "_sliding_window_pattern")
ENCODER_SIZES = {
    **{key: name for key, name in SIZES.items() if name != "hidden"},
    "max_position_embeddings": "context",
    "hidden_dropout_prob": "dropout",
}
ENCODER_FIXED = {
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute", None),
    "is_decoder": OFF,
    "add_cross_attention": OFF,
}
ENCODER_READS = ("intermediate_size", "attention_probs_dropout_prob", "layer_norm_eps", "tie_word_embeddings")
ENCODER_DEFAULTS = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}

FAMILIES: Mapping[str, Family] = {
    "llama": _llama_like("llama", ("LlamaForCausalLM",), fixed={"mlp_bias": OFF}),
    "mistral": _llama_like(
        "mistral",
        ("MistralForCausalLM",),
        rules.windowed,
        {"num_key_value_heads": 8, "sliding_window": 4096},
        reads=("sliding_window",),
    ),
    "qwen2": _llama_like(
        "qwen2",
        ("Qwen2ForCausalLM",),
        rules.full,
        {"num_key_value_heads": 32},
        reads=("use_sliding_window",),
        harmless=("sliding_window", "max_window_layers"),
    ),
    "qwen3": _llama_like(
        "qwen3",
        ("Qwen3ForCausalLM",),
        rules.full,
        {"num_key_value_heads": 32, "head_dim": 128},
        reads=("use_sliding_window",),
        harmless=("sliding_window", "max_window_layers"),
    ),
    "gemma2": _llama_like(
        "gemma2",
        ("Gemma2ForCausalLM",),
        rules.alternating(2),
        {
            "num_key_value_heads": 4,
            "head_dim": 256,
            "tie_word_embeddings": True,
            "sliding_window": 4096,
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
        },
        {**GEMMA, "attn_logit_softcapping": (50.0,), "final_logit_softcapping": (30.0,)},
        reads=WINDOWS,
        harmless=("query_pre_attn_scalar", "cache_implementation"),
    ),
    "gemma3_text": _llama_like(
        "gemma3",
        ("Gemma3ForCausalLM",),
        rules.alternating(6),
        {"num_key_value_heads": 4, "head_dim": 256, "tie_word_embeddings": True, "sliding_window": 4096},
        {**GEMMA, "attn_logit_softcapping": (None,), "final_logit_softcapping": (None,)},
        reads=WINDOWS,
        harmless=("query_pre_attn_scalar",),
    ),
    "phi3": _llama_like(
        "phi3",
        ("Phi3ForCausalLM",),
        rules.windowed,
        {"rms_norm_eps": 1e-5, "sliding_window": None},
        {"resid_pdrop": NO_DROPOUT, "embd_pdrop": NO_DROPOUT, "attention_bias": OFF},
        reads=("sliding_window",),
    ),
    "olmo2": _llama_like("olmo2", ("Olmo2ForCausalLM",), defaults={"rms_norm_eps": 1e-5}),
    "phi": _llama_like(
        "phi",
        ("PhiForCausalLM",),
        rules.partly_turned,
        defaults={"layer_norm_eps": 1e-5, "partial_rotary_factor": 0.5, "resid_pdrop": 0.0},
        fixed={
            "hidden_act": ("gelu_new",),
            "qk_layernorm": OFF,
            "embd_pdrop": NO_DROPOUT,
            "tie_word_embeddings": (False,),
        },
        sizes={**SIZES, "layer_norm_eps": "eps", "resid_pdrop": "dropout"},
    ),
    "gpt_neox": _llama_like(
        "pythia",
        ("GPTNeoXForCausalLM",),
        rules.partly_turned,
        defaults={"layer_norm_eps": 1e-5, "rotary_pct": 0.25},
        fixed={
            "hidden_act": ("gelu",),
            "use_parallel_residual": (True, None),
            "attention_bias": (True, None),
            "hidden_dropout": NO_DROPOUT,
            "tie_word_embeddings": (False,),
        },
        sizes={**SIZES, "layer_norm_eps": "eps"},
        reads=("rotary_pct",),
        harmless=("rotary_emb_base", "is_decoder"),
    ),
    "mixtral": _llama_like(
        "../mixtral_8x7b",
        ("MixtralForCausalLM",),
        defaults={"num_key_value_heads": 8, "rms_norm_eps": 1e-5, "num_local_experts": 8, "num_experts_per_tok": 2},
        fixed={**ROUTED, "sliding_window": (None,), "router_jitter_noise": NO_DROPOUT},
        sizes={
            **EXPERT_SIZES,
            "intermediate_size": "expert_hidden",
            "num_local_experts": "experts",
            "num_experts_per_tok": "chosen",
        },
        harmless=("router_aux_loss_coef",),
    ),
    "qwen3_moe": _llama_like(
        "experts",
        ("Qwen3MoeForCausalLM",),
        rules.routed,
        {
            "num_key_value_heads": 4,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 768,
            "norm_topk_prob": False,
        },
        {**ROUTED, "decoder_sparse_step": (1,), "mlp_only_layers": (None, [], ())},
        sizes={
            **EXPERT_SIZES,
            "moe_intermediate_size": "expert_hidden",
            "num_experts": "experts",
            "num_experts_per_tok": "chosen",
        },
        reads=("norm_topk_prob", "use_sliding_window"),
        harmless=("router_aux_loss_coef", "intermediate_size", "sliding_window", "max_window_layers"),
    ),
    "gpt2": Family(
        "gpt",
        {
            "vocab_size": "vocabulary",
            "n_embd": "width",
            "n_layer": "depth",
            "n_head": "heads",
            "n_positions": "context",
            "resid_pdrop": "dropout",
        },
        {"n_positions": 1024, "resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1},
        ("GPT2LMHeadModel",),
        {
            "activation_function": ("gelu_new", None),
            "scale_attn_weights": (True, None),
            "scale_attn_by_inverse_layer_idx": OFF,
            "reorder_and_upcast_attn": OFF,
            "add_cross_attention": OFF,
            "tie_word_embeddings": (True, None),
        },
        (
            *("n_ctx", "layer_norm_epsilon", "summary_activation", "summary_first_dropout", "summary_proj_to_labels"),
            *("summary_type", "summary_use_proj"),
        ),
        rules.gpt2,
        ("n_inner",),
    ),
    "bert": Family(
        "bert",
        ENCODER_SIZES,
        {"max_position_embeddings": 512, "type_vocab_size": 2, **ENCODER_DEFAULTS},
        ("BertModel",),
        {**ENCODER_FIXED, "type_vocab_size": (2,)},
        more=rules.encoder,
        reads=ENCODER_READS,
    ),
    "roberta": Family(
        "roberta",
        ENCODER_SIZES,
        {"max_position_embeddings": 512, "type_vocab_size": 2, **ENCODER_DEFAULTS},
        ("RobertaModel",),
        {**ENCODER_FIXED, "type_vocab_size": (1,)},
        more=rules.encoder,
        reads=ENCODER_READS,
    ),
    "distilbert": Family(
        "distilbert",
        {
            "vocab_size": "vocabulary",
            "dim": "width",
            "n_layers": "depth",
            "n_heads": "heads",
            "max_position_embeddings": "context",
            "dropout": "dropout",
        },
        {"max_position_embeddings": 512, "dropout": 0.1, "attention_dropout": 0.1},
        ("DistilBertModel",),
        {"activation": ("gelu",), "sinusoidal_pos_embds": OFF},
        ("qa_dropout", "seq_classif_dropout", "tie_weights_", "tie_word_embeddings"),
        rules.distilled,
        ("hidden_dim", "attention_dropout"),
    ),
}
"""By `model_type`."""
