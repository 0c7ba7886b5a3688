"""Norms: 5 operations a value to standardise, 7 back; the scale 1, back 1 and 2 for γ; the shift 1, back 1 for β."""

from __future__ import annotations

from archcost.layers import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
    WeightNorm,
)
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        WeightNorm(),
        inputs=((2, 3, 5), (2, 1, 1)),
        outputs=((2, 3, 5),),
        forward=90,  # (2*3*5) * 3: square, sum, product with g/‖v‖
        backward_input=150,  # (2*3*5) * 5: product and sum for both, product, difference, product for v
    ),
    Row(
        WeightNorm(dim=-1),
        inputs=((3, 5), (1, 5)),
        outputs=((3, 5),),
        forward=45,  # (3*5) * 3: square, sum, product with g/‖v‖
        backward_input=75,  # (3*5) * 5: product and sum for both, product, difference, product for v
    ),
    Row(
        BatchNorm1d(),
        inputs=((2, 7),),
        outputs=((2, 7),),
        parameters=14,  # 2*7: a scale and a shift a channel
        buffers=15,  # 2*7 + 1: running mean and variance, and the count of batches
        forward=98,  # (2*7) * (5 + 1 + 1)
        backward_input=112,  # (2*7) * (7 + 1)
        backward_weight=42,  # (2*7) * (2 + 1)
    ),
    Row(
        BatchNorm1d(),
        inputs=((2, 7, 5),),
        outputs=((2, 7, 5),),
        parameters=14,  # 2*7
        buffers=15,  # 2*7 + 1
        forward=490,  # (2*7*5) * (5 + 1 + 1)
        backward_input=560,  # (2*7*5) * (7 + 1)
        backward_weight=210,  # (2*7*5) * (2 + 1)
    ),
    Row(
        BatchNorm2d(),
        inputs=((2, 5, 3, 7),),
        outputs=((2, 5, 3, 7),),
        parameters=10,  # 2*5
        buffers=11,  # 2*5 + 1
        forward=1470,  # (2*5*3*7) * (5 + 1 + 1)
        backward_input=1680,  # (2*5*3*7) * (7 + 1)
        backward_weight=630,  # (2*5*3*7) * (2 + 1)
    ),
    Row(
        BatchNorm2d(affine=False),
        inputs=((2, 5, 3, 7),),
        outputs=((2, 5, 3, 7),),
        buffers=11,  # 2*5 + 1
        forward=1050,  # (2*5*3*7) * 5
        backward_input=1470,  # (2*5*3*7) * 7
    ),
    Row(
        BatchNorm2d(bias=False),
        inputs=((2, 5, 3, 7),),
        outputs=((2, 5, 3, 7),),
        parameters=5,  # 5: a scale a channel
        buffers=11,  # 2*5 + 1
        forward=1260,  # (2*5*3*7) * (5 + 1)
        backward_input=1680,  # (2*5*3*7) * (7 + 1)
        backward_weight=420,  # (2*5*3*7) * 2
    ),
    Row(
        BatchNorm1d(bias=False, track_running_stats=False),
        inputs=((2, 7, 5),),
        outputs=((2, 7, 5),),
        parameters=7,  # 7
        forward=420,  # (2*7*5) * (5 + 1)
        backward_input=560,  # (2*7*5) * (7 + 1)
        backward_weight=140,  # (2*7*5) * 2
    ),
    Row(
        BatchNorm3d(bias=False, training=False),
        inputs=((2, 5, 2, 3, 7),),
        outputs=((2, 5, 2, 3, 7),),
        parameters=5,  # 5
        buffers=11,  # 2*5 + 1
        forward=1260,  # (2*5*2*3*7) * (2 + 1)
        backward_input=840,  # (2*5*2*3*7) * (1 + 1)
        backward_weight=840,  # (2*5*2*3*7) * 2
    ),
    Row(
        BatchNorm2d(training=False),
        inputs=((2, 5, 3, 7),),
        outputs=((2, 5, 3, 7),),
        parameters=10,  # 2*5
        buffers=11,  # 2*5 + 1
        forward=840,  # (2*5*3*7) * (2 + 1 + 1)
        backward_input=420,  # (2*5*3*7) * (1 + 1)
        backward_weight=630,  # (2*5*3*7) * (2 + 1)
    ),
    Row(
        BatchNorm1d(training=False, affine=False),
        inputs=((2, 7),),
        outputs=((2, 7),),
        buffers=15,  # 2*7 + 1
        forward=28,  # (2*7) * 2
        backward_input=14,  # (2*7) * 1
    ),
    Row(
        BatchNorm2d(track_running_stats=False, momentum=None),
        inputs=((2, 5, 3, 7),),
        outputs=((2, 5, 3, 7),),
        parameters=10,  # 2*5
        forward=1470,  # (2*5*3*7) * (5 + 1 + 1)
        backward_input=1680,  # (2*5*3*7) * (7 + 1)
        backward_weight=630,  # (2*5*3*7) * (2 + 1)
    ),
    Row(
        BatchNorm3d(),
        inputs=((2, 5, 2, 3, 7),),
        outputs=((2, 5, 2, 3, 7),),
        parameters=10,  # 2*5
        buffers=11,  # 2*5 + 1
        forward=2940,  # (2*5*2*3*7) * (5 + 1 + 1)
        backward_input=3360,  # (2*5*2*3*7) * (7 + 1)
        backward_weight=1260,  # (2*5*2*3*7) * (2 + 1)
    ),
    Row(
        InstanceNorm1d(affine=True),
        inputs=((2, 5, 7),),
        outputs=((2, 5, 7),),
        parameters=10,  # 2*5
        forward=490,  # (2*5*7) * (5 + 1 + 1)
        backward_input=560,  # (2*5*7) * (7 + 1)
        backward_weight=210,  # (2*5*7) * (2 + 1)
    ),
    Row(
        InstanceNorm2d(affine=True, bias=False),
        inputs=((2, 5, 3, 7),),
        outputs=((2, 5, 3, 7),),
        parameters=5,  # 5
        forward=1260,  # (2*5*3*7) * (5 + 1)
        backward_input=1680,  # (2*5*3*7) * (7 + 1)
        backward_weight=420,  # (2*5*3*7) * 2
    ),
    Row(
        InstanceNorm3d(track_running_stats=True),
        inputs=((2, 3, 5, 2, 7),),
        outputs=((2, 3, 5, 2, 7),),
        buffers=7,  # 2*3 + 1
        forward=2100,  # (2*3*5*2*7) * 5
        backward_input=2940,  # (2*3*5*2*7) * 7
    ),
    Row(
        InstanceNorm2d(),
        inputs=((2, 5, 3, 7),),
        outputs=((2, 5, 3, 7),),
        forward=1050,  # (2*5*3*7) * 5
        backward_input=1470,  # (2*5*3*7) * 7
    ),
    Row(
        InstanceNorm2d(affine=True, track_running_stats=True),
        inputs=((2, 5, 3, 7),),
        outputs=((2, 5, 3, 7),),
        parameters=10,  # 2*5
        buffers=11,  # 2*5 + 1
        forward=1470,  # (2*5*3*7) * (5 + 1 + 1)
        backward_input=1680,  # (2*5*3*7) * (7 + 1)
        backward_weight=630,  # (2*5*3*7) * (2 + 1)
    ),
    Row(
        GroupNorm(num_groups=3, bias=False),
        inputs=((2, 6, 5, 7),),
        outputs=((2, 6, 5, 7),),
        parameters=6,  # 6
        forward=2520,  # (2*6*5*7) * (5 + 1)
        backward_input=3360,  # (2*6*5*7) * (7 + 1)
        backward_weight=840,  # (2*6*5*7) * 2
    ),
    Row(
        GroupNorm(num_groups=3),
        inputs=((2, 6, 5, 7),),
        outputs=((2, 6, 5, 7),),
        parameters=12,  # 2*6: a channel, not a group
        forward=2940,  # (2*6*5*7) * (5 + 1 + 1)
        backward_input=3360,  # (2*6*5*7) * (7 + 1)
        backward_weight=1260,  # (2*6*5*7) * (2 + 1)
    ),
    Row(
        GroupNorm(num_groups=2, affine=False),
        inputs=((3, 10),),
        outputs=((3, 10),),
        forward=150,  # (3*10) * 5
        backward_input=210,  # (3*10) * 7
    ),
    Row(
        LayerNorm(),
        inputs=((2, 3, 7),),
        outputs=((2, 3, 7),),
        parameters=14,  # 2*7
        forward=294,  # (2*3*7) * (5 + 1 + 1)
        backward_input=336,  # (2*3*7) * (7 + 1)
        backward_weight=126,  # (2*3*7) * (2 + 1)
    ),
    Row(
        LayerNorm(normalized_shape=(5, 7)),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 7),),
        parameters=70,  # 2 * 5*7
        forward=1470,  # (2*3*5*7) * (5 + 1 + 1)
        backward_input=1680,  # (2*3*5*7) * (7 + 1)
        backward_weight=630,  # (2*3*5*7) * (2 + 1)
    ),
    Row(
        LayerNorm(normalized_shape=7, bias=False),
        inputs=((2, 3, 7),),
        outputs=((2, 3, 7),),
        parameters=7,  # 7
        forward=252,  # (2*3*7) * (5 + 1)
        backward_input=336,  # (2*3*7) * (7 + 1)
        backward_weight=84,  # (2*3*7) * 2
    ),
    Row(
        LayerNorm(elementwise_affine=False),
        inputs=((2, 3, 7),),
        outputs=((2, 3, 7),),
        forward=210,  # (2*3*7) * 5
        backward_input=294,  # (2*3*7) * 7
    ),
    Row(
        RMSNorm(),
        inputs=((2, 3, 7),),
        outputs=((2, 3, 7),),
        parameters=7,  # 7
        forward=168,  # (2*3*7) * (3 + 1)
        backward_input=252,  # (2*3*7) * (5 + 1)
        backward_weight=84,  # (2*3*7) * 2
    ),
    Row(
        RMSNorm(normalized_shape=(5, 7), eps=1e-6),
        inputs=((2, 3, 5, 7),),
        outputs=((2, 3, 5, 7),),
        parameters=35,  # 5*7
        forward=840,  # (2*3*5*7) * (3 + 1)
        backward_input=1260,  # (2*3*5*7) * (5 + 1)
        backward_weight=420,  # (2*3*5*7) * 2
    ),
    Row(
        RMSNorm(elementwise_affine=False),
        inputs=((2, 3, 7),),
        outputs=((2, 3, 7),),
        forward=126,  # (2*3*7) * 3
        backward_input=210,  # (2*3*7) * 5
    ),
    Row(
        # Windows of 5 over 7 channels, cut off at both ends: 3 + 4 + 5 + 5 + 5 + 4 + 3 squares a position.
        LocalResponseNorm(size=5),
        inputs=((2, 7, 3, 5),),
        outputs=((2, 7, 3, 5),),
        forward=1710,  # (2*7*3*5) * 4 + (2*3*5) * (3 + 4 + 5 + 5 + 5 + 4 + 3)
        backward_input=2340,  # (2*7*3*5) * 7 + (2*3*5) * (3 + 4 + 5 + 5 + 5 + 4 + 3)
    ),
    Row(
        # An even window of 4 reaches 2 channels back and 1 forward, as torch pads it.
        LocalResponseNorm(size=4, alpha=5e-4, k=2.0),
        inputs=((2, 7, 3, 5),),
        outputs=((2, 7, 3, 5),),
        forward=1560,  # (2*7*3*5) * 4 + (2*3*5) * (2 + 3 + 4 + 4 + 4 + 4 + 3)
        backward_input=2190,  # (2*7*3*5) * 7 + (2*3*5) * (2 + 3 + 4 + 4 + 4 + 4 + 3)
    ),
    Row(
        LocalResponseNorm(size=11),  # wider than the 3 channels
        inputs=((2, 3, 5),),
        outputs=((2, 3, 5),),
        forward=210,  # (2*3*5) * 4 + (2*5) * (3 + 3 + 3)
        backward_input=300,  # (2*3*5) * 7 + (2*5) * (3 + 3 + 3)
    ),
)
