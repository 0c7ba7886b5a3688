"""Operators whose settings the network computes, in files that tell the shapes of their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

import archcost
from tests.importers.onnx_files import FLOAT, INT64, imported, layers_of, model_of, node

SIZES = {"s": INT64}

CASES: Mapping[str, tuple[str, str, Mapping[str, Any], Sequence[int | str], list[dict[str, Any]]]] = {
    "a shape": ("Reshape", "x s", {}, ["N", 35, 3], [{"type": "reshape", "shape": [35, 3]}]),
    "axes of a sum": (
        "ReduceSum",
        "x s",
        {"keepdims": 0},
        ["N", 3, 7],
        [{"type": "sum", "dim": 2}],
    ),
    "axes that stay": ("ReduceMax", "x s", {}, ["N", 1, 5, 1], [{"type": "amax", "dim": [1, 3], "keepdim": True}]),
    "sizes": (
        "Resize",
        "x _ _ s",
        {"mode": "linear"},
        ["N", 3, 10, 9],
        [{"type": "upsample", "size": [10, 9], "mode": "bilinear", "align_corners": False}],
    ),
    "starts and ends": (
        "Slice",
        "x s s",
        {},
        ["N", 3, 4, 2],
        [{"type": "slice", "stop": 4, "dim": 2}, {"type": "slice", "stop": 2, "dim": 3}],
    ),
    "how much is filled up": ("Pad", "x s", {}, ["N", 3, 6, 10], [{"type": "pad", "pad": [0, 3, 0, 1]}]),
    "an axis": ("CumSum", "x s", {}, ["N", 3, 5, 7], [{"type": "cumsum", "dim": 3}]),
    "how many are wanted": ("TopK", "x s", {"axis": 1}, ["N", 2, 5, 7], [{"type": "topk", "k": 2, "dim": 1}]),
}


@pytest.mark.parametrize("name", CASES)
def test_its_shapes_tell_its_cost(name: str, tmp_path: Path) -> None:
    kind, inputs, attributes, shape, layers = CASES[name]
    outputs = "y i" if kind == "TopK" else "y"
    made = helper.make_tensor_value_info("y", FLOAT, shape), helper.make_tensor_value_info("i", INT64, shape)
    model = model_of(
        [node(kind, inputs, outputs, **attributes), node("Identity", "y", "z")],
        {"x": ["N", 3, 5, 7], "s": [] if kind == "CumSum" else [len(shape)]},
        dtypes=SIZES,
        value_info=made[: len(outputs.split())],
    )
    spec = imported(tmp_path, model)
    assert [{key: layer[key] for key in layer if key != "name"} for layer in layers_of(spec)] == layers
    assert archcost.build(spec, 2).returned[0].shape == tuple(2 if size == "N" else size for size in shape)


def test_of_which_nothing_is_told(tmp_path: Path) -> None:
    model = model_of([node("Reshape", "x s", "y")], {"x": ["N", 3, 5, 7], "s": [2]}, dtypes={"s": TensorProto.INT64})
    with pytest.raises(archcost.ArchcostError, match="input 1 is computed by the network"):
        imported(tmp_path, model)
