"""Networks that archcost adapts, beside modules that do what PEFT's do: weights by name, FLOPs, memory of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archcost
from archcost.costs.timeline import timeline
from archcost.pytorch.tracker import Tracker
from tests.pytorch.adapted_modules import FACTOR, RANK, Dora, Ia3, Lora

BATCH = 3


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(7, 11)
        self.inner = nn.Linear(11, 5, bias=False)
        self.leave = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.leave(torch.tanh(self.inner(torch.tanh(self.enter(x)))))


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 6, 3, padding=1)
        self.inner = nn.Conv2d(6, 4, (3, 1), stride=2, groups=2)
        self.leave = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.leave(torch.tanh(self.inner(torch.tanh(self.enter(x)))))


Put = Callable[[Any], nn.Module]
PRODUCTS = {"r": RANK, "alpha": RANK * FACTOR}
CASES: Mapping[str, tuple[type[nn.Module], Put, dict[str, Any]]] = {
    "lora": (Mlp, Lora, {"lora": PRODUCTS}),
    "lora, dropout": (Mlp, lambda base: Lora(base, 0.25), {"lora": {**PRODUCTS, "dropout": 0.25}}),
    "lora on convolutions": (Images, lambda base: Lora(base, 0.25), {"lora": {**PRODUCTS, "dropout": 0.25}}),
    "dora": (Mlp, Dora, {"dora": PRODUCTS}),
    "dora, dropout": (Mlp, lambda base: Dora(base, 0.25), {"dora": {**PRODUCTS, "dropout": 0.25}}),
    "ia3": (Mlp, lambda base: Ia3(base, False), {"ia3": {}}),
    "ia3 of what goes in": (Mlp, lambda base: Ia3(base, True), {"ia3": {"feedforward": ["enter", "inner"]}}),
}


def sample(kind: type[nn.Module]) -> Tensor:
    return torch.zeros(BATCH, 4, 7) if kind is Mlp else torch.zeros(BATCH, 3, 8, 8)


def adapted(kind: type[nn.Module], put: Put, precision: str = "fp32") -> nn.Module:
    """Base in 16 bits where asked, adapters in float32."""
    module = kind().requires_grad_(False)
    if precision == "bf16":
        module = module.bfloat16()
    for name in ("enter", "inner"):
        setattr(module, name, put(getattr(module, name)))
    return module


def changed(kind: type[nn.Module], changes: dict[str, Any]) -> archcost.ModelSpec:
    spec = archcost.from_torch(kind(), sample(kind))
    return archcost.adapt(spec, **{key: {**fields, "targets": ["enter", "inner"]} for key, fields in changes.items()})


@pytest.mark.parametrize("case", CASES)
def test_weights_and_operations(case: str) -> None:
    kind, put, changes = CASES[case]
    module = adapted(kind, put)
    found = archcost.cost(archcost.build(changed(kind, changes), BATCH))
    weights = dict(module.named_parameters())
    assert found.parameters == sum(weight.numel() for weight in weights.values())
    ours = [each.layer for each in archcost.build(changed(kind, changes)).parameters]
    modules = {name.rpartition(".")[0].removesuffix(".ia3_l") for name in weights}
    assert all(any(own == name or own.startswith(f"{name}.") for own in ours) for name in modules)
    assert found.trainable_parameters == sum(weight.numel() for weight in weights.values() if weight.requires_grad)
    with FlopCounterMode(display=False) as counter:
        result = module(sample(kind))
        forward = counter.get_total_flops()
        result.sum().backward()
    assert found.flops.forward.contraction == forward
    if kind is Mlp:  # torch counts the weight gradient of a grouped convolution once a group
        assert found.flops.backward.contraction == counter.get_total_flops() - forward


@pytest.mark.parametrize("precision", ["fp32", "bf16", "amp-bf16"])
@pytest.mark.parametrize("case", CASES)
def test_memory_of_a_step(case: str, precision: Any) -> None:
    kind, put, changes = CASES[case]
    run = archcost.Run(precision=precision, optimizer="adamw")
    ours = timeline(archcost.build(changed(kind, changes), BATCH), run, "cpu", out_of_place=True).peak
    assert ours == peak(adapted(kind, put, precision), sample(kind), precision)


def peak(module: nn.Module, given: Tensor, precision: str) -> int:
    """Bytes of tensors at the worst moment of the second step."""
    given = given.bfloat16() if precision == "bf16" else given
    optimizer = torch.optim.AdamW([weight for weight in module.parameters() if weight.requires_grad])
    tracker = Tracker()
    tracker.hold([*module.parameters(), given])
    worst = 0
    with tracker.watching():
        for step in ("first", "second"):
            module.zero_grad()
            tracker.mark(step)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "amp-bf16"):
                result = module(given)
                loss = result.sum()
            loss.backward()
            optimizer.step()
            worst = tracker.peak
            del result, loss
    return worst
