"""Modules whose weights are made in their first run: lazy modules of torch, and those that do so by hand.

Such a module is run once without recording, and imported as it is afterwards.
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
    """A recorder that knows no tensor, so that calls run and none is recorded."""

    def find(self, tensor: Tensor) -> Ref | None:
        return None

    def refuse_new(self, tensor: Tensor) -> None:
        """New weights are what this run is for."""


class LazyWeightsError(Exception):
    """The first run makes or drops weights. The message lists their names."""


class WaitingParameter(UninitializedParameter):
    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        super().materialize(shape, torch.device("meta"), dtype)


class WaitingBuffer(UninitializedBuffer):
    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        super().materialize(shape, torch.device("meta"), dtype)


def waiting(tensor: Tensor, is_buffer: bool) -> Tensor:
    """A lazy weight that will be on the meta device when it gets its shape."""
    if is_buffer:
        return WaitingBuffer(tensor.requires_grad, device="meta")  # pyright: ignore[reportCallIssue]
    return WaitingParameter(requires_grad=tensor.requires_grad, device="meta")  # pyright: ignore[reportCallIssue]


def names_of(module: nn.Module) -> set[str]:
    """Names of the module's parameters and buffers."""
    return {name for name, _ in (*module.named_parameters(), *module.named_buffers())}


def require_shapes(module: nn.Module) -> None:
    """Raises LazyWeightsError where a weight is lazy, so that it has no shape yet."""
    named = (*module.named_parameters(), *module.named_buffers())
    lazy = [name for name, each in named if is_lazy(each)]
    if lazy:
        raise LazyWeightsError(listing(lazy, 5))


def require_same_weights(module: nn.Module, before: set[str]) -> None:
    """Raises LazyWeightsError where weights were made or dropped, buffers of the size of the batch aside."""
    batched = {name for name, each in module.named_buffers() if any(map(samples_in, each.shape))}
    changed = (names_of(module) ^ before) - batched
    if changed:
        raise LazyWeightsError(listing(sorted(changed), 5))
