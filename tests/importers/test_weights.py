"""Whose weights are whose: shared, tied, computed with, unused, frozen; buffers too."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

import archcost
from tests.importers.held import Holder, held


def layer_of(spec: archcost.ModelSpec, name: str) -> Any:
    return next(layer for layer in spec.layers if layer.name == name)  # pyright: ignore


class Language(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.table(ids))


def test_a_tied_table() -> None:
    spec = held(Language(), torch.zeros(1, 5, dtype=torch.int64))
    assert layer_of(spec, "head").weight == "table.weight"


def test_a_module_that_is_called_twice() -> None:
    module = Holder(lambda m, x: m.f(m.f(x).relu()), f=nn.Linear(5, 5, bias=False))
    spec = held(module, torch.zeros(1, 5))
    assert [layer.name for layer in spec.layers] == ["f.fc1", "relu1", "f.fc2"]  # pyright: ignore
    assert layer_of(spec, "f.fc2").weight == "f.fc1.weight"


def test_a_module_under_two_names() -> None:
    inner = nn.Linear(5, 5)
    held(nn.Sequential(inner, nn.Tanh(), inner), torch.zeros(1, 5), off=20)


@pytest.mark.parametrize("dim", [0, 1, 2, -1, None])
def test_weight_norm(dim: int | None) -> None:
    """In one kernel along the first axis and the last; -1 is all axes, as None is."""
    module = nn.Sequential(parametrizations.weight_norm(nn.Conv1d(3, 5, 2), dim=dim), nn.Conv1d(5, 2, 3))
    spec = held(module, torch.zeros(1, 3, 7))
    assert any(layer.type == "weight_norm" for layer in spec.layers) == (dim in (0, 2))


def test_buffers_that_are_computed_with() -> None:
    mean, std = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    module = Holder(lambda m, x: m.f((x - m.mean) / m.std), f=nn.Conv2d(3, 5, 2), mean=mean, std=std)
    spec = held(module, torch.zeros(1, 3, 4, 4))
    assert [layer_of(spec, name).type for name in ("mean", "std")] == ["buffer", "buffer"]


def test_a_buffer_that_two_products_share() -> None:
    module = Holder(
        lambda m, x: m.f(functional.linear(functional.linear(x, m.basis), m.basis)),
        basis=torch.zeros(5, 5),
        f=nn.Linear(5, 3),
    )
    spec = held(module, torch.zeros(1, 5))
    assert layer_of(spec, "basis").type == "buffer"


def test_weights_that_nobody_uses() -> None:
    module = Holder(lambda m, x: m.f(x), f=nn.Linear(3, 5), unused=nn.Conv2d(2, 3, 3), old=torch.zeros(7))
    spec = held(module, torch.zeros(1, 3))
    assert layer_of(spec, "unused.weight").shape == (3, 2, 3, 3)
    assert spec.outputs == ("f",)


def test_a_raw_parameter() -> None:
    scale, bias = nn.Parameter(torch.ones(5)), nn.Parameter(torch.zeros(5))
    module = Holder(lambda m, x: m.f(x) * m.scale + m.bias, f=nn.Linear(3, 5, bias=False), scale=scale, bias=bias)
    spec = held(module, torch.zeros(1, 3))
    assert [layer_of(spec, name).type for name in ("scale", "bias")] == ["parameter", "parameter"]


def test_frozen() -> None:
    module = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    module[0].requires_grad_(False)
    spec = held(module, torch.zeros(1, 3))
    assert layer_of(spec, "0").trainable is False


def test_a_frozen_weight_beside_a_bias_that_is_trained() -> None:
    module = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    module[2].weight.requires_grad_(False)
    held(module, torch.zeros(1, 3))


def test_a_frozen_norm_beside_trained_statistics() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3, affine=False), nn.Conv2d(3, 5, 2))
    held(module, torch.zeros(1, 2, 5, 5))


class Caching(nn.Module):
    """Keeps what it computed on itself, counts its calls, and has a hook."""

    def __init__(self) -> None:
        super().__init__()
        self.f = nn.Linear(3, 5)
        self.calls = 0
        self.cache: dict[str, Tensor] = {}
        self.register_buffer("seen", torch.zeros(5))
        self.f.register_forward_hook(lambda module, inputs, result: result)

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        y = self.f(x)
        self.last = y
        self.seen = y.detach().mean(0)
        self.train(False)
        return y


def test_a_module_is_left_as_it_was() -> None:
    module = Caching()
    weight = module.f.weight
    archcost.from_torch(module, torch.zeros(1, 3))
    assert module.f.weight is weight
    assert (module.calls, module.training, module.f.training) == (0, True, True)
    assert not hasattr(module, "last")
    assert torch.equal(module.seen, torch.zeros(5))
    assert len(module.f._forward_hooks) == 1  # pyright: ignore[reportPrivateUsage]
    assert not nn.modules.module._global_forward_hooks  # pyright: ignore[reportPrivateUsage]


class Remembering(nn.Module):
    """Keeps what it computed in a list, which is the same list before and after."""

    def __init__(self) -> None:
        super().__init__()
        self.f = nn.Linear(3, 5)
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(self.f(x))
        return self.seen[-1]


def test_a_list_on_a_module_is_left_as_it_was() -> None:
    module = Remembering()
    archcost.from_torch(module, torch.zeros(1, 3))
    assert module.seen == []


def test_an_original_on_the_meta_device() -> None:
    with torch.device("meta"):
        module = nn.Linear(3, 5)
    assert archcost.cost(archcost.build(archcost.from_torch(module, torch.zeros(1, 3)))).parameters == 20
    assert module.weight.is_meta


def test_a_module_in_half_precision_is_imported_in_single() -> None:
    spec = archcost.from_torch(nn.Linear(3, 5).half(), torch.zeros(1, 3, dtype=torch.float16))
    assert spec.inputs["input"].dtype == "float32"


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_a_batch_norm_that_is_called_twice_counts_its_batches_once(training: bool) -> None:
    module = Holder(lambda m, x: m.b(m.c(m.b(m.c(x)))), c=nn.Conv2d(3, 3, 1), b=nn.BatchNorm2d(3)).train(training)
    spec = held(module, torch.zeros(1, 3, 4, 4))
    assert archcost.cost(archcost.build(spec)).buffers == 7  # two statistics of 3 channels, and a counter
