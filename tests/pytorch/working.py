"""One layer run under the tracker: live tensors at the worst moment, forward and backward, and what backward gives.

Nothing of archcost's rules is asked. Nobody but autograd holds the layer's outputs and the gradients that arrive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from archcost.pytorch.network import as_tuple
from archcost.pytorch.tracker import Tracker
from archcost.work import Operand


@dataclass(frozen=True, slots=True)
class Given:
    """The gradient of one operand. `arrived` is the floating output from which it came on, None for a new tensor.

    `nbytes` are those of its storage; `key` tells storages apart.
    """

    arrived: int | None
    nbytes: int
    is_view: bool
    key: int


@dataclass(frozen=True, slots=True)
class Worked:
    """Bytes above those alive before: at forward's worst moment and at its end, and at backward's worst moment.

    Backward begins when the gradients have arrived.
    """

    peak: int
    end: int
    peak_backward: int = 0
    given: Mapping[Operand, Given] = field(default_factory=dict[Operand, Given])


@dataclass(slots=True)
class _Beginning:
    """What is known when the gradients have arrived: their storages, and the level."""

    tracker: Tracker
    keys: list[int] = field(default_factory=list[int])
    level: int = 0


class _Arriving(torch.autograd.Function):
    """Stands for the rest of the network: makes a dense gradient for each output, lying as the output does."""

    @staticmethod
    def forward(ctx: Any, beginning: _Beginning, *outputs: Tensor) -> Tensor:
        ctx.beginning = beginning
        ctx.like = [torch.empty_like(output, device="meta") for output in outputs]
        return torch.zeros(())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        beginning: _Beginning = ctx.beginning
        arriving = [torch.empty_like(tensor, device="cpu").fill_(1) for tensor in ctx.like]
        beginning.keys = [beginning.tracker.see(tensor, None).key for tensor in arriving]
        beginning.tracker.mark("backward")
        beginning.level = beginning.tracker.live
        return (None, *arriving)


def work(module: nn.Module, inputs: Sequence[Tensor], needs: frozenset[Operand]) -> Worked:
    """One pass forward, and backward when some operand needs a gradient."""
    tracker = Tracker()
    tracker.hold([*inputs, *module.parameters(), *module.buffers()])
    operands = {index: tensor for index, tensor in enumerate(inputs) if index in needs}
    operands |= {name: parameter for name, parameter in module.named_parameters() if name in needs}
    edges = {operand: get_gradient_edge(tensor) for operand, tensor in operands.items()}
    beginning = _Beginning(tracker)
    with tracker.watching():
        tracker.mark("forward")
        before = tracker.live
        outputs = as_tuple(module(*inputs))
        peak, end = tracker.peak - before, tracker.live - before
        if not needs:
            return Worked(peak, end)
        floating = [output for output in outputs if output.is_floating_point() or output.is_complex()]
        total = cast("Tensor", _Arriving.apply(beginning, *floating))  # pyright: ignore[reportUnknownMemberType]
        del floating
        del outputs
        gradients = torch.autograd.grad(total, list(edges.values()))
        peak_backward = tracker.peak - beginning.level
        columns = zip(edges, gradients, strict=True)
        given = {operand: _given(tracker, gradient, beginning.keys) for operand, gradient in columns}
    return Worked(peak, end, peak_backward, given)


def _given(tracker: Tracker, gradient: Tensor, arrived: Sequence[int]) -> Given:
    storage = tracker.see(gradient, None)
    place = arrived.index(storage.key) if storage.key in arrived else None
    return Given(place, storage.nbytes, gradient._is_view(), storage.key)  # pyright: ignore[reportPrivateUsage]
