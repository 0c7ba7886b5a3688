"""What fvcore counts for each layer type, in terms of archcost's own numbers.

fvcore (0.1.5.post20221221) calls a multiply-and-add one flop, counts norms, two kinds of upsampling and one kind
of pooling by rules of thumb, and leaves out the rest. Its numbers in evaluation mode follow exactly from these
rules; each was read off fvcore itself, and the tests hold them against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archcost.costs import LayerCost
from archcost.layers import (
    AdaptiveAvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    ByType,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    Upsample,
)
from archcost.layers.card import Counted

Rule = Callable[[LayerCost], int]


def macs(cost: LayerCost) -> int:
    """Of complex numbers it counts one where there are four of real ones."""
    return cost.macs // factor(cost)


def factor(cost: LayerCost) -> int:
    """How many MACs of real numbers one of the layer's is."""
    return max([tensor.real_macs for tensor in cost.node.input_types], default=1)


def nothing(cost: LayerCost) -> int:
    return 0


def _numel(cost: LayerCost) -> int:
    return cost.node.input_types[0].numel


def batch_norm(cost: LayerCost) -> int:
    """2N with running statistics, 1N without a scale; 5N and 4N where the batch's own are taken, as in training."""
    layer = cost.node.layer
    assert isinstance(layer, (BatchNorm1d, BatchNorm2d, BatchNorm3d))
    if layer.track_running_stats:
        return _numel(cost) * (2 if layer.affine else 1)
    return _numel(cost) * (5 if layer.affine else 4)


def channel_norm(cost: LayerCost) -> int:
    """5N, or 4N without a scale."""
    layer = cost.node.layer
    assert isinstance(layer, (GroupNorm, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d))
    return _numel(cost) * (5 if layer.affine else 4)


def layer_norm(cost: LayerCost) -> int:
    layer = cost.node.layer
    assert isinstance(layer, LayerNorm)
    return _numel(cost) * (5 if layer.elementwise_affine else 4)


def adaptive_avg_pool2d(cost: LayerCost) -> int:
    """1 a value of the input; only in two dimensions."""
    assert isinstance(cost.node.layer, AdaptiveAvgPool2d)
    return _numel(cost)


def upsample(cost: LayerCost) -> int:
    """1 a value of the output for nearest, 4 for bilinear; only in two dimensions, and not with antialias."""
    layer = cost.node.layer
    assert isinstance(layer, Upsample)
    output = cost.node.output_types[0]
    if output.rank != 4 or layer.antialias:
        return 0
    return output.numel * {"nearest": 1, "bilinear": 4}.get(layer.mode, 0)


def grid_sample(cost: LayerCost) -> int:
    """4 a value of the output, whatever the mode."""
    return 4 * cost.node.output_types[0].numel


def matmul(cost: LayerCost) -> int:
    """The MACs, but of the first input's own matrices, even where the second has more (matmul_flop_jit)."""
    left, right = cost.node.input_types
    return left.numel * right.shape[-1]


RULES: Mapping[Counted, Rule] = {
    "nothing": nothing,
    "macs": macs,
    "macs of the first input": matmul,
    "batch norm": batch_norm,
    "channel norm": channel_norm,
    "layer norm": layer_norm,
    "input": adaptive_avg_pool2d,
    "interpolation": upsample,
    "samples": grid_sample,
}
"""By the word on a layer's card."""

FVCORE_COUNTS: Mapping[str, Rule] = ByType(lambda kind: RULES[kind.card.fvcore])
