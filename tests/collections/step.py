"""The bytes of tensors that a training step of a module holds at its worst moment, as torch's dispatcher sees them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from archcost.pytorch.tracker import Tracker
from tests.collections.tensors import summed, tensors_of

Given = tuple[list[Any], dict[str, Any]]
"""What a module is called with: by place, and by name."""


def tracked(make: Callable[[], nn.Module], given: Given, precision: str) -> int:
    """Of the second step, as in the first a module makes what it keeps; without an optimizer, on the CPU."""
    torch.manual_seed(0)
    module = make().train()
    if precision == "bf16":
        module, given = module.bfloat16(), tree_map(_lowered, given)
    inputs, named = given
    tracker = Tracker()
    tracker.hold([*module.parameters(), *module.buffers(), *tensors_of(given)])
    with tracker.watching():
        for step in ("first", "second"):
            gc.collect()  # what torch frees by reference counts alone is gone by then
            module.zero_grad()
            tracker.mark(step)
            with _casting(precision):
                results = module(*inputs, **named)
                loss = summed(tensors_of(results))
            if loss is not None:
                loss.backward()
            peak = tracker.peak
            del results, loss
    return peak


def _casting(precision: str) -> AbstractContextManager[Any]:
    return torch.autocast("cpu", torch.bfloat16) if precision.startswith("amp-") else nullcontext()


def _lowered(value: Any) -> Any:
    return value.bfloat16() if isinstance(value, Tensor) and value.is_floating_point() else value
