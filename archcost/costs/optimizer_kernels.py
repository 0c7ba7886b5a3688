"""What an optimizer runs on a device: passes over all weights, or one where it is fused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from archcost.costs.kernel import Kernel, stretch
from archcost.costs.optimizer_steps import MUON_STEPS
from archcost.costs.optimizers import implementation, optimized, state
from archcost.costs.timeline import Timeline, learned
from archcost.passes.optimizer import Optimizer, Option, method
from archcost.tensors import TensorType


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
    "rmsprop": Passes(5, 13),  # mul_, addcmul_, sqrt, add_, addcdiv_
    "adagrad": Passes(4, 11),  # addcmul_, sqrt, add_, addcdiv_
    "adadelta": Passes(11, 27),  # mul_, addcmul_, add, sqrt_, add, sqrt_, div_, mul_, mul_, addcmul_, add_
    "adamax": Passes(6, 16),  # lerp_, mul_, abs, add_, maximum, addcdiv_
    "rprop": Passes(14, 32),  # mul, sign, three masks and what they fill, mul_, clamp_, clone, mask, sign, addcmul_
    "nadam": Passes(8, 22),  # lerp_, mul_, addcmul_, div, sqrt, add_, addcdiv_ twice
    "radam": Passes(12, 28),  # lerp_, mul_, addcmul_, div, mul, sqrt, add_, reciprocal, mul three times, add_
    "muon": Passes(6, 14),  # lerp_, lerp, a cast, div_, mul_, add_
}
"""Of the loop and of foreach, which differ in launches alone (torch/optim: `_single_tensor_*`, `_multi_tensor_*`)."""

MORE: Mapping[Option, Passes] = {
    "weight_decay": Passes(1, 3),  # grad.add(param)
    "nesterov": Passes(1, 3),  # grad.add(buf)
    "amsgrad": Passes(1, 3),  # maximum
    "centered": Passes(2, 6),  # lerp_, addcmul
    "momentum": Passes(2, 5),  # mul_, add_
}

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
    name, options = method(run.optimizer)
    passes = COMPOSED.get(name)
    if name == "muon":
        yield from _orthogonalizing(tensors)
    if passes is None or (impl == "fused" and name != "muon"):
        states = ((state(run.optimizer, each, impl, line.device), times) for each, times in alike)
        kept = [own.tensor.nbytes * times for owns, times in states for own in owns]
        is_each = name not in COMPOSED or "paged" in options or run.optimizer_in_backward
        launches = len(tensors) if is_each else -(-len(tensors) // AT_ONCE)
        yield Kernel("optimizer", numel, 3 * weights + 2 * sum(kept), dtype, launches)
        return
    is_each = impl == "loop" or name == "muon" or run.optimizer_in_backward
    lists = len(tensors) if is_each else -(-len(tensors) // AT_ONCE)
    every = [passes, *(MORE[option] for option in options if option in MORE)]
    moved, launches = sum(each.tensors for each in every), sum(each.operations for each in every)
    yield Kernel("optimizer", numel, moved * weights, dtype, launches * lists)


def _orthogonalizing(parameters: Iterable[TensorType]) -> Iterator[Kernel]:
    """Of Muon: three products of matrices in each of its iterations, in bfloat16, each operand read once."""
    for matrix, times in Counter([each for each in parameters if each.rank == 2]).items():
        m, n = sorted(matrix.shape)
        narrow = matrix._replace(dtype="bfloat16").nbytes
        square = 2 * m * m
        each = MUON_STEPS * times
        flops, nbytes = each * (4 * m * m * n + 2 * m**3), each * (5 * narrow + 5 * square)
        yield Kernel("product", flops, nbytes, "bfloat16", 3 * each, stretch("product", (m, n)))
