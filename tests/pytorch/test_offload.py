"""What autograd keeps moved off the card, beside torch: hooks that put it into an arena that is counted apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]

import archcost
from archcost.costs.off_card import LEAST_OFFLOADED
from archcost.costs.phases import by_phase
from archcost.costs.timeline import timeline
from archcost.passes.run import Run
from archcost.pytorch.measure import before_it_is_steady, track
from archcost.pytorch.training import prepare, step
from archcost.spec.overrides import override


@dataclass
class Arena:
    """Copies off the card, which no tracker sees, and what went each way."""

    weights: set[int]
    live: int = 0
    most: int = 0
    to_host: int = 0
    to_card: int = 0
    held: dict[int, Tensor] = field(default_factory=dict)

    def pack(self, tensor: Tensor) -> Any:
        nbytes = tensor.numel() * tensor.element_size()
        if nbytes < LEAST_OFFLOADED or _place(tensor) in self.weights:
            return tensor
        with _disable_current_modes():
            key = len(self.held)
            self.held[key] = tensor.detach().clone()
        self.live += nbytes
        self.most = max(self.most, self.live)
        self.to_host += nbytes
        return key

    def unpack(self, packed: Any) -> Tensor:
        if isinstance(packed, Tensor):
            return packed
        copy = self.held.pop(packed)
        self.held[packed] = torch.empty(0)
        nbytes = copy.numel() * copy.element_size()
        self.live -= nbytes
        self.to_card += nbytes
        return copy.clone()


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def offloading(forward: Callable[..., Any], network: nn.Module, arenas: list[Arena]) -> Callable[..., Any]:
    """Forward with hooks on all that it keeps, weights and buffers left out."""

    def run(**inputs: Tensor) -> Any:
        weights = {_place(each) for each in (*network.parameters(), *network.buffers())}
        arenas.append(Arena(weights))
        with saved_tensors_hooks(arenas[-1].pack, arenas[-1].unpack):
            return forward(**inputs)

    return run


def small(name: str) -> archcost.ModelSpec:
    spec = archcost.load(name)
    return override(spec, (), ("3x32x32",)) if name in ("resnet18", "densenet121") else spec


ATTENTION: dict[str, Any] = {
    "name": "attention",
    "inputs": {"x": {"shape": [64, 32]}},
    "loss": "sum",
    "layers": [
        {"type": "layer_norm", "name": "norm"},
        {"type": "linear", "name": "q", "inputs": ["norm"], "out_features": 32, "bias": False},
        {"type": "linear", "name": "k", "inputs": ["norm"], "out_features": 32, "bias": False},
        {"type": "mul", "name": "gate", "inputs": ["q", "k"]},
        {"type": "gelu", "name": "gelu"},
        {"type": "dropout", "name": "drop"},
        {"type": "add", "name": "sum", "inputs": ["drop", "x"]},
        {"type": "softmax", "name": "soft", "dim": -1},
        {"type": "linear", "name": "head", "out_features": 9},
    ],
}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lenet5", {"optimizer": "sgd"}),
        ("lenet5", {"optimizer": "sgd", "precision": "bf16"}),
        ("lenet5", {"optimizer": "sgd", "precision": "amp-bf16"}),
        ("lenet5", {"optimizer": "sgd", "optimizer_in_backward": True}),
        ("mlp", {"optimizer": "sgd"}),
        ("mlp", {"optimizer": "sgd", "recompute": "every:2"}),
        ("conv_autoencoder_lecture", {"optimizer": "sgd"}),
        ("conv_autoencoder_unpooling", {"optimizer": "sgd"}),
        ("autoencoder_tied", {"optimizer": "sgd"}),
        ("resnet18", {"optimizer": "sgd"}),
        ("resnet18", {"optimizer": "sgd", "recompute": "blocks"}),
        ("densenet121", {"optimizer": "sgd"}),
        ("attention", {"optimizer": "sgd"}),
        ("attention", {"optimizer": "sgd", "recompute": "every:4"}),
        ("attention", {"optimizer": "sgd", "precision": "amp-bf16"}),
    ],
    ids=str,
)
def test_activations_to_the_byte(name: str, settings: Mapping[str, Any]) -> None:
    """The peak of each phase on the card, the most off it, and what moves each way."""
    spec = archcost.ModelSpec.model_validate(ATTENTION) if name == "attention" else small(name)
    graph, run = archcost.build(spec, 4), Run(**settings, offload="activations")
    line = timeline(graph, run, "cpu", out_of_place=True)
    found = line.offloaded
    assert found is not None
    training = prepare(line.graph, run, line.segments, "cpu")
    arenas: list[Arena] = []
    training = replace(training, forward=offloading(training.forward, training.network, arenas))
    for _ in range(before_it_is_steady(run)):
        step(training, lambda phase: None)
    measured = {phase.name: phase.peak for phase in track(training)}
    arena = arenas[-1]
    assert (found.host_bytes, found.to_host, found.to_card) == (
        arena.most,
        {"activations": arena.to_host},
        {"activations": arena.to_card},
    )
    assert {phase.name: phase.peak for phase in by_phase(line)} == measured
