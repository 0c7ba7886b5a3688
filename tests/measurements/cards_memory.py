"""What archcost says today of the steps that real cards ran, beside what they reported: three tables, written anew.

    python -m tests.measurements.cards_memory [brackets] [segmentors] [adapters]

The measured columns stay as they are. `brackets` needs timm, `adapters` transformers and peft, as pinned in
tests/collections/requirements.txt; networks are built without values. Then `make docs` brings the limits of the verdict
and the page up to date.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

import archcost
from archcost import ModelSpec, Run
from archcost.estimates.batches import growth
from archcost.spec.overrides import set_loss
from tests.collections.compiled import declare_operators
from tests.measurements import allocated, brackets
from tests.measurements.allocated import Segmented
from tests.measurements.brackets import Bracket, Needs

TORCH = "2.13"
"""Whose rules hold: those of torch 1.12 are not known one by one."""

LENGTH, BATCH = 768, 4
"""Of PEFT's runs: the longest sequences, and how many."""


def main() -> int:
    parser = argparse.ArgumentParser(description="predict again what real cards reported")
    tables: dict[str, Callable[[], None]] = {
        "brackets": predict_brackets,
        "segmentors": predict_segmentors,
        "adapters": predict_adapters,
    }
    parser.add_argument("tables", nargs="*", choices=[*tables, []], default=list(tables))
    warnings.filterwarnings("ignore")
    for name in parser.parse_args().tables:
        tables[name]()
    return 0


# Brackets


def predict_brackets() -> None:
    rows = brackets.read()
    found: list[Bracket] = []
    for (network, size), members in groupby(rows, key=lambda row: (row.network, row.size)):
        spec = timm_network(network, size)
        kept, released = needs(spec, kept=True), needs(spec, kept=False)
        for row in members:
            batches = (row.ran, row.refused)
            found.append(row._replace(kept=Needs(*map(kept, batches)), released=Needs(*map(released, batches))))
        print(f"{len(found)} of {len(rows)}: {network}", flush=True)
    brackets.write(found)


def timm_network(network: str, size: int) -> ModelSpec:
    """With attention composed of products and softmax, as torch 1.12 ran it."""
    declare_operators()
    import timm
    from timm.layers import set_fused_attn

    set_fused_attn(False)
    module = timm.create_model(network, pretrained=False)
    return set_loss(archcost.from_torch(module, torch.zeros(1, 3, size, size, device="meta")), "cross_entropy")


def needs(spec: ModelSpec, kept: bool) -> Callable[[int], int]:
    """By batch the bytes that a verdict is of; 0 of none. The second of two passes finds the gradients of the first."""
    run = Run(precision="amp-fp16", optimizer="sgd-momentum", torch=TORCH, accumulation=2 if kept else 1)
    grown = growth(spec, run, "cuda")
    profile = archcost.hardware.load(brackets.CARD)
    return lambda batch: grown.demand(batch, profile).needed if batch else 0


# Segmentors


def predict_segmentors() -> None:
    rows = [row._replace(ours=segmentor_bytes(row)) for row in allocated.segmented()]
    allocated.write(allocated.SEGMENTORS, rows)


def segmentor_bytes(row: Segmented) -> int:
    from tests.measurements.segmentors import of_resnet, of_unet

    if row.backbone == "unet":
        module: nn.Module = of_unet(row.head, row.classes)
    else:
        name, _, deep = row.backbone.partition("-")
        module = of_resnet(row.head, int(name.removeprefix("resnet")), deep == "v1c", row.classes)
    labels = torch.zeros(1, row.height, row.width, dtype=torch.int64, device="meta")
    images = torch.zeros(1, 3, row.height, row.width, device="meta")
    spec = archcost.from_torch(module.to("meta"), images, labels)
    settings: dict[str, Any] = {"optimizer": "sgd-momentum", "precision": row.precision, "accumulation": 2}
    found = archcost.estimate(spec, row.batch, hardware="nvidia-v100-sxm2-32gb", run=Run(torch=TORCH, **settings))
    buckets = 4 * archcost.cost(archcost.build(spec)).trainable_parameters
    print(f"{row.network}, {row.setting}", flush=True)
    return found.demand.allocated + buckets


# Adapters


def predict_adapters() -> None:
    rows = [row._replace(ours=adapter_bytes(row.method)) for row in allocated.adapted()]
    allocated.write(allocated.ADAPTERS, rows)


def adapter_bytes(method: str) -> int:
    spec = llama_with(method)
    run = Run(optimizer="adamw", precision="bf16", torch=TORCH)
    found = archcost.estimate(spec, BATCH, hardware="nvidia-l40s", run=run)
    assert found.demand.reserved is not None
    print(method, flush=True)
    return found.demand.reserved


def llama_with(method: str) -> ModelSpec:
    """Llama-3.2-3B in bfloat16 with an adapter in float32, whose casts say so."""
    declare_operators()
    import peft
    from peft.tuners.tuners_utils import BaseTunerLayer
    from transformers import LlamaConfig, LlamaForCausalLM

    def cast(self: Any, x: Tensor | None, dtype: torch.dtype) -> Tensor | None:
        return None if x is None else x.float()

    BaseTunerLayer._cast_input_dtype = cast  # said in so many words: the run is one of bfloat16 weights
    attention: dict[str, Any] = {"target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
    methods: dict[str, Callable[[], Any]] = {
        "dora": lambda: peft.LoraConfig(r=32, use_dora=True, **attention),
        "delora": lambda: peft.DeloraConfig(r=32, **attention),
        "gralora": lambda: peft.GraloraConfig(r=32, **attention),
        "ia3": lambda: peft.IA3Config(task_type="CAUSAL_LM"),
        "ln_tuning": lambda: peft.LNTuningConfig(task_type="CAUSAL_LM"),
        "loha": lambda: peft.LoHaConfig(r=32, **attention),
        "miss": lambda: peft.MissConfig(**attention),
        "randlora": lambda: peft.RandLoraConfig(r=32, **attention),
        "road": lambda: peft.RoadConfig(**attention),
        "rslora": lambda: peft.LoraConfig(r=64, use_rslora=True, **attention),
        "vera": lambda: peft.VeraConfig(**attention),
    }
    config = LlamaConfig(
        vocab_size=128_256, hidden_size=3072, intermediate_size=8192, num_hidden_layers=28, num_attention_heads=24,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=131_072, tie_word_embeddings=True, use_cache=False,
    )  # fmt: skip
    with torch.device("meta"):
        model = peft.get_peft_model(LlamaForCausalLM(config).to(torch.bfloat16), methods[method]())
    tokens = torch.zeros(1, LENGTH, dtype=torch.int64, device="meta")
    return archcost.from_torch(_LossOf(model.train()), tokens, torch.ones(1, LENGTH, dtype=torch.int64), tokens)


class _LossOf(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        return self.model(input_ids=tokens, attention_mask=mask, labels=labels, use_cache=False).loss


if __name__ == "__main__":
    sys.exit(main())
