"""What an optimizer runs on a device: passes over all weights, or one where it is fused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from archcost.costs.kernel import Kernel
from archcost.costs.optimizers import implementation, optimized, state
from archcost.costs.timeline import Timeline, learned
from archcost.passes.run import Optimizer


class Passes(NamedTuple):
    """An optimizer's step: how many operations of torch, and how many tensors they read and write in all."""

    operations: int
    tensors: int


COMPOSED: Mapping[Optimizer, Passes] = {
    "sgd": Passes(1, 3),  # param.add_(grad)
    "sgd-momentum": Passes(3, 8),  # buf.mul_, buf.add_(grad), param.add_(buf)
    "adam": Passes(7, 18),  # lerp_, mul_, addcmul_, sqrt, div, add_, addcdiv_
    "adamw": Passes(8, 20),  # and param.mul_ before
    "lion": Passes(8, 20),  # mul_, clone, mul_, add, sign_, add_; the average: mul_, add_
    "adafactor": Passes(14, 24),  # squares and their means by rows and columns, their product, a root, two norms
}
"""Of the loop and of foreach, which differ in launches alone (torch/optim: `_single_tensor_*`, `_multi_tensor_*`)."""

AT_ONCE = 64
"""Parameters that one launch of foreach works on: lists are cut by the size of a kernel's arguments
(depth_to_max_tensors in aten/src/ATen/native/cuda/MultiTensorApply.cuh)."""


def optimizer_kernels(line: Timeline) -> Iterator[Kernel]:
    """Fused, it reads weight, gradient and state once, and writes weight and state."""
    run = line.run
    if not run.trains or run.optimizer == "none":
        return
    impl = implementation(run, line.device)
    tensors = optimized([held.tensor for held in learned(line.program)], run)
    if not tensors:
        return
    alike = Counter(tensors).items()
    weights = sum([each.nbytes * times for each, times in alike])
    numel, dtype = sum([each.numel * times for each, times in alike]), tensors[0].dtype
    passes = COMPOSED.get(run.optimizer)
    if impl == "fused" or passes is None:
        states = ((state(run.optimizer, each, impl, line.device), times) for each, times in alike)
        kept = [own.tensor.nbytes * times for owns, times in states for own in owns]
        launches = len(tensors) if run.optimizer == "adamw-8bit" else -(-len(tensors) // AT_ONCE)
        yield Kernel("optimizer", numel, 3 * weights + 2 * sum(kept), dtype, launches)
        return
    lists = len(tensors) if impl == "loop" else -(-len(tensors) // AT_ONCE)
    yield Kernel("optimizer", numel, passes.tensors * weights, dtype, passes.operations * lists)
