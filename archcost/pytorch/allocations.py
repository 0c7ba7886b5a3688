"""What the CPU's allocator really does in a run that nothing watches but torch's profiler.

The profiler tells of every allocation and every release, those of kernels for themselves included, and no dispatch
mode is on, so that autograd adds gradients in place where it can.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch._C._profiler import _EventType as EventType  # pyright: ignore[reportPrivateUsage]
from torch._C._profiler import _ExperimentalConfig as Config  # pyright: ignore[reportPrivateUsage]
from torch.profiler import ProfilerActivity, profile, record_function

MARK = "archcost phase: "


@dataclass(frozen=True, slots=True)
class Peaks:
    """Peaks in bytes by phase: of all that was allocated, and of tensors alone."""

    allocator: dict[str, int]
    tensors: dict[str, int]


class Block(NamedTuple):
    """One allocation; `ends` is None where it is alive after the run. A `tensor` outlives the operator."""

    nbytes: int
    begins: int
    ends: int | None
    tensor: bool


class Trace(NamedTuple):
    """Times are nanoseconds of one clock; `phases` are labels with the time at which each began."""

    blocks: tuple[Block, ...]
    phases: tuple[tuple[str, int], ...]


def peaks(run: Callable[[Callable[[str], None]], None], resident: int) -> Peaks:
    """The peaks of `run`, which calls its argument when a phase begins. `resident` bytes were there before."""
    trace = trace_of(run)
    tensors = [block for block in trace.blocks if block.tensor]
    return Peaks(peak_by_phase(trace.blocks, trace.phases, resident), peak_by_phase(tensors, trace.phases, resident))


def trace_of(run: Callable[[Callable[[str], None]], None]) -> Trace:
    """The allocations of one run on the CPU, without those made before it."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # its library announces every start and end on stderr
    with profile(
        activities=[ProfilerActivity.CPU],
        profile_memory=True,
        experimental_config=Config(capture_overload_names=True),
    ) as profiled:
        run(_mark)
    results: Any = profiled.profiler.kineto_results  # pyright: ignore
    blocks: list[Block] = []
    phases: list[tuple[str, int]] = []
    open_blocks: dict[int, tuple[int, int, int | None]] = {}
    for event, operator_ends in _in_order(results.experimental_event_tree(), None):
        if event.name.startswith(MARK):
            phases.append((event.name.removeprefix(MARK), event.start_time_ns))
        if event.tag != EventType.Allocation:
            continue
        place, nbytes, now = event.extra_fields.ptr, event.extra_fields.alloc_size, event.start_time_ns
        if nbytes > 0:
            open_blocks[place] = (nbytes, now, operator_ends)
        elif place in open_blocks:
            nbytes, begins, ends = open_blocks.pop(place)
            blocks.append(Block(nbytes, begins, now, ends is None or now > ends))
    blocks += [Block(nbytes, begins, None, True) for nbytes, begins, _ in open_blocks.values()]
    return Trace(tuple(blocks), tuple(phases))


def peak_by_phase(blocks: Iterable[Block], phases: Iterable[tuple[str, int]], resident: int) -> dict[str, int]:
    """The most alive at once in each phase, what it begins with included; of a phase that recurs, the worst."""
    changes = [(block.begins, block.nbytes, "") for block in blocks]
    changes += [(block.ends, -block.nbytes, "") for block in blocks if block.ends is not None]
    changes += [(begins, 0, phase) for phase, begins in phases]
    live, phase = resident, ""
    worst: dict[str, int] = {}
    for _, nbytes, begun in sorted(changes, key=lambda change: change[0]):
        live += nbytes
        phase = begun or phase
        worst[phase] = max(worst.get(phase, 0), live)
    return worst


def _mark(phase: str) -> None:
    with record_function(MARK + phase):
        pass


def _in_order(events: Iterable[Any], operator_ends: int | None) -> Iterator[tuple[Any, int | None]]:
    """Every event of the tree, with the end of the operator that it is a part of.

    That is the operator which a dispatch mode would see: the outermost that is not composed of others above autograd.
    """
    for event in events:
        yield event, operator_ends
        inner = operator_ends
        if inner is None and event.name.startswith("aten::") and not _is_composite(event.name, event.overload_name):
            inner = event.end_time_ns
        yield from _in_order(event.children, inner)


def _is_composite(name: str, overload: str) -> bool:
    full = f"{name}.{overload}" if overload else name
    return torch._C._dispatch_has_kernel_for_dispatch_key(full, "CompositeImplicitAutograd")  # pyright: ignore
