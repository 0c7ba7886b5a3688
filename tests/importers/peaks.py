"""The bytes of live tensors of a module as torch runs it, in a precision, beside archcost's of its import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

import archcost
from archcost.importers.output_tensors import tensors_of
from archcost.pytorch.tracker import Tracker
from tests.collections.tensors import summed

LOW = {"bf16": torch.bfloat16, "fp16": torch.float16}


def ours(spec: archcost.ModelSpec, batch: int, mode: str, precision: str) -> int:
    """The peak, gradients added as they are while a dispatch mode watches."""
    run = archcost.Run(mode=mode, precision=precision, optimizer="none")  # pyright: ignore[reportArgumentType]
    return archcost.timeline(archcost.build(spec, batch), run, "cpu", out_of_place=True).peak


def theirs(make: Callable[[], nn.Module], inputs: Sequence[Any], mode: str, precision: str) -> int:
    """The peak of the second step (loss: the sum of all outputs), or of the second inference, on the CPU."""
    torch.manual_seed(0)
    module = make().train(mode == "train")
    given = tuple(inputs)
    if precision in LOW:
        module = module.to(LOW[precision])
        given = tuple(each.to(LOW[precision]) if each.is_floating_point() else each for each in given)
    tracker = Tracker()
    tracker.hold([*module.parameters(), *module.buffers(), *tensors_of(given)])
    cast = torch.autocast("cpu", torch.bfloat16) if precision == "amp-bf16" else nullcontext()
    with tracker.watching():
        for _ in range(2):
            module.zero_grad()
            tracker.mark("step")
            with cast, nullcontext() if mode == "train" else torch.no_grad():
                result = module(*given)
                loss = summed(tensors_of(result)) if mode == "train" else None
            if loss is not None:
                loss.backward()
            peak = tracker.peak
            del result, loss
    return peak  # pyright: ignore[reportPossiblyUnboundVariable]
