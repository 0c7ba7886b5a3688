"""Networks that we adapt beside the same modules adapted by PEFT: weights, operations, and memory over a step.

    make adapters

`adapters.csv` keeps what came of it, docs/adapters.md shows it. A module of transformers or torchvision is made small,
imported by archcost and adapted by `archcost.adapt`; the same module is adapted by PEFT and run by torch. What PEFT
makes is never imported.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import archcost
from archcost.costs.timeline import timeline
from tests.collections.compare import Subject, counted, fused_again, placed
from tests.collections.compiled import declare_operators
from tests.collections.step import peak_of_steps
from tests.large_programs.adapters_page import RESULTS, Result, read, write

BATCH = 2
IDS = torch.zeros(1, 16, dtype=torch.int64)
PIXELS = torch.zeros(1, 3, 32, 32)


class Model(NamedTuple):
    """A module, small: how it is made, and a sample of what it takes."""

    make: Callable[[], nn.Module]
    named: Mapping[str, Tensor]


def _of_transformers(config: str, auto: str, **fields: Any) -> nn.Module:
    transformers = import_module("transformers")
    return getattr(transformers, auto).from_config(getattr(transformers, f"{config}Config")(**fields))


def _resnet() -> nn.Module:
    resnet = import_module("torchvision.models.resnet")
    return resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=10)


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TEXT = {**SMALL, "vocab_size": 97, "max_position_embeddings": 64}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 97, "n_positions": 64}
IMAGES = {**SMALL, "image_size": 32, "patch_size": 8}
CAUSAL = "AutoModelForCausalLM"

MODELS: Mapping[str, Model] = {
    "Llama": Model(partial(_of_transformers, "Llama", CAUSAL, **TEXT, num_key_value_heads=2), {"input_ids": IDS}),
    "GPT-2": Model(partial(_of_transformers, "GPT2", CAUSAL, **GPT), {"input_ids": IDS}),
    "BERT": Model(partial(_of_transformers, "Bert", "AutoModelForMaskedLM", **TEXT), {"input_ids": IDS}),
    "ViT": Model(
        partial(_of_transformers, "ViT", "AutoModelForImageClassification", **IMAGES), {"pixel_values": PIXELS}
    ),
    "ResNet": Model(_resnet, {"x": PIXELS}),
}

MATRICES = {
    "Llama": ["q_proj", "v_proj"],
    "GPT-2": ["c_attn"],
    "BERT": ["query", "value"],
    "ViT": ["q_proj", "v_proj"],
    "ResNet": ["conv1", "conv2"],
}
EVERYWHERE = {
    "Llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "GPT-2": ["c_attn", "c_proj", "c_fc"],
    "BERT": ["query", "key", "value", "dense"],
    "ViT": ["q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"],
    "ResNet": ["conv1", "conv2", "fc"],
}
TABLES = {"Llama": ["embed_tokens", "q_proj"], "GPT-2": ["wte", "c_attn"], "BERT": ["word_embeddings", "query"]}
HEADS = {"Llama": "lm_head", "ViT": "classifier", "ResNet": "fc"}
FEATURES = {
    "Llama": (["k_proj", "v_proj", "down_proj"], ["down_proj"]),
    "GPT-2": (["c_attn", "mlp.c_proj"], ["mlp.c_proj"]),
    "BERT": (["key", "value", "output.dense"], ["output.dense"]),
    "ViT": (["k_proj", "v_proj", "fc2"], ["fc2"]),
    "ResNet": (["conv1", "conv2"], ["conv2"]),
}


class Case(NamedTuple):
    """One adapter on one model: what PEFT is told, and what we are."""

    model: str
    adapter: str
    config: str
    told: dict[str, Any]
    ours: dict[str, Any]
    precision: str = "fp32"
    optimizer: str = "none"
    same: bool = False

    @property
    def told_as(self) -> str:
        return f"{self.adapter} in bf16" if self.same else self.adapter

    @property
    def name(self) -> str:
        return f"{self.model}: {self.told_as}"


def cases() -> Iterator[Case]:
    for case in _cases():
        yield case
        yield case._replace(optimizer="adamw")
        yield case._replace(precision="bf16", optimizer="adamw")
        yield case._replace(precision="bf16", same=True, ours={**case.ours, "dtype": "same"})
        yield case._replace(precision="amp-bf16")


def _cases() -> Iterator[Case]:
    for model in MODELS:
        for kind, told in (
            ("lora", {}),
            ("rslora", {"use_rslora": True}),
            ("dora", {"use_dora": True}),
        ):
            for where, dropout in ((MATRICES, 0.0), (EVERYWHERE, 0.0), (MATRICES, 0.1), (TABLES, 0.0)):
                if model not in where or (kind == "rslora" and where is not MATRICES):
                    continue
                named = "everywhere" if where is EVERYWHERE else "tables" if where is TABLES else "usual"
                said = {"r": 4, "lora_alpha": 8, "lora_dropout": dropout, "target_modules": where[model], **told}
                ours = {"r": 4, "alpha": 8, "dropout": dropout, "targets": where[model]}
                if model == "GPT-2":
                    said["fan_in_fan_out"] = True
                yield Case(model, f"{kind} {named}" + " dropout" * (dropout > 0), "Lora", said, {**ours, "type": kind})
        targets, feedforward = FEATURES[model]
        said = {"target_modules": targets, "feedforward_modules": feedforward}
        if model == "GPT-2":
            said["fan_in_fan_out"] = True
        yield Case(model, "ia3", "IA3", said, {"type": "ia3", "targets": targets, "feedforward": feedforward})


def adapted_by_peft(case: Case) -> nn.Module:
    peft = import_module("peft")
    base = MODELS[case.model].make()
    if case.precision == "bf16":
        base = base.bfloat16()
    config = getattr(peft, f"{case.config}Config")(**case.told)
    return peft.get_peft_model(base, config, autocast_adapter_dtype=not case.same)


def compare(case: Case) -> Result:
    model = MODELS[case.model]
    spec = archcost.adapt(imported(case.model), adapt=[case.ours])
    graph = archcost.build(spec, batch=BATCH)
    cost = archcost.cost(graph)
    module = adapted_by_peft(case)
    weights = list(module.parameters())
    parameters = sum(weight.numel() for weight in weights)
    trainable = sum(weight.numel() for weight in weights if weight.requires_grad)
    subject = Subject(case.name, partial(adapted_by_peft, case._replace(precision="fp32")), (), model.named)
    forward, backward = _counted(subject)
    run = archcost.Run(optimizer=case.optimizer, precision=case.precision)  # pyright: ignore[reportArgumentType]
    ours = timeline(graph, run, "cpu", out_of_place=True).peak
    seen = tracked(case, subject)
    return Result(
        case.model,
        case.told_as,
        case.precision,
        case.optimizer,
        *(cost.parameters, parameters, cost.trainable_parameters, trainable),
        *(cost.flops.forward.contraction, forward),
        *(cost.flops.backward.contraction - fused_again(cost), backward),
        *(ours, seen),
    )


_COUNTED: dict[str, tuple[int, int]] = {}


def _counted(subject: Subject) -> tuple[int, int]:
    """FLOPs, which no precision changes."""
    if subject.name not in _COUNTED:
        _COUNTED[subject.name] = counted(subject.make(), subject)
    return _COUNTED[subject.name]


_IMPORTED: dict[str, archcost.ModelSpec] = {}


def imported(name: str) -> archcost.ModelSpec:
    """The module as it is without an adapter."""
    if name not in _IMPORTED:
        model = MODELS[name]
        _IMPORTED[name] = archcost.from_torch(model.make(), **model.named)
    return _IMPORTED[name]


def tracked(case: Case, subject: Subject) -> int:
    """Bytes of tensors at the worst moment of the third step, with the optimizer's state."""
    torch.manual_seed(0)
    module = adapted_by_peft(case).train()
    return peak_of_steps(module, placed(subject, "cpu"), case.precision, case.optimizer)


def main() -> None:
    """Words choose cases, whose results replace those in the log."""
    warnings.filterwarnings("ignore")
    library = declare_operators()  # has to live as long as its operators are called
    torch.set_num_threads(1)
    wanted = sys.argv[1:]
    known = {result[:4]: result for result in read()} if wanted and RESULTS.exists() else {}
    for case in cases():
        key = (case.model, case.told_as, case.precision, case.optimizer)
        if all(word in " ".join(key) for word in wanted):
            known[key] = result = compare(case)
            print(*key, "counts agree" if result.is_counted else result.counts, f"{result.error:+.3%}", flush=True)
    order = [(case.model, case.told_as, case.precision, case.optimizer) for case in cases()]
    write([known[key] for key in order if key in known])
    del library


if __name__ == "__main__":
    main()
