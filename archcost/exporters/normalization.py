"""Norms in ONNX, but for those whose cards name an operator."""

from __future__ import annotations

from archcost.exporters.emit import Part, Shape, draws
from archcost.layers import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    RMSNorm,
    WeightNorm,
)
from archcost.layers.checks import normalize_axis

FLOAT32_EPSILON = 2.0**-23
"""What torch takes for an rms_norm's `eps: null`."""


def scale_and_shift(part: Part, shape: Shape) -> tuple[str, str]:
    """The layer's own, or ones and zeros where it has none."""
    scale = part.weight() if part.has("weight") else part.full(1.0, shape)
    return scale, part.weight("bias") if part.has("bias") else part.full(0.0, shape)


@draws(BatchNorm1d, BatchNorm2d, BatchNorm3d)
def batch_norm(part: Part) -> str:
    """Without running statistics, those of the batch."""
    layer, channels = part.layer, part.source.shape[1:2]
    momentum = 0.9 if layer.momentum is None else 1 - layer.momentum
    affine = scale_and_shift(part, channels)
    if part.has("running_mean"):
        statistics = (part.weight("running_mean"), part.weight("running_var"))
        return part.draw(
            "BatchNormalization", part.inputs[0], *affine, *statistics, epsilon=layer.eps, momentum=momentum
        )
    unused = (part.full(0.0, channels), part.full(1.0, channels))
    return part.draw_many(
        "BatchNormalization",
        3,
        part.inputs[0],
        *affine,
        *unused,
        epsilon=layer.eps,
        momentum=momentum,
        training_mode=1,
    )[0]


@draws(InstanceNorm1d, InstanceNorm2d, InstanceNorm3d)
def instance_norm(part: Part) -> str:
    affine = scale_and_shift(part, part.source.shape[1:2])
    return part.draw("InstanceNormalization", part.inputs[0], *affine, epsilon=part.layer.eps)


@draws(GroupNorm)
def group_norm(part: Part) -> str:
    affine = scale_and_shift(part, part.source.shape[1:2])
    return part.draw(
        "GroupNormalization", part.inputs[0], *affine, num_groups=part.layer.num_groups, epsilon=part.layer.eps
    )


@draws(LayerNorm)
def layer_norm(part: Part) -> str:
    shape = part.layer.normalized(part.node.input_types)
    scale = part.weight() if part.has("weight") else part.full(1.0, shape)
    shift = (part.weight("bias"),) if part.has("bias") else ()
    return part.draw("LayerNormalization", part.inputs[0], scale, *shift, axis=-len(shape), epsilon=part.layer.eps)


@draws(RMSNorm)
def rms_norm(part: Part) -> str:
    shape = part.layer.normalized(part.node.input_types)
    scale = part.weight() if part.has("weight") else part.full(1.0, shape)
    epsilon = FLOAT32_EPSILON if part.layer.eps is None else part.layer.eps
    return part.draw("RMSNormalization", part.inputs[0], scale, axis=-len(shape), epsilon=epsilon)


@draws(WeightNorm)
def weight_norm(part: Part) -> str:
    axis = normalize_axis(part.layer.dim, part.source.rank)
    others = part.integers(*(each for each in range(part.source.rank) if each != axis))
    directions, lengths = part.inputs
    norms = part.draw("ReduceL2", directions, others, keepdims=1)
    return part.draw("Mul", directions, part.draw("Div", lengths, norms))
