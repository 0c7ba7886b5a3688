"""Operators that torch's exporter does not write, or not so: each by hand, and the layers that it must become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import pytest
from onnx import helper

import archcost
from tests.importers.onnx_files import BOOL, FLOAT, INT64, imported, layers_of, model_of, node, numbers, weight


class Case(NamedTuple):
    """`layers` as the spec has them; `shape` is that of the output for a batch of 2."""

    nodes: Sequence[onnx.NodeProto]
    held: Sequence[onnx.TensorProto]
    layers: Sequence[Mapping[str, Any]]
    shape: tuple[int, ...]
    inputs: Mapping[str, Sequence[int | str]] = {"x": ["N", 3, 5, 7]}
    opset: int = 20
    dtypes: Mapping[str, int] = {}

    def check(self, spec: archcost.ModelSpec) -> None:
        named = any("name" in layer for layer in self.layers)
        found = [
            {key: value for key, value in layer.items() if key != "name" or (named and layer["type"] == "parameter")}
            for layer in layers_of(spec)
        ]
        assert found == list(self.layers)
        assert archcost.build(spec, 2).returned[0].shape == self.shape


ROWS = {"x": ["N", 7]}
IMAGE = (2, 3, 5, 7)
"""Of a batch of 2."""


def same(kind: str, type_: str, opset: int = 20, **fields: Any) -> Case:
    """An operator of one image that a layer is, value by value."""
    attributes = fields.pop("attributes", {})
    return Case([node(kind, "x", "y", **attributes)], [], [{"type": type_, **fields}], IMAGE, opset=opset)


def stated(name: str, *shape: int) -> onnx.NodeProto:
    """Values in the graph itself, each another."""
    count = prod(shape)
    return node("Constant", "", name, value=helper.make_tensor(name, FLOAT, shape, list(range(count))))


CASES = {
    # Convolutions: what padding ONNX knows and torch does not.
    "same padding, even": Case(
        [node("Conv", "x w b", "y", auto_pad="SAME_UPPER", kernel_shape=[3, 3])],
        [weight("w", 11, 3, 3, 3), weight("b", 11)],
        [{"type": "conv2d", "out_channels": 11, "kernel_size": 3, "padding": 1}],
        (2, 11, 5, 7),
    ),
    "same padding, uneven": Case(
        # Height 5 by strides of 2: 3 rows, which need (3 - 1)*2 + 2 = 6; width 7: 4 columns, which need 8.
        [node("Conv", "x w", "y", auto_pad="SAME_LOWER", strides=[2, 2])],
        [weight("w", 11, 3, 2, 2)],
        [
            {"type": "pad", "pad": [1, 0, 1, 0]},
            {"type": "conv2d", "out_channels": 11, "kernel_size": 2, "stride": 2, "bias": False},
        ],
        (2, 11, 3, 4),
    ),
    "cropped before": Case(
        [node("Conv", "x w", "y", pads=[-1, 0, 0, 0])],
        [weight("w", 11, 3, 1, 1)],
        [
            {"type": "pad", "pad": [0, 0, -1, 0]},
            {"type": "conv2d", "out_channels": 11, "kernel_size": 1, "bias": False},
        ],
        (2, 11, 4, 7),
    ),
    "in groups": Case(
        [node("Conv", "x w", "y", group=3, dilations=[1, 2])],
        [weight("w", 6, 1, 3, 3)],
        [
            {
                "type": "conv2d",
                "out_channels": 6,
                "kernel_size": 3,
                "dilation": [1, 2],
                "groups": 3,
                "bias": False,
            }
        ],
        (2, 6, 3, 3),
    ),
    "transposed, cut": Case(
        # (5 - 1)*2 + 3 = 11 rows less 0 + 1, (7 - 1)*2 + 3 = 15 columns less 1 + 0
        [node("ConvTranspose", "x w", "y", strides=[2, 2], pads=[0, 1, 1, 0])],
        [weight("w", 3, 11, 3, 3)],
        [
            {"type": "conv_transpose2d", "out_channels": 11, "kernel_size": 3, "stride": 2, "bias": False},
            {"type": "pad", "pad": [-1, 0, 0, -1]},
        ],
        (2, 11, 10, 14),
    ),
    "a weight that is computed": Case(
        [node("Mul", "w s", "v"), node("Conv", "x v", "y")],
        [weight("w", 11, 3, 1, 1), weight("s", 11, 1, 1, 1)],
        [
            {"type": "parameter", "shape": [11, 3, 1, 1], "name": "w"},
            {"type": "parameter", "shape": [11, 1, 1, 1], "name": "s"},
            {"type": "mul", "inputs": ["w", "s"]},
            {
                "type": "conv2d",
                "inputs": ["x"],
                "given": {"weight": "mul1"},
                "out_channels": 11,
                "kernel_size": 1,
                "bias": False,
            },
        ],
        (2, 11, 5, 7),
    ),
    # Products.
    "gemm, turned and scaled": Case(
        [node("Gemm", "x w c", "y", transB=1, alpha=0.5, beta=2.0)],
        [weight("w", 11, 7), weight("c", 11)],
        [
            {"type": "linear", "out_features": 11, "bias": False},
            {"type": "scale", "factor": 0.5},
            {"type": "parameter", "shape": [11], "name": "c"},
            {"type": "scale", "factor": 2.0},
            {"type": "add", "inputs": ["scale1", "scale2"]},
        ],
        (2, 11),
        ROWS,
    ),
    "a matrix product and its bias": Case(
        [node("MatMul", "x w", "p"), node("Add", "b p", "y")],
        [weight("fc.weight", 11, 7), weight("w", 7, 11), weight("fc.bias", 11), weight("b", 11)],
        [{"type": "linear", "out_features": 11}],
        (2, 3, 5, 11),
    ),
    "a product read twice has no bias of its own": Case(
        [node("MatMul", "x w", "p"), node("Add", "p b", "q"), node("Mul", "p q", "y")],
        [weight("w", 7, 11), weight("b", 11)],
        [
            {"type": "linear", "out_features": 11, "bias": False},
            {"type": "parameter", "shape": [11], "name": "b"},
            {"type": "add", "inputs": ["fc1", "b"]},
            {"type": "mul", "inputs": ["fc1", "add1"]},
        ],
        (2, 3, 5, 11),
    ),
    "two tensors": Case(
        [node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("MatMul", "x t", "y")],
        [],
        [{"type": "permute", "dims": [0, 1, 3, 2]}, {"type": "matmul", "inputs": ["x", "permute1"]}],
        (2, 3, 5, 5),
    ),
    "einsum with an ellipsis": Case(
        [node("Einsum", "x x", "y", equation="...ij,...kj->...ik")],
        [],
        [{"type": "einsum", "inputs": ["x", "x"], "equation": "ABij,ABkj->ABik"}],
        (2, 3, 5, 5),
    ),
    # Values in pairs with a number.
    "half of it": Case(
        [node("Div", "x two", "y")], [numbers("two", 2.0, FLOAT)], [{"type": "scale", "factor": 0.5}], IMAGE
    ),
    "one less it": Case([node("Sub", "one x", "y")], [numbers("one", 1.0, FLOAT)], [{"type": "rsub"}], IMAGE),
    "one over it": Case([node("Div", "one x", "y")], [numbers("one", 1.0, FLOAT)], [{"type": "reciprocal"}], IMAGE),
    "what a division leaves": Case(
        [node("Mod", "x x", "a"), node("Mod", "a x", "y", fmod=1)],
        [],
        [{"type": "remainder", "inputs": ["x", "x"]}, {"type": "fmod", "inputs": ["remainder1", "x"]}],
        IMAGE,
    ),
    "at most six": Case(
        [node("Min", "x six", "y")], [numbers("six", 6.0, FLOAT)], [{"type": "clamp", "max": 6.0}], IMAGE
    ),
    "two to it": Case(
        [node("Pow", "two x", "y")],
        [numbers("two", 2.0, FLOAT)],
        [{"type": "scale", "factor": 0.6931471805599453}, {"type": "exp"}],  # log 2
        IMAGE,
    ),
    "to the power of itself": Case(
        [node("Pow", "x x", "y")], [], [{"type": "pow_tensor", "inputs": ["x", "x"]}], IMAGE
    ),
    "no less than a number": Case(
        [node("Less", "one x", "y")], [numbers("one", 1.0, FLOAT)], [{"type": "gt", "other": 1.0}], IMAGE
    ),
    "filled where a mask holds": Case(
        [node("Greater", "x zero", "m"), node("Where", "m low x", "y")],
        [numbers("zero", 0.0, FLOAT), numbers("low", float("-inf"), FLOAT)],
        [
            {"type": "gt", "other": 0.0},
            {"type": "masked_fill", "inputs": ["x", "gt1"], "value": -3.4028234663852886e38},
        ],
        IMAGE,
    ),
    "filled where it does not": Case(
        [node("Greater", "x zero", "m"), node("Where", "m x zero", "y")],
        [numbers("zero", 0.0, FLOAT)],
        [
            {"type": "gt", "other": 0.0},
            {"type": "logical_not"},
            {"type": "masked_fill", "inputs": ["x", "not1"], "value": 0.0},
        ],
        IMAGE,
    ),
    # Settings where older files have them.
    "relu6 of old": same("Clip", "relu6", opset=6, attributes={"min": 0.0, "max": 6.0}),
    "a bound below": same("Clip", "clamp", opset=6, min=0.5, attributes={"min": 0.5}),
    "softmax of old over two axes": Case(
        [node("Softmax", "x", "y", axis=2)],
        [],
        [
            {"type": "flatten", "start_dim": 2},
            {"type": "softmax", "dim": -1},
            {"type": "unflatten", "dim": 2, "unflattened_size": [5, 7]},
        ],
        IMAGE,
        opset=11,
    ),
    "squeezed of old": Case(
        [node("ReduceMean", "x", "m", axes=[2, 3]), node("Squeeze", "m", "y", axes=[2, 3])],
        [],
        [{"type": "mean", "dim": [2, 3], "keepdim": True}, {"type": "squeeze", "dim": [2, 3]}],
        (2, 3),
        opset=11,
    ),
    "sliced of old": Case(
        [node("Slice", "x", "y", starts=[1, 0], ends=[5, 6], axes=[2, 3])],
        [],
        [{"type": "slice", "start": 1, "dim": 2}, {"type": "slice", "stop": 6, "dim": 3}],
        (2, 3, 4, 6),
        opset=9,
    ),
    "enlarged of old": Case(
        [node("Upsample", "x s", "y", mode="nearest")],
        [numbers("s", [1.0, 1.0, 2.0, 3.0], FLOAT)],
        [{"type": "upsample", "size": [10, 21]}],
        (2, 3, 10, 21),
        opset=9,
    ),
    "dropped of old": same("Dropout", "dropout", opset=7, p=0.25, attributes={"ratio": 0.25}),
    # Moving.
    "backwards": Case(
        [node("Slice", "x a b c d", "y")],
        [numbers("a", [-1]), numbers("b", [-(2**63) + 1]), numbers("c", [3]), numbers("d", [-1])],
        [{"type": "flip", "dims": [3]}],
        IMAGE,
    ),
    "every second": Case(
        [node("Slice", "x a b c d", "y")],
        [numbers("a", [1]), numbers("b", [2**63 - 1]), numbers("c", [-1]), numbers("d", [2])],
        [{"type": "slice", "start": 1, "step": 2, "dim": 3}],
        (2, 3, 5, 3),
    ),
    "padded along named axes": Case(
        [node("Pad", "x p _ a", "y", mode="edge")],
        [numbers("p", [1, 2]), numbers("a", [3])],
        [{"type": "pad", "pad": [1, 2, 0, 0], "mode": "replicate"}],
        (2, 3, 5, 10),
    ),
    "samples of sound mirrored": Case(
        [node("Pad", "x p", "y", mode="reflect")],
        [numbers("p", [0, 2, 0, 3])],
        [
            {"type": "unsqueeze", "dim": 1},
            {"type": "pad", "pad": [2, 3], "mode": "reflect"},
            {"type": "squeeze", "dim": 1},
        ],
        (2, 12),
        ROWS,
    ),
    "flattened from behind": Case(
        [node("Flatten", "x", "y", axis=-2)], [], [{"type": "view", "shape": [-1, 35]}], (6, 35)
    ),
    "one position": Case(
        [node("Gather", "x i", "y", axis=1)], [numbers("i", 2)], [{"type": "select", "index": 2}], (2, 5, 7)
    ),
    "a run of positions": Case(
        [node("Gather", "x i", "y", axis=2)],
        [numbers("i", [1, 2, 3])],
        [{"type": "slice", "start": 1, "stop": 4, "dim": 2}],
        (2, 3, 3, 7),
    ),
    "positions in any order": Case(
        [node("Gather", "x i", "y", axis=2)],
        [numbers("i", [4, 0])],
        [
            {"type": "constant", "shape": [2], "dtype": "int64"},
            {"type": "index_select", "inputs": ["x", "constant1"], "dim": 2},
        ],
        (2, 3, 2, 7),
    ),
    "uneven pieces": Case(
        [node("Split", "x s", "a b", axis=3), node("Concat", "b a", "y", axis=-1)],
        [numbers("s", [2, 5])],
        [
            {"type": "split", "split_size": [2, 5], "dim": 3},
            {"type": "concat", "inputs": ["split1:1", "split1"], "dim": 3},
        ],
        IMAGE,
    ),
    "pieces of a sequence": Case(
        [
            node("SplitToSequence", "x s", "q", axis=3),
            node("SequenceAt", "q i", "a"),
            node("SequenceAt", "q j", "b"),
            node("Add", "a b", "y"),
        ],
        [numbers("s", [3, 3, 1]), numbers("i", 0), numbers("j", 1)],
        [{"type": "split", "split_size": [3, 3, 1], "dim": 3}, {"type": "add", "inputs": ["split1", "split1:1"]}],
        (2, 3, 5, 3),
    ),
    "samples split": Case(
        [node("Split", "x", "a b", axis=0, num_outputs=2), node("Identity", "b", "y")],
        [],
        [{"type": "chunk", "chunks": 2}],
        (1, 3, 5, 7),
    ),
    "space to depth": Case(
        [node("SpaceToDepth", "x", "y", blocksize=2)],
        [],
        [{"type": "pixel_unshuffle", "downscale_factor": 2}],
        (2, 12, 3, 2),
        {"x": ["N", 3, 6, 4]},
    ),
    # Shapes that are worked out.
    "flattened by its own sizes": Case(
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n"),
            node("Unsqueeze", "n first", "n1"),
            node("Concat", "n1 rest", "t", axis=0),
            node("Reshape", "x t", "y"),
        ],
        [numbers("zero", 0), numbers("first", [0]), numbers("rest", [-1])],
        [{"type": "flatten"}],
        (2, 105),
    ),
    "samples among rows": Case(
        [node("Transpose", "x", "t", perm=[2, 0, 1, 3]), node("Reshape", "t s", "y")],
        [numbers("s", [5, -1, 3])],
        [{"type": "permute", "dims": [2, 0, 1, 3]}, {"type": "view", "shape": [5, -1, 3]}],
        (5, 14, 3),
    ),
    "expanded to the batch": Case(
        [
            node("Shape", "x", "n", start=0, end=1),
            node("Concat", "n rest", "s", axis=0),
            node("Expand", "w s", "e"),
            node("Concat", "e x", "y", axis=1),
        ],
        [weight("w", 1, 1, 7), numbers("rest", [-1, 7]), numbers("one", [1])],
        [
            {"type": "parameter", "shape": [1, 1, 7], "name": "w"},
            {"type": "expand_batch", "inputs": ["w", "x"], "size": [1, -1, -1]},
            {"type": "concat", "inputs": ["expand1", "x"]},
        ],
        (2, 6, 7),
        {"x": ["N", 5, 7]},
    ),
    "zeros for each sample": Case(
        [
            node("Shape", "x", "n", start=0, end=1),
            node("Concat", "n rest", "s", axis=0),
            node("ConstantOfShape", "s", "z"),
            node("Concat", "x z", "y", axis=1),
        ],
        [numbers("rest", [2, 7])],
        [
            {"type": "constant", "inputs": ["x"], "shape": [1, 2, 7]},
            {"type": "concat", "inputs": ["x", "constant1"]},
        ],
        (2, 7, 7),
        {"x": ["N", 5, 7]},
    ),
    "a branch that shapes decide": Case(
        [
            node("Shape", "x", "s"),
            node("Size", "s", "r"),
            node("Equal", "r four", "c"),
            helper.make_node(
                "If",
                ["c"],
                ["y"],
                then_branch=helper.make_graph(
                    [node("Relu", "x", "t")], "then", [], [helper.make_empty_tensor_value_info("t")]
                ),
                else_branch=helper.make_graph(
                    [node("Exp", "x", "e")], "else", [], [helper.make_empty_tensor_value_info("e")]
                ),
            ),
        ],
        [numbers("four", 4)],
        [{"type": "relu"}],
        IMAGE,
    ),
    # Norms.
    "a norm without weights": Case(
        [node("Expand", "one c", "w"), node("Expand", "zero c", "b"), node("InstanceNormalization", "x w b", "y")],
        [numbers("one", 1.0, FLOAT), numbers("zero", 0.0, FLOAT), numbers("c", [3])],
        [{"type": "instance_norm2d"}],
        IMAGE,
    ),
    "a norm with a scale alone": Case(
        [node("Expand", "zero c", "b"), node("BatchNormalization", "x w b m v", "y")],
        [weight("w", 3), weight("m", 3), weight("v", 3), numbers("zero", 0.0, FLOAT), numbers("c", [3])],
        [
            {"type": "constant", "shape": [3]},
            {"type": "batch_norm2d", "inputs": ["x"], "given": {"bias": "constant1"}},
        ],
        IMAGE,
    ),
    "a norm by the batch's own statistics": Case(
        [
            node("ReduceMean", "x a", "m", keepdims=0),
            node("Mul", "x x", "q"),
            node("ReduceMean", "q a", "v", keepdims=0),
            node("BatchNormalization", "x w b m v", "y"),
        ],
        [weight("w", 3), weight("b", 3), numbers("a", [0, 2, 3])],
        [{"type": "batch_norm2d", "track_running_stats": False}],
        IMAGE,
    ),
    "a norm and its statistics": Case(
        [node("LayerNormalization", "x w b", "n m s"), node("Mul", "n s", "p"), node("Add", "p m", "y")],
        [weight("w", 7), weight("b", 7)],
        [
            {"type": "layer_norm"},
            {"type": "mean", "inputs": ["x"], "dim": [3], "keepdim": True},
            {"type": "var", "inputs": ["x"], "dim": [3], "keepdim": True, "correction": 0},
            {"type": "scale", "shift": 1e-05},
            {"type": "rsqrt"},
            {"type": "mul", "inputs": ["ln1", "rsqrt1"]},
            {"type": "add", "inputs": ["mul1", "mean1"]},
        ],
        IMAGE,
    ),
    "unit vectors": Case(
        [node("LpNormalization", "x", "y", axis=1, p=1)],
        [],
        [
            {"type": "norm", "dim": 1, "keepdim": True, "ord": 1},
            {"type": "div", "inputs": ["x", "norm1"]},
        ],
        IMAGE,
    ),
    # Pools.
    "padded by more than half a window": Case(
        [node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[2, 2, 2, 2])],
        [],
        [
            {"type": "pad", "pad": [2, 2, 2, 2]},
            {"type": "avg_pool2d", "kernel_size": 3, "stride": 1, "count_include_pad": False},
        ],
        (2, 3, 7, 9),
    ),
    "a root of cubes": Case(
        [node("LpPool", "x", "y", kernel_shape=[2, 2], p=3)],
        [],
        [
            {"type": "abs"},
            {"type": "pow", "exponent": 3.0},
            {"type": "avg_pool2d", "kernel_size": 2, "stride": 1},
            {"type": "scale", "factor": 4.0},
            {"type": "pow", "exponent": 1 / 3},
        ],
        (2, 3, 4, 6),
    ),
    "a root of all squares": Case(
        [node("GlobalLpPool", "x", "y")],
        [],
        [
            {"type": "pow", "exponent": 2.0},
            {"type": "sum", "dim": [2, 3], "keepdim": True},
            {"type": "pow", "exponent": 0.5},
        ],
        (2, 3, 1, 1),
    ),
    "transposed to as many times the size": Case(
        # (5 - 1)*2 + 3 = 11 rows less one, (7 - 1)*2 + 3 = 15 columns less one
        [node("ConvTranspose", "x w", "y", strides=[2, 2], auto_pad="SAME_UPPER")],
        [weight("w", 3, 11, 3, 3)],
        [
            {"type": "conv_transpose2d", "out_channels": 11, "kernel_size": 3, "stride": 2, "bias": False},
            {"type": "pad", "pad": [0, -1, 0, -1]},
        ],
        (2, 11, 10, 14),
    ),
    # Resizing.
    "enlarged with the channels last": Case(
        [node("Resize", "x _ _ s", "y", mode="linear")],
        [numbers("s", [2, 6, 10, 7])],
        [
            {"type": "permute", "dims": [0, 3, 1, 2]},
            {"type": "upsample", "size": [6, 10], "mode": "bilinear", "align_corners": False},
            {"type": "permute", "dims": [0, 2, 3, 1]},
        ],
        (2, 6, 10, 7),
        {"x": [2, 3, 5, 7]},
    ),
    # 5·14/7 = 10 rows for 14 columns.
    "enlarged as far as the shape allows": Case(
        [node("Resize", "x _ _ s", "y", mode="nearest", axes=[2, 3], keep_aspect_ratio_policy="not_larger")],
        [numbers("s", [12, 14])],
        [{"type": "upsample", "size": [10, 14]}],
        (2, 3, 10, 14),
    ),
    # Products by letters.
    "einsum of three": Case(
        [node("Einsum", "x w v", "y", equation="ncij,jk,kc->nci")],
        [weight("w", 7, 2), weight("v", 2, 3)],
        [
            {"type": "parameter", "shape": [7, 2], "name": "w"},
            {"type": "einsum", "inputs": ["x", "w"], "equation": "ncij,jk->cikn"},
            {"type": "parameter", "shape": [2, 3], "name": "v"},
            {"type": "einsum", "inputs": ["einsum1", "v"], "equation": "cikn,kc->nci"},
        ],
        (2, 3, 5),
    ),
    "einsum of one, of a diagonal": Case(
        [node("Einsum", "x", "y", equation="...ii->...i")],
        [],
        [{"type": "diagonal", "dim1": 2, "dim2": 3}],
        (2, 3, 5),
        {"x": ["N", 3, 5, 5]},
    ),
    "einsum to a single value a sample": Case(
        [node("Einsum", "x", "y", equation="nchw->n")],
        [],
        [{"type": "sum", "dim": [1, 2, 3]}],
        (2,),
    ),
    # Classes, places, running values.
    "the largest of the channels": Case(
        [node("Hardmax", "x", "y", axis=1)],
        [],
        [
            {"type": "argmax", "dim": 1},
            {"type": "one_hot", "num_classes": 3},
            {"type": "permute", "dims": [0, 3, 1, 2]},
            {"type": "cast", "dtype": "float32"},
        ],
        IMAGE,
    ),
    "the positions that a mask keeps": Case(
        [node("Compress", "x m", "y", axis=1)],
        [numbers("m", [True, False, True], BOOL)],
        [
            {"type": "constant", "shape": [2], "dtype": "int64"},
            {"type": "index_select", "inputs": ["x", "constant1"], "dim": 1},
        ],
        (2, 2, 5, 7),
    ),
    "keys into a buffer": Case(
        [node("Slice", "x a b c", "u"), node("TensorScatter", "x u", "y")],
        [numbers("a", [1]), numbers("b", [3]), numbers("c", [2])],
        [
            {"type": "slice", "start": 1, "stop": 3, "dim": 2},
            {"type": "constant", "inputs": ["x"], "shape": [1, 3, 2, 7], "dtype": "int64"},
            {"type": "scatter", "inputs": ["x", "constant1", "slice1"], "dim": 2},
        ],
        IMAGE,
        opset=24,
    ),
    "steps backwards": Case(
        [node("ReverseSequence", "x n", "y", batch_axis=0, time_axis=1)],
        [],
        [{"type": "flip", "dims": [1]}],
        (2, 7),
        {"x": ["N", 7], "n": ["N"]},
        dtypes={"n": INT64},
    ),
    "sums of what came before": Case(
        [node("CumSum", "x a", "y", exclusive=1)],
        [numbers("a", 1)],
        [
            {"type": "slice", "stop": -1},
            {"type": "pad", "pad": [1, 0], "value": 0.0},
            {"type": "cumsum", "dim": 1},
        ],
        (2, 7),
        ROWS,
    ),
    "a product over two axes": Case(
        [node("ReduceProd", "x a", "y", keepdims=0)],
        [numbers("a", [1, 3])],
        [{"type": "prod", "dim": 3}, {"type": "prod", "dim": 1}],
        (2, 5),
    ),
    "some of them backwards": Case(
        [node("Slice", "x a b c d", "y")],
        [numbers("a", [5]), numbers("b", [0]), numbers("c", [3]), numbers("d", [-2])],
        [{"type": "flip", "dims": [3]}, {"type": "slice", "start": 1, "step": 2, "dim": 3}],
        (2, 3, 5, 3),  # 5, 3, 1
    ),
    "nothing beside it": Case(
        [node("Split", "x s", "a b", axis=1), node("Concat", "b a", "y", axis=1)],
        [numbers("s", [3, 0])],
        [{"type": "identity"}],
        IMAGE,
    ),
    "a sequence that grows and shrinks": Case(
        [
            node("SequenceConstruct", "x x", "p"),
            node("Exp", "x", "e"),
            node("SequenceInsert", "p e zero", "q"),
            node("SequenceErase", "q one", "r"),
            node("ConcatFromSequence", "r", "y", axis=1),
        ],
        [numbers("zero", 0), numbers("one", 1)],
        [{"type": "exp"}, {"type": "concat", "inputs": ["exp1", "x"]}],
        (2, 6, 5, 7),
    ),
    "dropped, with its mask": Case(
        [node("Dropout", "x", "d m"), node("Where", "m d x", "y")],
        [],
        [
            {"type": "dropout"},
            {"type": "constant", "inputs": ["x"], "shape": [1, 3, 5, 7], "dtype": "bool"},
            {"type": "where", "inputs": ["constant1", "dropout1", "x"]},
        ],
        IMAGE,
    ),
    # Two slices of 7 - 3 columns.
    "a mean of values that lie apart": Case(
        [node("AveragePool", "x", "y", kernel_shape=[1, 2], dilations=[1, 3])],
        [],
        [
            {"type": "slice", "stop": 4, "dim": 3},
            {"type": "slice", "inputs": ["x"], "start": 3, "dim": 3},
            {"type": "add", "inputs": ["slice1", "slice2"]},
            {"type": "scale", "factor": 0.5},
        ],
        (2, 3, 5, 4),
    ),
    "added at positions of two axes": Case(
        [
            node("Unsqueeze", "p zero", "i"),
            node("ReduceMax", "x zero", "u"),
            node("ScatterND", "t i u", "y", reduction="add"),
        ],
        [weight("t", 3, 5, 7), numbers("p", [1, 2]), numbers("zero", [0])],
        [
            {"type": "amax", "dim": 0, "keepdim": True},
            {"type": "parameter", "shape": [3, 5, 7], "name": "t"},
            {"type": "view", "shape": [15, 7]},
            {"type": "constant", "shape": [1], "dtype": "int64"},
            {"type": "index_add", "inputs": ["view1", "constant1", "amax1"], "dim": 0},
            {"type": "unflatten", "dim": 0, "unflattened_size": [3, 5]},
        ],
        (3, 5, 7),
        ROWS,
    ),
    "a position of each sample": Case(
        [node("GatherND", "x i", "y", batch_dims=1)],
        [],
        [
            {"type": "select", "inputs": ["i"], "index": 0, "dim": -1},
            {"type": "constant", "inputs": ["x"], "shape": [1], "dtype": "int64"},
            {"type": "index", "inputs": ["x", "constant1", "select1"], "dims": [0, 1]},
        ],
        (2, 7),
        {"x": ["N", 5, 7], "i": ["N", 1]},
        dtypes={"i": INT64},
    ),
    "into eight bits and back": Case(
        [node("Cast", "x", "q", to=onnx.TensorProto.FLOAT8E4M3FN), node("Cast", "q", "y", to=FLOAT)],
        [],
        [{"type": "cast", "dtype": "float8_e4m3fn"}, {"type": "cast", "dtype": "float32"}],
        IMAGE,
    ),
    "out of four bits": Case(
        [node("Cast", "x", "y", to=FLOAT)],
        [],
        [{"type": "cast", "dtype": "float32"}],
        (2, 7),
        ROWS,
        dtypes={"x": onnx.TensorProto.INT4},
    ),
    # Transforms.
    "half a transform of real numbers": Case(
        [node("DFT", "x _ a", "y", onesided=1)],
        [numbers("a", 1)],
        [{"type": "squeeze", "dim": 2}, {"type": "rfft", "dim": [1]}, {"type": "view_as_real"}],
        (2, 5, 2),
        {"x": ["N", 8, 1]},
    ),
    "a longer transform of complex numbers": Case(
        [node("DFT", "x n", "y", inverse=1)],
        [numbers("n", 8)],
        [
            {"type": "pad", "pad": [0, 0, 0, 3]},
            {"type": "view_as_complex"},
            {"type": "fft", "dim": [1]},
            {"type": "view_as_real"},
        ],
        (2, 8, 2),
        {"x": ["N", 5, 2]},
    ),
    "frames of a sound": Case(
        [node("STFT", "x s w", "y")],
        [numbers("s", 4), numbers("w", [0.5] * 8, FLOAT)],
        [
            {"type": "squeeze", "dim": 2},
            {"type": "tensor_unfold", "dimension": 1, "size": 8, "step": 4},
            {"type": "constant", "shape": [8]},
            {"type": "mul", "inputs": ["slices1", "constant1"]},
            {"type": "rfft"},
            {"type": "view_as_real"},
        ],
        (2, 3, 5, 2),
        {"x": ["N", 16, 1]},
    ),
    # By ONNX's own definition of an operator without a layer.
    "its definition": Case(
        [node("MeanVarianceNormalization", "x", "y", axes=[2, 3])],
        [],
        [
            {"type": "mean", "dim": [2, 3], "keepdim": True},
            {"type": "pow", "exponent": 2.0},
            {"type": "pow", "inputs": ["x"], "exponent": 2.0},
            {"type": "mean", "dim": [2, 3], "keepdim": True},
            {"type": "sub", "inputs": ["mean2", "pow1"]},
            {"type": "sqrt"},
            {"type": "sub", "inputs": ["x", "mean1"]},
            {"type": "scale", "inputs": ["sqrt1"], "shift": 1e-09},
            {"type": "div", "inputs": ["sub2", "scale1"]},
        ],
        IMAGE,
    ),
    # Recurrence: W (D, 4·H, 7), R (D, 4·H, H), B (D, 8·H) of 2 directions and 3 states.
    "both directions": Case(
        [node("LSTM", "x w r b", "y", direction="bidirectional", hidden_size=3)],
        [weight("w", 2, 12, 7), weight("r", 2, 12, 3), weight("b", 2, 24)],
        [
            {"type": "lstm", "hidden_size": 3, "batch_first": False, "bidirectional": True},
            {"type": "unflatten", "dim": 2, "unflattened_size": [2, 3]},
            {"type": "permute", "dims": [0, 2, 1, 3]},
        ],
        (2, 2, 5, 3),
        {"x": ["N", 5, 7]},
    ),
    # Weights in the graph itself, without the axis of directions: numbers that are known, and weights all the same.
    "recurrent weights that are constants": Case(
        [
            *(stated("w", 12, 7), stated("r", 12, 3), stated("b", 12), stated("c", 12)),
            *(node("Unsqueeze", f"{name} first", f"{name}1") for name in "wr"),
            node("Concat", "b c", "bc", axis=0),
            node("Unsqueeze", "bc first", "b1"),
            node("LSTM", "x w1 r1 b1", "_ y", hidden_size=3),
        ],
        [numbers("first", [0])],
        [{"type": "lstm", "hidden_size": 3, "batch_first": False}],
        (1, 5, 3),
        {"x": ["N", 5, 7]},
    ),
    "the last state alone": Case(
        [node("GRU", "x w r", "_ y", hidden_size=3, linear_before_reset=1)],
        [weight("w", 1, 9, 7), weight("r", 1, 9, 3)],
        [{"type": "gru", "hidden_size": 3, "bias": False, "batch_first": False}],
        (1, 5, 3),
        {"x": ["N", 5, 7]},
    ),
    # Indices and truth.
    "rows of a table": Case(
        [node("Gather", "t x", "y")],
        [weight("emb.weight", 11, 13), weight("t", 11, 13)],
        [{"type": "embedding", "num_embeddings": 11, "embedding_dim": 13}],
        (2, 7, 13),
        ROWS,
        dtypes={"x": INT64},
    ),
    "written over two rows": Case(
        [
            node("Transpose", "x", "t"),
            node("Gather", "t j", "u", axis=0),
            node("Unsqueeze", "i last", "k"),
            node("ScatterND", "t k u", "y"),
        ],
        [numbers("j", [3, 4]), numbers("i", [0, 5]), numbers("last", [1])],
        [
            {"type": "permute", "dims": [1, 0]},
            {"type": "slice", "start": 3, "stop": 5, "dim": 0},
            {"type": "clone", "inputs": ["permute1"]},
            {"type": "constant", "shape": [2], "dtype": "int64"},
            {"type": "write", "inputs": ["clone1", "slice1", "constant1"], "dims": [0]},
        ],
        (7, 2),
        ROWS,
    ),
    "added at an index": Case(
        [
            node("ArgMax", "x", "i", axis=1),
            node("ReduceMax", "x a", "m"),
            node("ScatterElements", "x i m", "y", axis=1, reduction="add"),
        ],
        [numbers("a", [1])],
        [
            {"type": "argmax", "dim": 1, "keepdim": True},
            {"type": "amax", "inputs": ["x"], "dim": 1, "keepdim": True},
            {"type": "scatter_add", "inputs": ["x", "argmax1", "amax1"], "dim": 1},
        ],
        (2, 7),
        ROWS,
    ),
    "in order": Case(
        [node("TopK", "x k", "y i")],
        [numbers("k", [7])],
        [{"type": "sort", "dim": 1, "descending": True}],
        (2, 7),
        ROWS,
    ),
    "whether any holds": Case(
        [node("ReduceMax", "x a", "y", keepdims=0)],
        [numbers("a", [1])],
        [{"type": "any", "dim": 1}],
        (2,),
        ROWS,
        dtypes={"x": BOOL},
    ),
    "classes of two numbers": Case(
        [node("OneHot", "x d v", "y")],
        [numbers("d", 5), numbers("v", [0.0, 1.0], FLOAT)],
        [{"type": "one_hot", "num_classes": 5}, {"type": "cast", "dtype": "float32"}],
        (2, 7, 5),
        ROWS,
        dtypes={"x": INT64},
    ),
    "the remainder of integers": Case(
        [node("Mod", "x n", "y")],
        [numbers("n", [3])],
        [
            {
                "type": "integers",
                "inputs": ["x", "x"],
                "op": "Mod",
                "shapes": [[1, 7]],
                "dtypes": ["int64"],
                "batch_dims": [0],
            }
        ],
        (2, 7),
        ROWS,
        dtypes={"x": INT64},
    ),
    "without a layer": Case(
        [node("Det", "x", "y")],
        [],
        [
            {
                "type": "opaque",
                "inputs": ["x", "x"],
                "op": "Det",
                "shapes": [[1, 3]],
                "dtypes": ["float32"],
                "batch_dims": [0],
            }
        ],
        (2, 3),
        {"x": ["N", 3, 5, 5]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_becomes(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    model = model_of(case.nodes, case.inputs, case.held, opset=case.opset, dtypes=case.dtypes, outputs=["y"])
    case.check(imported(tmp_path, model))


def test_an_output_that_no_layer_puts_out(tmp_path: Path) -> None:
    nodes = [node("EyeLike", "x", "y", dtype=onnx.TensorProto.UINT64)]
    with pytest.raises(archcost.ArchcostError, match="an output of the network cannot be told"):
        imported(tmp_path, model_of(nodes, ROWS))
