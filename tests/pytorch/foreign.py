"""Modules that others wrote, watched as our own networks are: weights, FLOPs, what is kept, peaks of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from archcost.passes.run import Run
from archcost.pytorch.network import Network
from archcost.pytorch.tracker import Tracker
from archcost.pytorch.training import OPTIMIZERS, Training, step

Inputs = Mapping[str, Tensor]


def weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def flops(module: nn.Module, inputs: Inputs, outputs: Callable[[Any], Tensor] = lambda result: result) -> int:
    """Of a step's forward and backward, as torch counts them on the meta device."""
    with FlopCounterMode(display=False) as counter:
        outputs(module(**inputs)).sum().backward()
    return counter.get_total_flops()


def kept(module: nn.Module, inputs: Inputs) -> int:
    """Bytes of the storages that autograd keeps of a forward pass, each once."""
    held: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        result = module(**inputs)
    assert result is not None
    return sum(tensor.untyped_storage().nbytes() for tensor in held.values())


def peaks(module: nn.Module, inputs: Inputs, optimizer: str) -> dict[str, int]:
    """Of the third step by phase, under the tracker; the loss is the sum of the one output."""
    made = OPTIMIZERS[optimizer](list(module.parameters()))
    training = Training(Run(optimizer=optimizer), "sum", cast("Network", module), module, inputs, None, made, ())
    for _ in range(2):
        step(training, lambda phase: None)
    tracker = Tracker()
    tracker.hold([*module.parameters(), *module.buffers(), *inputs.values(), *training.optimizer_state])
    worst: dict[str, int] = {}

    def begins(phase: str) -> None:
        close()
        tracker.mark(phase)

    def close() -> None:
        if tracker.moments:
            worst[tracker.moments[-1][0]] = tracker.peak

    with tracker.watching():
        step(training, begins)
    close()
    return worst


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))
