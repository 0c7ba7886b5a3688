"""What an inference engine for small devices runs of a forward pass.

Such an engine (ncnn, OpenCV's, those of microcontrollers) folds a batch norm into the weights of the convolution or
product before it, and clips values while they are still in registers: neither is a launch of its own (ncnn's
tools/ncnnoptimize.cpp, OpenCV's modules/dnn/src/net_impl_fuse.cpp). A convolution in groups runs group by group, as
one of its kernel size does.
"""

from __future__ import annotations

from dataclasses import replace

from archcost.costs.kernels import Kernel, Kernels, LayerKernels, StepKernels
from archcost.costs.program import Op
from archcost.costs.timeline import Timeline
from archcost.layers.activation import Hardtanh, LeakyReLU, ReLU, ReLU6
from archcost.layers.convolution import Convolution
from archcost.layers.normalization import BatchNorm
from archcost.time_classes import CONTRACTIONS

CLIPS = (ReLU, ReLU6, LeakyReLU, Hardtanh)


def fused(step: StepKernels, line: Timeline) -> StepKernels:
    """Of the step that was played, with what is folded into another layer's kernel gone from it."""
    weighted: set[str] = set()
    layers: list[LayerKernels] = []
    for layer, op in zip(step.layers, line.program.ops, strict=True):
        follows = len(op.node.inputs) == 1 and op.node.inputs[0].producer in weighted
        is_folded = follows and isinstance(op.node.layer, BatchNorm)
        if is_folded or _is_contraction(layer.forward, op) or (follows and not layer.forward):
            weighted.add(op.name)
        is_gone = is_folded or (follows and isinstance(op.node.layer, CLIPS))
        layers.append(LayerKernels(layer.name, () if is_gone else tuple([_alone(each, op) for each in layer.forward])))
    return replace(step, layers=tuple(layers))


def _is_contraction(forward: Kernels, op: Op) -> bool:
    """Of weights of its own: into a product of two activations nothing can be folded."""
    return bool(op.node.facts.weights) and any(kernel.kind in CONTRACTIONS for kernel in forward)


def _alone(kernel: Kernel, op: Op) -> Kernel:
    layer = op.node.layer
    if kernel.kind != "grouped convolution" or not isinstance(layer, Convolution):
        return kernel
    return kernel._replace(kind="convolution 1x1" if set(layer.kernels()) == {1} else "convolution")
