"""Serving a module: it is imported anew for each number of tokens."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import archcost
from archcost import ArchcostError, ModelSpec

WIDTH, HEADS = 24, 3


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.qkv(x).chunk(3, -1)
        query, key, value = (part.view(batch, tokens, HEADS, -1).transpose(1, 2) for part in parts)
        seen = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return x + self.proj(seen.transpose(1, 2).reshape(batch, tokens, width))


def imported(tokens: int) -> ModelSpec:
    module = nn.Sequential(nn.Embedding(50, WIDTH), Block(), Block(), nn.Linear(WIDTH, 50))
    return archcost.from_torch(module, torch.zeros(1, tokens, dtype=torch.int64))


def test_a_module_is_served() -> None:
    found = archcost.serve(imported(7), hardware="nvidia-t4", prompt=40, new=9, remade=imported)
    memory = found.to_dict()["memory"]
    assert memory["kv_bytes_per_token"] == 2 * 2 * WIDTH * 2
    assert memory["kv_bytes"] == 64 * 2 * 2 * WIDTH * 2  # 49 tokens are four blocks of 16
    macs = archcost.cost(found.memory.steps.decode(20)).macs
    assert macs == 2 * (4 * WIDTH * WIDTH + 2 * 21 * WIDTH) + 50 * WIDTH


def test_without_a_way_to_make_it_longer_it_is_refused() -> None:
    with pytest.raises(ArchcostError, match="the number of tokens is no parameter of the network"):
        archcost.serve(imported(7), hardware="nvidia-t4", prompt=40, new=9).to_dict()
