"""Operators of onnxruntime's own, which its optimiser writes, in files that tell no shape of what they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.importers.onnx_files import FLOAT, INT64, imported, model_of, node, numbers, weight
from tests.importers.test_onnx_operators import IMAGE, ROWS, Case

MICROSOFT, BLOCKED = "com.microsoft", "com.microsoft.nchwc"
LAST = {"x": ["N", 5, 7, 3]}
TOKENS = {"x": ["N", 5, 6]}


def micro(kind: str, inputs: str, outputs: str = "y", domain: str = MICROSOFT, **attributes: Any) -> onnx.NodeProto:
    return node(kind, inputs, outputs, domain, **attributes)


def like(kind: str, *layers: dict[str, Any], **attributes: Any) -> Case:
    """An operator of one image, value by value."""
    return Case([micro(kind, "x", **attributes)], [], layers, IMAGE)


CASES = {
    "a convolution, a sum and an activation": Case(
        [
            node("Conv", "x v", "c"),
            micro("FusedConv", "x w b c", pads=[1, 1, 1, 1], activation="LeakyRelu", activation_params=[0.2]),
        ],
        [weight("v", 11, 3, 1, 1), weight("w", 11, 3, 3, 3), weight("b", 11)],
        [
            {"type": "conv2d", "out_channels": 11, "kernel_size": 1, "bias": False},
            {"type": "conv2d", "inputs": ["x"], "out_channels": 11, "kernel_size": 3, "padding": 1},
            {"type": "add", "inputs": ["conv2", "conv1"]},
            {"type": "leaky_relu", "negative_slope": 0.2},
        ],
        (2, 11, 5, 7),
    ),
    "clipped": Case(
        [micro("FusedConv", "x w", activation="Clip", activation_params=[0.0, 6.0])],
        [weight("w", 11, 3, 1, 1)],
        [{"type": "conv2d", "out_channels": 11, "kernel_size": 1, "bias": False}, {"type": "relu6"}],
        (2, 11, 5, 7),
    ),
    "with the channels last": Case(
        [micro("NhwcConv", "x w b", "c"), micro("NhwcMaxPool", "c", kernel_shape=[2, 2])],
        [weight("w", 11, 3, 3, 3), weight("b", 11)],
        [
            {"type": "permute", "dims": [0, 3, 1, 2]},
            {"type": "conv2d", "out_channels": 11, "kernel_size": 3},
            {"type": "permute", "dims": [0, 2, 3, 1]},
            {"type": "permute", "dims": [0, 3, 1, 2]},
            {"type": "max_pool2d", "kernel_size": 2, "stride": 1},
            {"type": "permute", "dims": [0, 2, 3, 1]},
        ],
        (2, 2, 4, 11),
        LAST,
    ),
    "into blocks and out of them, channels last": Case(
        [
            micro("ReorderInput", "x", "c", BLOCKED, channels_last=1),
            micro("Upsample", "c", "u", BLOCKED, scales=[1, 1, 2, 2], mode="nearest"),
            micro("ReorderOutput", "u", "y", BLOCKED, channels=3, channels_last=1),
        ],
        [],
        [
            {"type": "permute", "dims": [0, 3, 1, 2]},
            {"type": "upsample", "size": [10, 14]},
            {"type": "permute", "dims": [0, 2, 3, 1]},
        ],
        (2, 10, 14, 3),
        LAST,
    ),
    "a product, its bias and an activation": Case(
        [micro("FusedGemm", "x w b", transB=1, activation="Relu")],
        [weight("w", 11, 7), weight("b", 11)],
        [{"type": "linear", "out_features": 11}, {"type": "relu"}],
        (2, 11),
        ROWS,
    ),
    "a product turned and scaled": Case(
        [micro("FusedMatMul", "x w", alpha=0.5, transB=1)],
        [weight("w", 11, 7)],
        [{"type": "linear", "out_features": 11, "bias": False}, {"type": "scale", "factor": 0.5}],
        (2, 3, 5, 11),
    ),
    "a product of two, one turned": Case(
        [micro("TransposeMatMul", "x x", transA=1)],
        [],
        [{"type": "transpose", "dim0": 2, "dim1": 3}, {"type": "matmul", "inputs": ["transpose1", "x"]}],
        (2, 3, 7, 7),
    ),
    # (B, 5, 7, 3) with its first axis put before the last but one: (5, 7, B, 3).
    "a product with the samples inside": Case(
        [micro("FusedMatMul", "x w", "p", transBatchA=1)],
        [weight("w", 3, 11)],
        [{"type": "permute", "dims": [1, 2, 0, 3]}, {"type": "linear", "out_features": 11, "bias": False}],
        (5, 7, 2, 11),
        LAST,
    ),
    "a product with a softmax": Case(
        [micro("FusedMatMulActivation", "x w", activation="Softmax", activation_axis=-1)],
        [weight("w", 7, 11)],
        [{"type": "linear", "out_features": 11, "bias": False}, {"type": "softmax", "dim": -1}],
        (2, 3, 5, 11),
    ),
    "a product with a gelu": Case(
        [micro("GemmFastGelu", "x w b")],
        [weight("w", 7, 11), weight("b", 11)],
        [{"type": "linear", "out_features": 11}, {"type": "gelu", "approximate": "tanh"}],
        (2, 3, 5, 11),
    ),
    "gelu": like("Gelu", {"type": "gelu"}),
    "fast gelu": like("FastGelu", {"type": "gelu", "approximate": "tanh"}),
    "quick gelu": like(
        "QuickGelu",
        {"type": "scale", "factor": 1.702},
        {"type": "sigmoid"},
        {"type": "mul", "inputs": ["x", "sigmoid1"]},
    ),
    "swish": like("QuickGelu", {"type": "silu"}, alpha=1.0),
    "a bias and gelu": Case(
        [micro("BiasGelu", "x b")],
        [weight("b", 7)],
        [
            {"type": "parameter", "shape": [7], "name": "b"},
            {"type": "add", "inputs": ["x", "b"]},
            {"type": "gelu"},
        ],
        IMAGE,
    ),
    "half of it through gelu": Case(
        [micro("BiasSplitGelu", "x b")],
        [weight("b", 6)],
        [
            {"type": "parameter", "shape": [6], "name": "b"},
            {"type": "add", "inputs": ["x", "b"]},
            {"type": "chunk", "chunks": 2, "dim": -1},
            {"type": "gelu", "inputs": ["chunk1:1"]},
            {"type": "mul", "inputs": ["chunk1", "gelu1"]},
        ],
        (2, 5, 3),
        TOKENS,
    ),
    "a bias, a softmax over two axes": Case(
        [micro("BiasSoftmax", "x x", axis=2, is_inner_broadcast=0)],
        [],
        [
            {"type": "add", "inputs": ["x", "x"]},
            {"type": "flatten", "start_dim": 2},
            {"type": "softmax", "dim": -1},
            {"type": "unflatten", "dim": 2, "unflattened_size": [5, 7]},
        ],
        IMAGE,
    ),
    "a bias, a drop and a sum": Case(
        [micro("BiasDropout", "x b x r")],
        [weight("b", 7), numbers("r", 0.25, FLOAT)],
        [
            {"type": "parameter", "shape": [7], "name": "b"},
            {"type": "add", "inputs": ["x", "b"]},
            {"type": "dropout", "p": 0.25},
            {"type": "add", "inputs": ["dropout1", "x"]},
        ],
        IMAGE,
    ),
    "norm of a sum, which is read again": Case(
        [micro("SkipLayerNormalization", "x x g b", "n _ _ s"), node("Mul", "n s", "y")],
        [weight("g", 6), weight("b", 6)],
        [
            {"type": "add", "inputs": ["x", "x"]},
            {"type": "layer_norm"},
            {"type": "mul", "inputs": ["ln1", "add1"]},
        ],
        (2, 5, 6),
        TOKENS,
    ),
    "root mean square of a sum": Case(
        [micro("SkipSimplifiedLayerNormalization", "x x g b", epsilon=1e-6)],
        [weight("g", 6), weight("b", 6)],
        [
            {"type": "parameter", "shape": [6], "name": "b"},
            {"type": "add", "inputs": ["x", "b"]},
            {"type": "add", "inputs": ["add1", "x"]},
            {"type": "rms_norm", "eps": 1e-6},
        ],
        (2, 5, 6),
        TOKENS,
    ),
    "root mean square": Case(
        [node("SimplifiedLayerNormalization", "x g", "y", epsilon=1e-6)],
        [weight("g", 6)],
        [{"type": "rms_norm", "eps": 1e-6}],
        (2, 5, 6),
        TOKENS,
    ),
    "words, places and segments": Case(
        [micro("EmbedLayerNormalization", "x s w p k g b", "y", epsilon=1e-12)],
        [weight("w", 13, 6), weight("p", 11, 6), weight("k", 2, 6), weight("g", 6), weight("b", 6)],
        [
            {"type": "embedding", "num_embeddings": 13, "embedding_dim": 6},
            {"type": "parameter", "shape": [11, 6], "name": "p"},
            {"type": "slice", "stop": 7, "dim": 0},
            {"type": "add", "inputs": ["emb1", "slice1"]},
            {"type": "embedding", "inputs": ["s"], "num_embeddings": 2, "embedding_dim": 6},
            {"type": "add", "inputs": ["add1", "emb2"]},
            {"type": "layer_norm", "eps": 1e-12},
        ],
        (2, 7, 6),
        {"x": ["N", 7], "s": ["N", 7]},
        dtypes={"x": INT64, "s": INT64},
    ),
    "groups of channels that stand last, with a sum": Case(
        [micro("SkipGroupNorm", "x g b x", groups=3, activation=1)],
        [weight("g", 3), weight("b", 3)],
        [
            {"type": "add", "inputs": ["x", "x"]},
            {"type": "permute", "dims": [0, 3, 1, 2]},
            {"type": "group_norm", "num_groups": 3},
            {"type": "silu"},
            {"type": "permute", "dims": [0, 2, 3, 1]},
        ],
        (2, 5, 7, 3),
        LAST,
    ),
}


def test_what_fills_up_a_block_is_left_out(tmp_path: Path) -> None:
    """Blocks of 8 channels, whose filters lie behind everything else: 11 channels, and 5 more of zeros."""
    kernel = np.zeros((2, 3 * 1 * 1, 8), np.float32)  # two blocks of filters
    kernel[0], kernel[1, :, :3] = 1, 1
    depthwise = np.ones((16, 1, 3, 3), np.float32)
    held = [
        numpy_helper.from_array(kernel.reshape(16, 3, 1, 1), "w"),
        numpy_helper.from_array(np.ones(16, np.float32), "b"),
        numpy_helper.from_array(depthwise, "v"),
        numpy_helper.from_array(np.ones((16, 1, 1, 1), np.float32), "s"),
        numpy_helper.from_array(np.ones(16, np.float32), "t"),
    ]
    nodes = [
        micro("Conv", "x w b", "c", BLOCKED, activation="Relu"),
        micro("Conv", "c v", "d", BLOCKED, group=16, pads=[1, 1, 1, 1]),
        micro("Conv", "d s t", "e", BLOCKED, group=16),
        micro("MaxPool", "e", "p", BLOCKED, kernel_shape=[2, 2]),
        micro("ReorderOutput", "p", "y", BLOCKED, channels=11),
    ]
    layers = [
        {"type": "conv2d", "out_channels": 11, "kernel_size": 1},
        {"type": "relu"},
        {"type": "conv2d", "out_channels": 11, "kernel_size": 3, "padding": 1, "groups": 11, "bias": False},
        {"type": "parameter", "shape": [11, 1, 1, 1], "name": "s"},
        {"type": "view", "shape": [11, 1, 1]},
        {"type": "mul", "inputs": ["conv2", "view1"]},
        {"type": "parameter", "shape": [11], "name": "t"},
        {"type": "view", "shape": [11, 1, 1]},
        {"type": "add", "inputs": ["mul1", "view2"]},
        {"type": "max_pool2d", "kernel_size": 2, "stride": 1},
    ]
    case = Case(nodes, held, layers, (2, 11, 4, 6))
    case.check(imported(tmp_path, model(case)))


def model(case: Case) -> onnx.ModelProto:
    domains = [helper.make_opsetid(domain, 1) for domain in (MICROSOFT, BLOCKED)]
    outputs = [case.nodes[-1].output[0]]
    return model_of(case.nodes, case.inputs, case.held, outputs, case.opset, case.dtypes, opsets=domains)


@pytest.mark.parametrize("name", CASES)
def test_becomes(name: str, tmp_path: Path) -> None:
    CASES[name].check(imported(tmp_path, model(CASES[name])))
