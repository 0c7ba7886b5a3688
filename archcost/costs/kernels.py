"""What a step runs on a device, kernel by kernel: of which class, how many FLOPs, how many bytes it moves.

Amounts follow from the program of the step, so they are those of the dtypes that really run, with autocast's copies,
with views free and what is in place read and written once. No rate and no device stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from archcost.costs.optimizers import implementation, optimized, state
from archcost.costs.program import Op
from archcost.costs.timeline import Timeline, learned
from archcost.keeping import FORWARD
from archcost.tensors import TensorType
from archcost.time_classes import CONTRACTIONS, TimeClass
from archcost.work import Flops, Shared, Work, backward

OPTIMIZER_LAUNCHES = {"loop": 1, "foreach": 64, "fused": 320}
"""How many parameters one launch of an optimizer works on: lists are cut by the size of a kernel's arguments
(depth_to_max_tensors in aten/src/ATen/native/cuda/MultiTensorApply.cuh).
"""


class Kernel(NamedTuple):
    """Equal launches of one class. `flops` are those of contractions where it is one, else operations on values.

    `nbytes` are read and written, each tensor once. `dtype` is that in which it computes.
    """

    kind: TimeClass
    flops: int
    nbytes: int
    dtype: str
    launches: int = 1


Kernels = tuple[Kernel, ...]


class LayerKernels(NamedTuple):
    """Of one layer, or of a copy that autocast makes of its weight."""

    name: str
    forward: Kernels
    backward_input: Kernels = ()
    backward_weight: Kernels = ()


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


def kernels(line: Timeline) -> StepKernels:
    """Of the step that was played."""
    known: dict[object, tuple[Kernels, Kernels, Kernels]] = {}
    layers: list[LayerKernels] = []
    for op in line.program.ops:
        key = (id(op.node.facts), op.is_copy, op.operands, bool(op.makes), len(op.gives), op.is_copy and op.name)
        if key not in known:
            known[key] = _of(op, line)
        layers.append(LayerKernels(op.name, *known[key]))
    accumulation = line.run.accumulation if line.run.trains else 1
    return StepKernels(tuple(layers), line.recomputed, tuple(_optimizer(line)), accumulation)


def _of(op: Op, line: Timeline) -> tuple[Kernels, Kernels, Kernels]:
    if op.is_copy:
        return _copy_of_weight(op, line)
    node = op.node
    layer = node.layer
    kind = layer.timed(node.input_types, node.output_types)
    if kind == "free":
        return (), (), ()
    contracts = kind in CONTRACTIONS
    makes = bool(op.makes) or layer.overwrites(FORWARD)
    read = sum([tensor.nbytes for index, tensor in enumerate(node.input_types) if index not in layer.asked])
    weights = sum([_weight(weight.shape, weight.cast or weight.dtype or _dtype(op)) for weight in node.weights])
    written = sum([tensor.nbytes for tensor in node.output_types])
    kept = sum([line.storages[each].nbytes for each in op.makes if each not in op.stays])
    forward = (
        (Kernel(kind, _amount(_forward(node.facts.work), contracts), read + weights + written + kept, _dtype(op)),)
        if makes or kind == "unknown"
        else ()
    )
    if not op.gives:
        return forward, (), ()
    return forward, *_backward(op, kind, contracts, read, weights, written)


def _backward(
    op: Op, kind: TimeClass, contracts: bool, read: int, weights: int, written: int
) -> tuple[Kernels, Kernels]:
    """The half for the inputs and the half for the weights; where it is no contraction, one kernel does both."""
    inputs = tuple([each for each in op.operands if isinstance(each, int)])
    names = tuple([each for each in op.operands if isinstance(each, str)])
    work = op.node.facts.work
    made = sum([give.gradient.nbytes for give in op.gives if isinstance(give.gradient, TensorType)])
    if not made:
        return (), ()
    if not contracts:
        flops = _amount(backward(work, op.operands), contracts=False)
        kernel = Kernel(kind, flops, written + read + made, _dtype(op))
        return ((kernel,), ()) if inputs else ((), (kernel,))
    by_input = (
        (Kernel(kind, backward(work, inputs).contraction, written + weights + read, _dtype(op)),) if inputs else ()
    )
    by_weight = (
        (Kernel(kind, backward(work, names, inputs).contraction, written + read + weights, _dtype(op)),)
        if _trains(names)
        else ()
    )
    return by_input, by_weight


def _trains(names: tuple[str, ...]) -> bool:
    return any(not name.startswith("bias") for name in names)


def _copy_of_weight(op: Op, line: Timeline) -> tuple[Kernels, Kernels, Kernels]:
    """Read in its own dtype, written in autocast's; backward casts the gradient the other way."""
    made = sum([line.storages[each].nbytes for each in op.makes])
    read = sum([line.storages[each].nbytes for each in op.reads])
    kernel = Kernel("copy", 0, made + read, _dtype(op))
    return (kernel,), (), ((kernel,) if op.gives else ())


def _optimizer(line: Timeline) -> Iterator[Kernel]:
    """It reads weight and gradient, reads and writes its state, and writes the weight."""
    run = line.run
    if not run.trains or run.optimizer == "none":
        return
    impl = implementation(run, line.device)
    tensors = optimized([held.tensor for held in learned(line.program)], run)
    if not tensors:
        return
    kept = sum([own.tensor.nbytes for tensor in tensors for own in state(run.optimizer, tensor, impl, line.device)])
    weights = sum([tensor.nbytes for tensor in tensors])
    numel = sum([tensor.numel for tensor in tensors])
    launches = -(-len(tensors) // OPTIMIZER_LAUNCHES[impl])
    yield Kernel("optimizer", numel, 3 * weights + 2 * kept, tensors[0].dtype, launches)


def _dtype(op: Op) -> str:
    """That of the first input as it is read, or where there is none that of the output."""
    tensors = (*op.node.input_types, *op.node.output_types)
    return next((tensor.dtype for tensor in tensors if tensor.is_floating), tensors[0].dtype)


def _weight(shape: tuple[int, ...], dtype: str) -> int:
    return TensorType(shape, dtype).nbytes


def _forward(work: tuple[Work, ...]) -> Flops:
    return sum([part.forward for part in work if not isinstance(part, Shared)], Flops())


def _amount(flops: Flops, contracts: bool) -> int:
    return flops.contraction if contracts else flops.contraction + flops.elementwise
