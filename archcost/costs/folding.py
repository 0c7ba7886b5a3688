"""What an inference engine for small devices runs of a forward pass.

Such an engine (ncnn, OpenCV's, those of microcontrollers) folds a batch norm into the weights of the convolution or
product before it, and clips values while they are still in registers: neither is a launch of its own (ncnn's
tools/ncnnoptimize.cpp, OpenCV's modules/dnn/src/net_impl_fuse.cpp). A convolution in groups runs group by group, as
one of its kernel size does.

Its cores are in order or nearly so, and wait for what they load: computing and moving are two kernels, the second
without a launch, so that their times add up. Amounts are in elements of the run's dtype whatever the engine makes of
it; the constants of a calibration take that in.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcost.costs.kernel import Kernel, Kernels
from archcost.costs.program import Op, Program
from archcost.layers.activation import Hardtanh, LeakyReLU, ReLU, ReLU6
from archcost.layers.convolution.conv import Convolution
from archcost.layers.normalization.norms import BatchNorm
from archcost.tensors import TensorType
from archcost.terms.time_classes import BROADER, CONTRACTIONS, TimeClass
from archcost.work import Contraction

CLIPS = (ReLU, ReLU6, LeakyReLU, Hardtanh)

WINOGRAD = 5
"""Beside the values themselves, F(6x6, 3x3) writes and reads tiles of 8 x 8 for 6 x 6 of them (Lavin and Gray 2016):
1 + 2 * 64 / 36 times as much, and what is padded at the edges."""


def folded(program: Program, forward: Sequence[Kernels]) -> tuple[Kernels, ...]:
    """The forward kernels of every operation, without those that are folded into another's."""
    weighted: set[str] = set()
    found: list[Kernels] = []
    for op, kernels in zip(program.ops, forward, strict=True):
        follows = len(op.node.inputs) == 1 and op.node.inputs[0].producer in weighted
        is_norm = follows and isinstance(op.node.layer, BatchNorm)
        if is_norm or _multiplies_weights(kernels, op) or (follows and not kernels):
            weighted.add(op.name)
        is_gone = is_norm or (follows and isinstance(op.node.layer, CLIPS))
        found.append(() if is_gone else _apart(kernels, op))
    return tuple(found)


def _multiplies_weights(forward: Kernels, op: Op) -> bool:
    """Into a product of two activations nothing can be folded."""
    return bool(op.node.facts.weights) and any(kernel.kind in CONTRACTIONS for kernel in forward)


def _apart(forward: Kernels, op: Op) -> Kernels:
    """An operation's kernels without autocast's copies; of what is no contraction only those that move bytes."""
    if not forward or op.is_copy:
        return ()
    kind, dtype = _alone(forward[0].kind, op), forward[0].dtype
    if kind == "unknown":
        return forward
    moved = Kernel(kind, 0, _moved(kind, op), dtype, 0)
    macs = sum([part.macs for part in op.node.facts.work if isinstance(part, Contraction)])
    return (Kernel(kind, 2 * macs, 0, dtype), moved) if kind in CONTRACTIONS else (moved._replace(launches=1),)


def _moved(kind: TimeClass, op: Op) -> int:
    """Bytes. Weights lie in 16 bits (ncnn's use_fp16_storage)."""
    weights = sum([TensorType(weight.shape, "float16").nbytes for weight in op.node.weights])
    values = sum([tensor.nbytes for tensor in (*op.node.input_types, *op.node.output_types)])
    return values * (WINOGRAD if kind == "convolution 3x3" else 1) + weights


def _alone(kind: TimeClass, op: Op) -> TimeClass:
    """The class of a grouped convolution as that of one group. Rows are packed, so that none is unaligned."""
    layer = op.node.layer
    if kind.endswith("grouped convolution") and isinstance(layer, Convolution):
        return "convolution 1x1" if set(layer.kernels()) == {1} else "convolution"
    return BROADER[kind] if kind.startswith("unaligned") else kind
