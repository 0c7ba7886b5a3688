"""A small network whose every number is worked out by hand.

conv1: 3·3·1·2 + 2 = 20 weights; 2·4·4 outputs of 9 products = 288 MACs; forward 576 FLOPs; backward 576, since
    nobody needs the input gradient of the first layer.
fc1: 8·3 + 3 = 27 weights; 3 sums of 8 products = 24 MACs; forward 48; backward 48 + 48 = 96.
Together 47 weights (5 of them biases), 312 MACs, 624 and 672 FLOPs, 1,296 a step.
Elementwise forward: bias 32, relu 32, pool 8 windows of 4 = 32, bias 3: 99.
Elementwise backward: to the inputs relu 32 and pool 8: 40; to the weights the biases' 32 and 3: 35; 174 in all.
"""

import archcost
from archcost.costs import ModelCost

TINY = """
name: tiny
title: "A <small> & tidy_network"
citation: "Nobody, 50% of a {paper}, 2020"
published: {parameters: 47, top1_error: 12.5}
input: [1, 6, 6]
layers:
  - {block: features, name: features_1}
  - {type: flatten}
  - {name: fc1, type: linear, out_features: 3}
blocks:
  features:
    layers:
      - {name: conv1, type: conv2d, out_channels: 2, kernel_size: 3}
      - {type: relu}
      - {name: pool, type: max_pool2d, kernel_size: 2, return_indices: true}
"""


ODD = """
name: odd
input: [3, 8, 8]
layers:
  - {type: conv2d, name: x, out_channels: 4, kernel_size: 3}
  - {type: opaque, name: odd.spectrum, op: "aten::fft_rfft2", shapes: [[1, 4, 6, 4], []], dtypes: [float32, int64],
     batch_dims: [0, null], saved: [[1, 3]], inputs: [x, input]}
  - {type: relu, name: odd.relu}
"""
"""x: 3*3*3*4 + 4 = 112 weights, 4*6*6 outputs of 27 products = 3,888 MACs; what comes after is not all known."""


def tiny(batch: int = 1) -> ModelCost:
    return cost_of(TINY, batch)


def cost_of(text: str, batch: int = 1) -> ModelCost:
    return archcost.cost(archcost.build(archcost.loads(text), batch))
