"""Modules that make their own weights when they first run: lazy ones, and those that do it by hand.

Such a module is run once, without a record and without values, and read as it is afterwards.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy

from archcost.errors import listing
from archcost.importers.recorded import Ref
from archcost.importers.recorder import Recorder
from archcost.importers.torch.proposal import samples_in


class MuteRecorder(Recorder):
    """A record in which no tensor is known, so that calls run and none is written down."""

    def find(self, tensor: Tensor) -> Ref | None:
        return None

    def refuse_new(self, tensor: Tensor) -> None:
        """Making weights is what this run is for."""


class LazyWeightsError(Exception):
    """The first run makes weights, or drops some: those that it makes or drops."""


class WaitingParameter(UninitializedParameter):
    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        super().materialize(shape, torch.device("meta"), dtype)


class WaitingBuffer(UninitializedBuffer):
    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        super().materialize(shape, torch.device("meta"), dtype)


def waiting(tensor: Tensor, is_buffer: bool) -> Tensor:
    """A weight that waits for its shape, and will have no values then."""
    if is_buffer:
        return WaitingBuffer(tensor.requires_grad, device="meta")  # pyright: ignore[reportCallIssue]
    return WaitingParameter(requires_grad=tensor.requires_grad, device="meta")  # pyright: ignore[reportCallIssue]


def names_of(module: nn.Module) -> set[str]:
    """The parameters and buffers that the module has."""
    return {name for name, _ in (*module.named_parameters(), *module.named_buffers())}


def require_shapes(module: nn.Module) -> None:
    """Raises LazyWeightsError where a weight waits for the first run."""
    named = (*module.named_parameters(), *module.named_buffers())
    lazy = [name for name, each in named if is_lazy(each)]
    if lazy:
        raise LazyWeightsError(listing(lazy, 5))


def require_same_weights(module: nn.Module, before: set[str]) -> None:
    """Raises LazyWeightsError where the weights are not those of before. A buffer of the samples is none."""
    batched = {name for name, each in module.named_buffers() if any(map(samples_in, each.shape))}
    changed = (names_of(module) ^ before) - batched
    if changed:
        raise LazyWeightsError(listing(sorted(changed), 5))
