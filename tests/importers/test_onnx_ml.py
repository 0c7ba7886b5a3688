"""Operators of ONNX's domain for classic machine learning, as converters of scikit-learn write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

import archcost
from tests.importers.onnx_files import FLOAT, imported, layers_of, model_of, node, numbers, weight
from tests.importers.test_onnx_operators import ROWS, Case

LEARNING = "ai.onnx.ml"


def learned(kind: str, inputs: str, outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    return node(kind, inputs, outputs, LEARNING, **attributes)


TEXTS = helper.make_tensor("c", onnx.TensorProto.STRING, [3], [b"cat", b"dog", b"eel"])

LABEL: Sequence[onnx.NodeProto] = (
    node("MatMul", "x w", "s"),
    node("ArgMax", "s", "i", axis=1),
    learned("ArrayFeatureExtractor", "c i", "l"),
    node("Reshape", "l all", "y"),
)
OF_LABEL: Sequence[Mapping[str, Any]] = (
    {"type": "linear", "out_features": 3, "bias": False},
    {"type": "argmax", "dim": 1, "keepdim": True},
    {"type": "flatten", "start_dim": 0},
    {"type": "constant", "shape": [3], "dtype": "int64"},
    {"type": "index_select", "inputs": ["constant1", "flatten1"], "dim": -1},
    {"type": "unsqueeze", "dim": 0},
    {"type": "flatten", "start_dim": 0},
)

CASES = {
    "names of classes": Case(LABEL, [weight("w", 7, 3), numbers("all", [-1]), TEXTS], OF_LABEL, (2,), ROWS),
    "numbers of classes": Case(
        LABEL, [weight("w", 7, 3), numbers("all", [-1]), numbers("c", [4, 5, 6])], OF_LABEL, (2,), ROWS
    ),
    "a dictionary for each sample": Case(
        [node("Softmax", "x", "p"), learned("ZipMap", "p", classlabels_int64s=[*range(7)])],
        [],
        [{"type": "softmax", "dim": 1}],
        (2, 7),
        ROWS,
    ),
    "scaled, and by coefficients": Case(
        [
            learned("Scaler", "x", "s", offset=[0.5], scale=[2.0] * 7),
            learned("LinearRegressor", "s", coefficients=[1.0] * 14, intercepts=[0.0, 1.0], targets=2),
        ],
        [],
        [
            {"type": "constant", "shape": [1]},
            {"type": "sub", "inputs": ["x", "constant1"]},
            {"type": "constant", "shape": [7]},
            {"type": "mul", "inputs": ["sub1", "constant2"]},
            {"type": "linear", "out_features": 2},
        ],
        (2, 2),
        ROWS,
    ),
    "how likely the one class of two is": Case(
        [
            learned(
                "LinearClassifier",
                "x",
                "l y",
                coefficients=[1.0] * 7,
                classlabels_ints=[0, 1],
                post_transform="LOGISTIC",
            )
        ],
        [],
        [
            {"type": "linear", "out_features": 1, "bias": False},
            {"type": "rsub"},
            {"type": "concat", "inputs": ["sub1", "LinearClassifier"], "dim": -1},
            {"type": "sigmoid"},
        ],
        (2, 2),
        ROWS,
    ),
    "rows of one length, and their signs": Case(
        [learned("Normalizer", "x", "n", norm="L2"), learned("Binarizer", "n", threshold=0.0)],
        [],
        [
            {"type": "norm", "dim": -1, "keepdim": True},
            {"type": "div", "inputs": ["x", "norm1"]},
            {"type": "gt", "other": 0.0},
            {"type": "cast", "dtype": "float32"},
        ],
        (2, 7),
        ROWS,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_becomes(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    opsets = [helper.make_opsetid(LEARNING, 1)]
    case.check(imported(tmp_path, model_of(case.nodes, case.inputs, case.held, ["y"], opsets=opsets)))


def test_coefficients_of_two_operators_are_two_weights(tmp_path: Path) -> None:
    nodes = [
        learned("LinearRegressor", "x", "a", coefficients=[1.0] * 14, targets=2),
        learned("LinearRegressor", "a", coefficients=[1.0] * 6, targets=3),
    ]
    spec = imported(tmp_path, model_of(nodes, ROWS, opsets=[helper.make_opsetid(LEARNING, 1)]))
    assert [layer["out_features"] for layer in layers_of(spec)] == [2, 3]
    assert archcost.cost(archcost.build(spec, 2)).parameters == 7 * 2 + 2 * 3


def test_trees_have_no_cost(tmp_path: Path) -> None:
    made = [helper.make_tensor_value_info("p", FLOAT, ["N", 2])]
    nodes = [learned("TreeEnsembleRegressor", "x", "p", n_targets=2), node("Relu", "p", "y")]
    model = model_of(nodes, ROWS, value_info=made, opsets=[helper.make_opsetid(LEARNING, 1)])
    cost = archcost.cost(archcost.build(imported(tmp_path, model)))
    assert cost.unknown


def test_a_step_of_training_is_no_network(tmp_path: Path) -> None:
    adam = node("Adam", "r t x g v h", "y w k", "ai.onnx.preview.training")
    inputs = {"r": [], "t": [], **{name: ["N", 7] for name in "xgvh"}}
    with pytest.raises(archcost.ArchcostError, match="a step of training stands in the file"):
        imported(tmp_path, model_of([adam], inputs, opsets=[helper.make_opsetid("ai.onnx.preview.training", 1)]))
