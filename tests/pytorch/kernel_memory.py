"""What each operator of a run allocates for itself, by torch's own account of its CPU allocator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode

from archcost.costs.cpu_call import Call
from archcost.pytorch.layers import FACTORIES

MARK = "operator "
AVX512 = torch.backends.cpu.get_cpu_capability() == "AVX512" and not torch.cpu._is_amx_tile_supported()  # pyright: ignore
BFLOAT16 = torch.cpu._is_avx512_bf16_supported()  # pyright: ignore
REASON = "oneDNN takes other layouts on another instruction set than AVX-512 without AMX"


class Measured(NamedTuple):
    forward: int
    backward: int


def measured(call: Call) -> Measured:
    """The worst operator's own bytes in a forward and a backward pass of that layer, on as many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(call.threads)
    try:
        return _measured(call)
    finally:
        torch.set_num_threads(before)


def _measured(call: Call) -> Measured:
    dtype = getattr(torch, call.inputs[0].dtype)
    given = tuple(torch.zeros(tensor.shape, dtype=dtype) for tensor in call.inputs)
    module: nn.Module = FACTORIES[call.layer.type](call.layer, given).to(dtype)
    module.requires_grad_("weight" in call.needs)
    for index, tensor in enumerate(given):
        tensor.requires_grad_(index in call.needs)
    results: list[Tensor] = []
    forward = own(lambda: results.append(module(*given)))
    gradient = torch.ones_like(results[0])
    if call.pieced:
        gradient = torch.cat([gradient, gradient], 1).narrow(1, gradient.shape[1], gradient.shape[1])
    backward = own(lambda: torch.autograd.backward(results, [gradient])) if results[0].requires_grad else []
    return Measured(max((nbytes for _, nbytes in forward), default=0), max((n for _, n in backward), default=0))


def own(run: Callable[[], object]) -> list[tuple[str, int]]:
    """Each operator below autograd, in order, with the most it had allocated beyond what is left when it ends."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled, _Marking():
        run()
    results: Any = profiled.profiler.kineto_results  # pyright: ignore
    changes: list[tuple[int, int]] = []
    operators: list[tuple[int, int, str]] = []
    for event in results.events():
        if event.name() == "[memory]":
            changes.append((event.start_ns(), event.nbytes()))
        elif event.name().startswith(MARK):
            operators.append((event.start_ns(), event.start_ns() + event.duration_ns(), event.name()))
    changes.sort(key=lambda change: change[0])
    return [
        (name.removeprefix(MARK), _beyond([nbytes for now, nbytes in changes if begins <= now <= ends]))
        for begins, ends, name in sorted(operators)
    ]


def _beyond(changes: list[int]) -> int:
    live = worst = 0
    for nbytes in changes:
        live += nbytes
        worst = max(worst, live)
    return worst - live


class _Marking(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        with record_function(f"{MARK}{func}"):
            return func(*args, **(kwargs or {}))
