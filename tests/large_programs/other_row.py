"""A network that is compared: the library's class, its published configuration, and a small one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import archcost
from archcost import ModelSpec
from archcost.spec.overrides import override

BATCH = 2
TOKENS = 16

Fields = Mapping[str, Any]


class Other(NamedTuple):
    """A network that ships and the module that it is, of `library`: `kind` from `config` and published `fields`.

    Small ones change `less` of the fields and `settings` of the declared network.
    """

    network: str
    kind: str
    config: str
    fields: Fields
    less: Fields
    settings: str

    def module(self, less: Fields) -> nn.Module:
        library: Any = import_module("transformers")
        config = getattr(library, self.config)(**{**self.fields, **less, "use_cache": False})
        return getattr(library, self.kind)(config)

    def alone(self) -> nn.Module:
        return Logits(self.module(self.less))

    def inputs(self, batch: int) -> tuple[Tensor, ...]:
        return (torch.zeros(batch, TOKENS, dtype=torch.int64),)

    def small_spec(self) -> ModelSpec:
        spec = override(archcost.load(self.network), [*self.settings.split(), f"tokens={TOKENS}"], [])
        return spec.model_copy(update={"loss": "sum"})


class Logits(nn.Module):
    """What a head says of each token alone."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, tokens: Tensor) -> Tensor:
        return self.module(input_ids=tokens).logits


NARROW = {"hidden_size": 32, "num_attention_heads": 4, "vocab_size": 97, "max_position_embeddings": 64}
GROUPED = {**NARROW, "num_hidden_layers": 2, "num_key_value_heads": 2}
DECLARED = "width=32 heads=4 vocabulary=97"
EXPERTS = f"{DECLARED} depth=2 experts=8 chosen=2 expert_hidden=24"
