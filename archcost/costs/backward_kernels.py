"""What backward runs on a device: a contraction again for each operand, and all else over what arrives and was kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from archcost.costs.forward_kernels import codes, unpacking
from archcost.costs.kernel import Kernel, Kernels
from archcost.costs.program import Give, Held, Op, Program
from archcost.tensors import TensorType
from archcost.terms.autograd import FORWARD, Handed
from archcost.terms.time_classes import CONTRACTIONS, TimeClass
from archcost.work import backward

NORMS: frozenset[TimeClass] = frozenset(["batch norm", "layer norm"])
STRETCHING: frozenset[TimeClass] = frozenset(["elementwise", "transcendental", "broadcast", "strided"])


def backward_kernels(op: Op, forward: Kernel, storages: Sequence[Held]) -> tuple[Kernels, Kernels]:
    """The half for the inputs and the half for the weights; where it is no contraction, one kernel does both.

    `forward` is its kernel of forward, with the class, the dtype and how far short axes stretch it.
    """
    if not op.gives:
        return (), ()
    written = sum([tensor.nbytes for tensor in op.node.output_types])
    names = [each for each in op.operands if isinstance(each, str)]
    given = op.gives[: len(op.gives) - len(names)] if names else op.gives
    made = [give.gradient for give in given if isinstance(give.gradient, TensorType)]
    if forward.kind in CONTRACTIONS:
        return _contraction(op, forward, written, len(made))
    if not made and not names:
        return _pieces(given, written, forward.dtype), ()
    kind, nbytes = forward.kind, written + sum([tensor.nbytes for tensor in made])
    if kind in NORMS:
        nbytes += op.node.input_types[0].nbytes
    elif not op.makes and not op.node.layer.overwrites(FORWARD):
        kind = "copy"
        if len(op.outputs) == 1:  # a part of a tensor, whose gradient is put into zeros like the whole
            nbytes += sum([tensor.nbytes for tensor in made])
    else:
        nbytes += sum([storages[each].nbytes for each in op.saved])
    if kind in STRETCHING:
        # What was stretched gets a product as large as the output, which is then added up.
        numel = op.node.output_types[0].numel
        nbytes += sum([2 * written for tensor in made if tensor.numel < numel])
    flops = sum(backward(op.node.facts.work, op.operands))
    kernel = forward._replace(kind=kind, flops=flops, nbytes=nbytes)
    return ((kernel,), ()) if made else ((), (kernel,))


def _contraction(op: Op, forward: Kernel, written: int, made: int) -> tuple[Kernels, Kernels]:
    """The kernels of a contraction's gradients: each reads the output's gradient and the other operand."""
    work = op.node.facts.work
    inputs = [each for each in op.operands if isinstance(each, int)]
    weights = [each for each in op.operands if isinstance(each, str)]
    by_input: Kernels = ()
    if inputs and made:
        products = 1 if forward.kind in ("attention", "recurrent") else made
        flops = backward(work, inputs).contraction
        by_input = (forward._replace(flops=flops, nbytes=products * forward.nbytes, launches=products),)
        if (making := unpacking(op, 1)) is not None:
            read = forward.nbytes if unpacking(op, 0) else forward.nbytes - 2 * codes(op) + making.nbytes
            by_input = (by_input[0]._replace(nbytes=read), making)
    by_weight: Kernels = ()
    if any(not name.startswith("bias") for name in weights):
        by_weight = (forward._replace(flops=backward(work, weights, inputs).contraction),)
    if any(name.startswith("bias") for name in weights):
        by_weight = (*by_weight, Kernel("reduction", 0, written, forward.dtype))
    return by_input, by_weight


def _pieces(given: Sequence[Give], written: int, dtype: str) -> Kernels:
    """Copies of gradients that are slices of the gradient of a concat, for layers that need contiguous rows."""
    views = [give for give in given if isinstance(give.gradient, Handed) and (give.gradient.is_view or give.is_view)]
    return (Kernel("copy", 0, 2 * written, dtype, len(views)),) if len(views) > 1 else ()


def additions(program: Program) -> Mapping[int, Kernel]:
    """The kernels that add up the gradients of a tensor that several layers read, by its place."""
    counts = Counter([place for op in program.ops for place in op.into])
    several = {place for place, count in counts.items() if count > 1 and place not in program.parameters}
    if not several:
        return {}
    like = {place: give.like for op in program.ops for place, give in zip(op.into, op.gives, strict=True)}
    return {
        place: Kernel(
            "elementwise",
            (counts[place] - 1) * like[place].numel,
            3 * (counts[place] - 1) * like[place].nbytes,
            like[place].dtype,
            counts[place] - 1,
        )
        for place in several
    }


def added(op: Op, additions: Mapping[int, Kernel]) -> Kernels:
    """The additions that run before an operation's own backward."""
    return tuple([additions[place] for place in op.takes if place in additions])
