"""Weights of an ONNX file, wherever they stand: initializers, `Constant` operators, behind moves, used twice."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import archcost
from archcost.errors import ArchcostError
from tests.importers.onnx_files import FLOAT, INT64, imported, layers_of, model_of, node, numbers, weight

HALF, DOUBLE = TensorProto.FLOAT16, TensorProto.DOUBLE


def constant(name: str, *shape: int, dtype: type = np.float32) -> onnx.NodeProto:
    """Values that differ."""
    values = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values, name))


def cost_of(spec: archcost.ModelSpec, batch: int = 1) -> tuple[int, int, tuple[str, ...]]:
    """Parameters, MACs, and what is not known."""
    cost = archcost.cost(archcost.build(spec, batch))
    return cost.parameters, cost.macs, tuple(cost.unknown)


MOVED = {
    # of a convolution of 3 to 4 channels by 3×3 on 8×8: 4*27 weights, 36*4*27 MACs
    "as it is": ([constant("w", 4, 3, 3, 3)], "w"),
    "reshaped": ([constant("v", 4, 27), node("Reshape", "v to", "w")], "w"),
    "turned": ([constant("v", 3, 4, 3, 3), node("Transpose", "v", "w", perm=[1, 0, 2, 3])], "w"),
    "a new axis": ([constant("v", 4, 3, 9), node("Reshape", "v to", "u"), node("Identity", "u", "w")], "w"),
    "cast": ([constant("v", 4, 3, 3, 3, dtype=np.float16), node("Cast", "v", "w", to=FLOAT)], "w"),
    "squeezed": ([constant("v", 1, 4, 3, 3, 3), node("Squeeze", "v first", "w")], "w"),
    "and back": (
        [constant("v", 4, 3, 3, 3), node("Unsqueeze", "v first", "u"), node("Squeeze", "u first", "w")],
        "w",
    ),
}


@pytest.mark.parametrize("name", MOVED)
def test_a_constant_is_a_weight_behind_whatever_moves_it(name: str, tmp_path: Path) -> None:
    nodes, last = MOVED[name]
    held = [numbers("to", [4, 3, 3, 3]), numbers("first", [0])]
    model = model_of([*nodes, node("Conv", f"x {last}", "y")], {"x": ["N", 3, 8, 8]}, held)
    assert cost_of(imported(tmp_path, model)) == (108, 3888, ())


USED = {
    "added": ([constant("w", 7), node("Add", "x w", "y")], 7),
    "added, stretched": ([constant("w", 1, 7), node("Expand", "w to", "v"), node("Add", "x v", "y")], 7),
    "flattened": ([constant("w", 7, 1), node("Flatten", "w", "v", axis=0), node("Add", "x v", "y")], 7),
    "multiplied": ([constant("w", 7, 5), node("MatMul", "x w", "y")], 35),
    "turned": ([constant("w", 5, 7), node("Transpose", "w", "v"), node("MatMul", "x v", "y")], 35),
    "large": ([constant("w", 7, 70_000), node("MatMul", "x w", "y")], 490_000),
    "one number": ([constant("w", 1), node("Mul", "x w", "y")], 0),
    "listed": ([helper.make_node("Constant", [], ["w"], value_floats=[1.0] * 7), node("Add", "x w", "y")], 7),
}


@pytest.mark.parametrize("name", USED)
def test_a_constant_is_a_weight_of_any_operator(name: str, tmp_path: Path) -> None:
    nodes, parameters = USED[name]
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 3, 7]}, [numbers("to", [3, 7])]))
    assert cost_of(spec)[0] == parameters


def test_a_table_that_rows_are_gathered_from(tmp_path: Path) -> None:
    model = model_of([constant("w", 50, 8), node("Gather", "w x", "y")], {"x": ["N", 5]}, dtypes={"x": INT64})
    assert layers_of(imported(tmp_path, model))[0]["type"] == "embedding"


SETTINGS = {
    "scales": [constant("s", 4), node("Resize", "x _ s", "y")],
    "arithmetic on sizes": [
        node("Shape", "x", "n"),
        node("Cast", "n", "f", to=FLOAT),
        helper.make_node("Constant", [], ["k"], value_floats=[1.0, 1.0, 2.0, 3.0]),
        node("Mul", "f k", "g"),
        node("Cast", "g", "i", to=INT64),
        node("Resize", "x _ _ i", "y"),
    ],
}


@pytest.mark.parametrize("name", SETTINGS)
def test_numbers_that_say_what_is_done_are_no_weights(name: str, tmp_path: Path) -> None:
    nodes = list(SETTINGS[name])
    if name == "scales":
        nodes[0] = helper.make_node("Constant", [], ["s"], value_floats=[1.0, 1.0, 2.0, 3.0])
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 2, 5, 7]}))
    assert archcost.build(spec, 3).returned[0].shape == (3, 2, 10, 21)
    assert cost_of(spec)[0] == 0


def test_a_function_of_the_file_holds_a_weight_once(tmp_path: Path) -> None:
    """7*7 weights that two calls multiply by."""
    body = helper.make_function(
        "mine", "f", ["a"], ["b"], [constant("w", 7, 7), node("MatMul", "a w", "b")], [helper.make_opsetid("", 20)]
    )
    nodes = [node("f", "x", "m", domain="mine"), node("f", "m", "y", domain="mine")]
    model = model_of(nodes, {"x": ["N", 7]}, functions=[body], opsets=[helper.make_opsetid("mine", 1)])
    assert cost_of(imported(tmp_path, model)) == (49, 98, ())


TWICE = {
    "layer norm": (["LayerNormalization", "g b"], {"g": (7,), "b": (7,)}, 14),
    "slopes": (["PRelu", "s"], {"s": (3, 1, 1)}, 3),
    "one slope": (["PRelu", "s"], {"s": (1,)}, 1),
    "batch norm": (["BatchNormalization", "g b m v"], dict.fromkeys("gbmv", (3,)), 6),
    "instance norm": (["InstanceNormalization", "g b"], {"g": (3,), "b": (3,)}, 6),
    "convolution": (["Conv", "w b"], {"w": (3, 3, 1, 1), "b": (3,)}, 12),
    "product": (["MatMul", "w"], {"w": (7, 7)}, 49),
}


@pytest.mark.parametrize("dtype", [FLOAT, HALF, DOUBLE])
@pytest.mark.parametrize("name", TWICE)
def test_weights_of_two_layers_in_any_precision(name: str, dtype: int, tmp_path: Path) -> None:
    (kind, read), shapes, parameters = TWICE[name]
    nodes = [node(kind, f"x {read}", "m"), node(kind, f"m {read}", "y")]
    held = [weight(key, *shape, dtype=dtype) for key, shape in shapes.items()]
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 3, 5, 7]}, held, dtypes={"x": dtype}))
    assert cost_of(spec)[0] == parameters
    assert cost_of(spec)[2] == ()


def test_packed_weights_of_two_recurrent_layers(tmp_path: Path) -> None:
    """Four gates of 5, that read 5 and 5: 20*5 + 20*5 + 40 weights, 7 steps of 20*10 MACs, twice."""
    nodes = [
        node("LSTM", "x w r b", "a", hidden_size=5),
        node("Squeeze", "a one", "m"),
        node("LSTM", "m w r b", "y", hidden_size=5),
    ]
    held = [weight("w", 1, 20, 5), weight("r", 1, 20, 5), weight("b", 1, 40), numbers("one", [1])]
    spec = imported(tmp_path, model_of(nodes, {"x": [7, "batch", 5]}, held))
    assert cost_of(spec) == (240, 2800, ())


def test_a_slope_that_is_also_multiplied_by(tmp_path: Path) -> None:
    nodes = [node("PRelu", "x s", "m"), node("Mul", "m s", "y")]
    assert cost_of(imported(tmp_path, model_of(nodes, {"x": ["N", 3, 5, 7]}, [weight("s", 3, 1, 1)])))[0] == 3


def test_ten_thousand_constants(tmp_path: Path) -> None:
    """Of which every second is read: 5,000*7 weights."""
    nodes: list[onnx.NodeProto] = []
    for number in range(10_000):
        nodes.append(constant(f"w{number}", 7))
        if number % 2:
            nodes.append(node("Add", f"{f'a{number - 2}' if number > 1 else 'x'} w{number}", f"a{number}"))
    assert cost_of(imported(tmp_path, model_of(nodes, {"x": ["N", 7]})))[0] == 35_000


def test_weights_of_two_terabytes_elsewhere_are_never_loaded(tmp_path: Path) -> None:
    """Nor need they be there: 2^20 * 2^19 weights."""
    model = model_of([node("MatMul", "x w", "y")], {"x": ["N", 2**20]}, [weight("w", 2**20, 2**19)])
    assert cost_of(imported(tmp_path, model)) == (2**39, 2**39, ())


def test_an_element_type_that_onnx_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(ArchcostError) as caught:
        imported(tmp_path, model_of([node("Add", "x w", "y")], {"x": ["N", 7]}, [weight("w", 7, dtype=77)]))
    assert str(caught.value).replace(str(tmp_path), "…") == (
        "…/net.onnx: a tensor of the file has an element type that ONNX does not know\n"
        "  expected: a number of TensorProto.DataType\n"
        "  found: 77"
    )


def test_the_weights_of_two_recurrent_layers_are_not_those_of_a_matrix(tmp_path: Path) -> None:
    """Of other values than the bias that they are read as: one message, or a layer that is not known."""
    nodes = [node("LSTM", "x w r b", "a", hidden_size=5), node("LSTM", "x w r w", "y", hidden_size=5)]
    held = [weight("w", 1, 20, 5), weight("r", 1, 20, 5), weight("b", 1, 40)]
    with contextlib.suppress(ArchcostError):
        assert cost_of(imported(tmp_path, model_of(nodes, {"x": [7, "batch", 5]}, held)))[2]
