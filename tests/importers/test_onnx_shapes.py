"""Small things of ONNX files that decide on shapes: axes, sizes that are left open, numbers beside a fixed batch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import archcost
from archcost.errors import ArchcostError
from tests.importers.onnx_files import FLOAT, INT64, imported, layers_of, model_of, node, numbers, weight


def returned(spec: archcost.ModelSpec, batch: int = 2) -> tuple[int, ...]:
    return archcost.build(spec, batch).returned[0].shape


@pytest.mark.parametrize(("axis", "shape"), [(-1, (30, 7)), (-2, (6, 35)), (1, (2, 105)), (2, (6, 35)), (3, (30, 7))])
def test_flatten_counts_from_either_end(axis: int, shape: tuple[int, int], tmp_path: Path) -> None:
    model = model_of([node("Flatten", "x", "y", axis=axis)], {"x": ["N", 3, 5, 7]})
    assert returned(imported(tmp_path, model)) == shape


@pytest.mark.parametrize(("start", "end", "axes"), [(2, 1, 0), (9, 1, 0), (-1, -2, 0), (1, 99, 2), (-2, -1, 1)])
def test_a_shape_of_some_axes_or_none(start: int, end: int, axes: int, tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "some", start=start, end=end),
        node("Shape", "x", "all"),
        node("Concat", "some all", "both", axis=0),
        node("Slice", "both from to", "last"),
        node("Reshape", "x last", "y"),
    ]
    held = [numbers("from", [axes]), numbers("to", [9])]
    assert returned(imported(tmp_path, model_of(nodes, {"x": ["N", 3, 5]}, held))) == (2, 3, 5)


REFLECTED = {"samples": (["N", 16], [0, 3, 0, 4], (2, 23)), "channels": (["N", 5, 6], [0, 1, 2, 0, 3, 0], (2, 9, 8))}


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("name", REFLECTED)
def test_values_are_reflected_along_any_axis_but_the_batch(name: str, mode: str, tmp_path: Path) -> None:
    sizes, pads, shape = REFLECTED[name]
    spec = imported(tmp_path, model_of([node("Pad", "x p", "y", mode=mode)], {"x": sizes}, [numbers("p", pads)]))
    assert returned(spec) == shape


@pytest.mark.parametrize("kind", ["Div", "Mod"])
def test_arithmetic_on_integers_of_the_network(kind: str, tmp_path: Path) -> None:
    """Which is not torch's, whose quotient is no integer."""
    nodes = [node(kind, "x three", "q"), node("Cast", "q", "f", to=FLOAT), node("MatMul", "f w", "y")]
    held = [numbers("three", 3), weight("w", 7, 5)]
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 7]}, held, dtypes={"x": INT64}))
    assert [layer["type"] for layer in layers_of(spec)] == ["integers", "cast", "linear"]


def test_a_layer_norm_hands_out_its_statistics(tmp_path: Path) -> None:
    nodes = [
        node("LayerNormalization", "x g b", "v mean inverse"),
        node("Mul", "v inverse", "m"),
        node("Add", "m mean", "y"),
    ]
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 7]}, [weight("g", 7), weight("b", 7)]))
    cost = archcost.cost(archcost.build(spec))
    assert (cost.parameters, tuple(cost.unknown)) == (14, ())


def test_dropout_hands_out_what_it_keeps(tmp_path: Path) -> None:
    nodes = [node("Dropout", "x", "v mask"), node("Cast", "mask", "f", to=FLOAT), node("Mul", "f v", "y")]
    assert returned(imported(tmp_path, model_of(nodes, {"x": ["N", 7]}))) == (2, 7)


OPEN = {
    "names that mean nothing": ["?", 3, "?", "?"],
    "numbers that mean nothing": [-1, 3, -1, -1],
    "none": [0, 3, 0, 0],
}


@pytest.mark.parametrize("name", OPEN)
def test_sizes_that_a_file_leaves_open(name: str, tmp_path: Path) -> None:
    """Some exporters write the same `?` for all of them, or a -1. 8*18 positions of 4*27 MACs."""
    model = model_of([node("Conv", "x w", "y")], {"x": OPEN[name]}, [weight("w", 4, 3, 3, 3)])
    spec = imported(tmp_path, model, "3x10x20")
    assert archcost.cost(archcost.build(spec)).macs == 15_552


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64", "bool", "float16"])
def test_a_constant_of_any_dtype_beside_a_batch_that_is_a_number(dtype: str, tmp_path: Path) -> None:
    held = onnx.numpy_helper.from_array(np.ones(7, dtype), "c")
    nodes = [node("Cast", "c", "f", to=FLOAT), node("Add", "x f", "y")]
    assert returned(imported(tmp_path, model_of(nodes, {"x": [3, 7]}, [held]))) == (2, 7)


def test_a_state_that_is_stretched_to_the_batch_of_the_exporter(tmp_path: Path) -> None:
    """5 steps, three gates of 6 that read 8 and 6 values."""
    nodes = [
        node("Expand", "h to", "state"),
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("GRU", "t w r _ _ state", "y", hidden_size=6),
    ]
    zeros = onnx.numpy_helper.from_array(np.zeros((1, 1, 6), np.float32), "h")
    held = [zeros, numbers("to", [1, 2, 6]), weight("w", 1, 18, 8), weight("r", 1, 18, 6)]
    cost = archcost.cost(archcost.build(imported(tmp_path, model_of(nodes, {"x": [2, 5, 8]}, held)), 3))
    assert (cost.macs, cost.parameters, tuple(cost.unknown)) == (3 * 5 * 18 * (8 + 6), 18 * (8 + 6), ())


def test_a_size_in_32_bits_does_not_wrap_around(tmp_path: Path) -> None:
    """As many values as do not fit."""
    nodes = [
        node("Size", "x", "n"),
        node("Cast", "n", "small", to=TensorProto.INT32),
        node("Cast", "small", "wide", to=INT64),
        node("Unsqueeze", "wide zero", "to"),
        node("Reshape", "x to", "y"),
    ]
    model = model_of(nodes, {"x": ["N", 3, 640, 640]}, [numbers("zero", [0])])
    with pytest.raises(ArchcostError, match="Reshape"):
        imported(tmp_path, model)


NOT_READ = {
    "an operator without a rule": [node("Fancy", "x", "y", domain="com.example")],
    "shapes that do not go together": [node("Add", "x w", "y")],
    "the batch in the weights": [node("Flatten", "x", "f", axis=0), node("MatMul", "f w", "y")],
    "one sample": [node("Squeeze", "x zero", "y")],
}


@pytest.mark.parametrize("name", NOT_READ)
def test_no_message_shows_the_number_that_stands_for_the_batch(name: str, tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("com.example", 1)]
    held = [weight("w", 5, 3), numbers("zero", [0])]
    with pytest.raises(ArchcostError) as caught:
        imported(tmp_path, model_of(NOT_READ[name], {"x": ["N", 7]}, held, opsets=opsets))
    told = str(caught.value).replace(str(tmp_path), "")
    assert not [number for number in re.findall(r"\d+", told.replace(",", "")) if int(number) > 1_000_000]
    assert "B" in told
