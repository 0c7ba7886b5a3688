"""What a step runs on a device, kernel by kernel: of which class, how many FLOPs, how many bytes it moves.

Amounts follow from the program of the step, so they are those of the dtypes that really run, with autocast's copies,
with views free and what is in place read and written once. No rate and no device stands here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from archcost.costs.backward_kernels import added, additions, backward_kernels
from archcost.costs.forward_kernels import forward_kernels, own_kernel
from archcost.costs.fusion import fused
from archcost.costs.kernel import Kernel, Kernels, dtype_of
from archcost.costs.optimizer_kernels import optimizer_kernels
from archcost.costs.program import Op, program
from archcost.costs.timeline import Timeline
from archcost.graph import ModelGraph
from archcost.passes.order import prepared
from archcost.tensors import TensorType
from archcost.terms.time_classes import Fuses

FRESH = 32 * 2**20
"""Bytes from which on glibc maps a block of memory anew each time (DEFAULT_MMAP_THRESHOLD_MAX in malloc.c)."""


class LayerKernels(NamedTuple):
    """Of one layer, or of a copy that autocast makes of its weight."""

    name: str
    forward: Kernels
    backward_input: Kernels = ()
    backward_weight: Kernels = ()
    sums: int = 0
    """How many of `backward_input`, the first ones, add up what arrives, and are no work of the layer itself."""
    fresh: tuple[int, int] = (0, 0)
    """Of what forward and backward make, the bytes in blocks that a C library fetches anew (see FRESH)."""


@dataclass(frozen=True)
class StepKernels:
    """Of one step. `again` are layers, by number, whose forward runs a second time."""

    layers: tuple[LayerKernels, ...]
    again: tuple[int, ...]
    optimizer: Kernels
    accumulation: int

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Layers of which nobody knows what they do, and so how long."""
        return tuple([layer.name for layer in self.layers if any(each.kind == "unknown" for each in layer.forward)])


def kernels(line: Timeline, fuses: Collection[Fuses] = ("attention",)) -> StepKernels:
    """Of the step that was played, by an engine that makes one kernel of these."""
    known: dict[object, LayerKernels] = {}
    layers: list[LayerKernels] = []
    sums = additions(line.program)
    for op in line.program.ops:
        before = added(op, sums) if sums and op.gives else ()
        key = (id(op.rules), before)  # equal layers on equal inputs share their rules
        found = known.get(key)
        if found is None:
            forward, by_input, by_weight = _of(op, line, fuses)
            fresh = _fresh(op, line)
            found = LayerKernels(op.name, forward, (*before, *by_input), by_weight, len(before), fresh)
            known[key] = found
        layers.append(LayerKernels(op.name, *found[1:]))
    if "elementwise" in fuses:
        layers = _with_forward(layers, fused(line.program, [layer.forward for layer in layers]))
    if "weights" in fuses:
        from archcost.costs.folding import folded

        layers = _with_forward(layers, folded(line.program, [layer.forward for layer in layers]))
    accumulation = line.run.accumulation if line.run.trains else 1
    return StepKernels(tuple(layers), line.recomputed, tuple(optimizer_kernels(line)), accumulation)


def at_batch(line: Timeline, graph: ModelGraph) -> Timeline:
    """The same step of another batch as `kernels` reads it: it is not played, and its events are those of `line`."""
    ready = prepared(graph, line.run, line.device)
    written = program(ready)
    return replace(line, graph=ready.network, program=written, storages=written.storages)


def _with_forward(layers: Iterable[LayerKernels], forwards: Iterable[Kernels]) -> list[LayerKernels]:
    return [layer._replace(forward=forward) for layer, forward in zip(layers, forwards, strict=True)]


def _of(op: Op, line: Timeline, fuses: Collection[Fuses]) -> tuple[Kernels, Kernels, Kernels]:
    if op.is_copy:
        return _copy_of_weight(op, line)
    own = own_kernel(op, line)
    if "attention" not in fuses and own.kind == "attention":
        from archcost.costs.composed_attention import composed_attention

        return *composed_attention(op, line.run.autocast is not None, line.device == "cuda"), ()
    if own.kind == "free":
        return (), (), ()
    return forward_kernels(op, own, line, "attention in 16 bits" in fuses), *backward_kernels(op, own, line.storages)


def _copy_of_weight(op: Op, line: Timeline) -> tuple[Kernels, Kernels, Kernels]:
    """Read in its own dtype, written in autocast's; backward casts the gradient the other way."""
    made = sum([line.storages[each].nbytes for each in op.makes])
    read = sum([line.storages[each].nbytes for each in op.reads])
    kernel = Kernel("copy" if line.device == "cpu" else "elementwise", 0, made + read, dtype_of(op))
    return (kernel,), (), ((kernel,) if op.gives else ())


def blocks(op: Op, line: Timeline) -> tuple[list[int], list[int]]:
    """Bytes of each that forward and backward make."""
    return (
        [line.storages[each].nbytes for each in op.makes],
        [give.gradient.nbytes for give in op.gives if isinstance(give.gradient, TensorType)],
    )


def _fresh(op: Op, line: Timeline) -> tuple[int, int]:
    forward, backward = blocks(op, line)
    return sum([nbytes for nbytes in forward if nbytes >= FRESH]), sum([each for each in backward if each >= FRESH])
