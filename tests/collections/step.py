"""The bytes of tensors that a training step of a module holds at its worst moment, as torch's dispatcher sees them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
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
    return peak_of_steps(module.bfloat16() if precision == "bf16" else module, given, precision, steps=2)


def peak_of_steps(
    module: nn.Module,
    given: Given,
    precision: str,
    optimizer: str = "none",
    beside: Sequence[Tensor] = (),
    steps: int = 3,
) -> int:
    """Of the last of several steps of a module that is in its dtypes already; `beside` are tensors that it holds and
    that are neither parameters nor buffers. The optimizer's state is there from the second step on.
    """
    inputs, named = tree_map(_lowered, given) if precision == "bf16" else given
    learns = [weight for weight in module.parameters() if weight.requires_grad]
    stepping = torch.optim.AdamW(learns) if optimizer == "adamw" else None
    tracker = Tracker()
    tracker.hold([*module.parameters(), *module.buffers(), *beside, *tensors_of((inputs, named))])
    peak = 0
    with tracker.watching():
        for step in range(steps):
            gc.collect()  # what torch frees by reference counts alone is gone by then
            module.zero_grad()
            tracker.mark(f"step {step + 1}")
            with _casting(precision):
                results = module(*inputs, **named)
                loss = summed(tensors_of(results))
            if loss is not None:
                loss.backward()
            if stepping is not None:
                stepping.step()
            peak = tracker.peak
            del results, loss
    return peak


def _casting(precision: str) -> AbstractContextManager[Any]:
    return torch.autocast("cpu", torch.bfloat16) if precision.startswith("amp-") else nullcontext()


def _lowered(value: Any) -> Any:
    return value.bfloat16() if isinstance(value, Tensor) and value.is_floating_point() else value
