"""Adapters of peft on a small Llama, BERT, T5 and ViT, whose own weights are frozen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from tests.collections import transformers_models
from tests.collections.far.member import Member, made_of

PROJECTIONS = ["q_proj", "v_proj"]
ALL = [*PROJECTIONS, "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def _adapted(family: str, config: str, **fields: Any) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        base = transformers_models.subject(family).make()
        adapter: Any = made_of("peft", f"{config}Config", **fields)()
        return made_of("peft", "get_peft_model", model=base, peft_config=adapter)()

    return make


def _of(family: str, config: str, **fields: Any) -> Member:
    base = transformers_models.FAMILIES[family]
    names = {"input_ids": base.inputs[0]} if base.inputs[0].dim() == 2 else {"pixel_values": base.inputs[0]}
    return Member(_adapted(family, config, **fields), (), {**names, **base.named})


def _causal(config: str, **fields: Any) -> Member:
    return _of("Llama", config, task_type="CAUSAL_LM", **fields)


MODELS = {
    "LoRA": _causal("Lora", r=4, target_modules=PROJECTIONS),
    "LoRA all, dropout": _causal("Lora", r=4, target_modules=ALL, lora_dropout=0.1),
    "LoRA with embedding and bias": _causal("Lora", r=4, target_modules=[*PROJECTIONS, "embed_tokens"], bias="all"),
    "LoRA head saved": _causal("Lora", r=4, target_modules=PROJECTIONS, modules_to_save=["lm_head"]),
    "DoRA": _causal("Lora", r=4, target_modules=PROJECTIONS, use_dora=True),
    "rsLoRA": _causal("Lora", r=4, target_modules="all-linear", use_rslora=True),
    "AdaLoRA": _causal("AdaLora", init_r=4, target_r=2, target_modules=PROJECTIONS, total_step=10),
    "IA3": _causal("IA3", target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]),
    "LoHa": _causal("LoHa", r=4, target_modules=PROJECTIONS),
    "LoKr": _causal("LoKr", r=4, target_modules=PROJECTIONS),
    "VeRA": _causal("Vera", r=4, target_modules=PROJECTIONS),
    "OFT": _causal("OFT", oft_block_size=4, r=0, target_modules=PROJECTIONS),
    "BOFT": _causal("BOFT", boft_block_size=4, target_modules=PROJECTIONS),
    "HRA": _causal("HRA", r=4, target_modules=PROJECTIONS),
    "FourierFT": _causal("FourierFT", n_frequency=8, target_modules=PROJECTIONS),
    "MiSS": _causal("Miss", r=4, target_modules=PROJECTIONS),
    "LN tuning": _causal("LNTuning", target_modules=["input_layernorm", "post_attention_layernorm"]),
    "Prompt tuning": _causal("PromptTuning", num_virtual_tokens=5),
    "P-tuning": _causal("PromptEncoder", num_virtual_tokens=5, encoder_hidden_size=16),
    "Prefix tuning": _causal("PrefixTuning", num_virtual_tokens=5),
    "LoRA on Bert": _of("Bert", "Lora", r=4, target_modules=["query", "value"]),
    "DoRA on Bert": _of("Bert", "Lora", r=4, target_modules=["query", "value"], use_dora=True),
    "LoRA on T5": _of("T5", "Lora", r=4, target_modules=["q", "v"]),
    "LoRA on ViT": _of("ViT", "Lora", r=4, target_modules="all-linear"),
    "LoRA on GPT2": _of("GPT2", "Lora", r=4, target_modules=["c_attn"], task_type="CAUSAL_LM", fan_in_fan_out=True),
}
