"""Graphs within an ONNX graph: branches of `If`, bodies of `Loop` and `Scan`, with weights that they hold or read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import archcost
from archcost.errors import ArchcostError
from tests.importers.onnx_files import BOOL, FLOAT, INT64, imported, model_of, node, numbers, weight


def graph(
    nodes: Sequence[onnx.NodeProto],
    outputs: str,
    inputs: Sequence[onnx.ValueInfoProto] = (),
    held: Sequence[onnx.TensorProto] = (),
) -> onnx.GraphProto:
    named = [helper.make_empty_tensor_value_info(name) for name in outputs.split()]
    return helper.make_graph(list(nodes), "body", list(inputs), named, list(held))


def cost_of(spec: archcost.ModelSpec, batch: int = 1) -> tuple[int, int, tuple[str, ...]]:
    """Parameters, MACs, and what is not known."""
    cost = archcost.cost(archcost.build(spec, batch))
    return cost.parameters, cost.macs, tuple(cost.unknown)


X = {"x": ["N", 7]}


def multiplied(name: str, *features: int, held: bool = True) -> onnx.GraphProto:
    """By one matrix after the other, of 7 features first."""
    nodes = [node("MatMul", f"{'x' if not i else f'{name}{i}'} w{i}", f"{name}{i + 1}") for i in range(len(features))]
    sizes = [7, *features]
    weights = [weight(f"w{i}", sizes[i], sizes[i + 1]) for i in range(len(features))]
    return graph(nodes, f"{name}{len(features)}", held=weights if held else ())


DECIDING = [node("ReduceMax", "x", "m", keepdims=0), node("Greater", "m zero", "c")]
ZERO = helper.make_tensor("zero", FLOAT, [], [0.0])


def decided(then: onnx.GraphProto, other: onnx.GraphProto, *held: onnx.TensorProto) -> onnx.ModelProto:
    nodes = [*DECIDING, node("If", "c", "y", then_branch=then, else_branch=other)]
    return model_of(nodes, X, [ZERO, *held])


def test_of_branches_that_values_decide_the_smaller_is_counted_and_the_weights_of_both(tmp_path: Path) -> None:
    """7*5 = 35 weights, or 7*3 + 3*5 = 36; both branches call their first `w0`."""
    spec = imported(tmp_path, decided(multiplied("a", 5), multiplied("b", 3, 5)))
    assert cost_of(spec, 2) == (71, 70, ("opaque1",))
    assert spec.assumptions == (
        "values decide which branch of 'If that makes y' runs, then_branch (35 MACs a sample) or else_branch "
        "(36 MACs a sample): then_branch is counted, and the weights of both",
    )


def test_weights_that_branches_read_outside_count_once(tmp_path: Path) -> None:
    held = [weight("w0", 7, 5), weight("w1", 5, 5)]
    model = decided(multiplied("a", 5, held=False), multiplied("b", 5, 5, held=False), *held)
    assert cost_of(imported(tmp_path, model)) == (35 + 25, 35, ("opaque1",))


def test_a_branch_in_a_branch(tmp_path: Path) -> None:
    """The least is 7*2 + 2*5 = 24; there are 24 + 7*5 + 7*3 + 3*5 weights."""
    inner = graph([node("If", "c", "i", then_branch=multiplied("p", 5), else_branch=multiplied("q", 3, 5))], "i")
    spec = imported(tmp_path, decided(inner, multiplied("r", 2, 5)))
    assert cost_of(spec)[:2] == (24 + 35 + 36, 24)
    assert len(spec.assumptions) == 1  # and nothing of the branches that are not counted


def test_a_branch_that_cannot_be_read_is_said_to_be(tmp_path: Path) -> None:
    broken = graph([node("MatMul", "x v", "b")], "b", held=[weight("v", 6, 5)])
    spec = imported(tmp_path, decided(multiplied("a", 5), broken))
    assert cost_of(spec) == (35 + 30, 35, ("opaque1",))
    assert "else_branch (not read: " in spec.assumptions[0]


def test_branches_that_only_move_values_leave_nothing_unknown(tmp_path: Path) -> None:
    first = graph([node("Identity", "x", "a")], "a")
    other = graph([node("Neg", "x", "n"), node("Identity", "x", "b")], "b")
    assert cost_of(imported(tmp_path, decided(first, other))) == (0, 0, ())


def test_a_branch_that_shapes_decide_is_alone(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "s", start=1, end=2),
        node("Equal", "s seven", "c"),
        node("If", "c", "y", then_branch=multiplied("a", 5), else_branch=multiplied("b", 3, 5)),
    ]
    assert cost_of(imported(tmp_path, model_of(nodes, X, [numbers("seven", [7])]))) == (35, 35, ())


# Loops

NUMBER = helper.make_tensor_value_info("i", INT64, [])
GOES_ON = helper.make_tensor_value_info("go", BOOL, [])
CARRIED = helper.make_tensor_value_info("h", FLOAT, None)
STEP = [node("Identity", "go", "on"), node("MatMul", "h w", "next")]
W = weight("w", 7, 7)


def looped(
    body: onnx.GraphProto,
    reads: str = "five true x",
    results: str = "y",
    before: Sequence[onnx.NodeProto] = (),
    inputs: dict[str, list[int | str]] | None = None,
) -> onnx.ModelProto:
    held = [
        W,
        numbers("five", 5),
        numbers("none", 0),
        numbers("many", 10**6),
        helper.make_tensor("true", BOOL, [], [True]),
    ]
    nodes = [*before, node("Loop", reads, results, body=body)]
    return model_of(nodes, {**X, **(inputs or {})}, held, outputs=[results.split()[-1]], dtypes={"times": INT64})


def step(nodes: Sequence[onnx.NodeProto] = STEP, outputs: str = "on next", *held: onnx.TensorProto) -> onnx.GraphProto:
    return graph(nodes, outputs, [NUMBER, GOES_ON, CARRIED], held)


UNTIL_THREE = [node("Less", "i two", "on"), node("MatMul", "h w", "next")]
SHAPED = [node("Shape", "x", "s", start=1), node("Squeeze", "s", "seven")]

KNOWN = {
    "five turns": (looped(step()), 5),
    "no condition": (looped(step(), "five _ x"), 5),
    "no turn": (looped(step(), "none true x"), 0),
    "a weight that the body holds": (looped(step(STEP, "on next", W)), 5),
    "a constant of the body": (
        looped(
            step(
                [
                    helper.make_node(
                        "Constant",
                        [],
                        ["w"],
                        value=numpy_helper.from_array(np.arange(49, dtype=np.float32).reshape(7, 7)),
                    ),
                    *STEP,
                ]
            )
        ),
        5,
    ),
    "as many turns as a size": (looped(step(), "seven true x", before=SHAPED), 7),
    "until a number of turns": (looped(step(UNTIL_THREE, "on next", numbers("two", 2)), "_ true x"), 3),
    "what each turn collects": (looped(step([*STEP, node("Relu", "next", "o")], "on next o"), results="last y"), 5),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_loop_of_known_turns_does_its_work_each_turn(name: str, tmp_path: Path) -> None:
    """49 weights once, 49 MACs a turn."""
    model, turns = KNOWN[name]
    assert cost_of(imported(tmp_path, model), 2) == (49 if turns else 0, 2 * 49 * turns, ())


BY_VALUES = [node("ReduceMax", "h", "m", keepdims=0), node("Greater", "m zero", "on"), node("MatMul", "h w", "next")]

UNKNOWN = {
    "a condition of values": (looped(step(BY_VALUES, "on next", ZERO)), 1, "at most 5 times, as values decide"),
    "without a limit": (looped(step(BY_VALUES, "on next", ZERO), "_ true x"), 1, "as often as values decide"),
    "as often as an input says": (looped(step(), "times true x", inputs={"times": []}), 0, "as often as values"),
    "very often": (looped(step(), "many true x"), 10_000, "1,000,000 times"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_loop_of_unknown_turns_counts_the_least(name: str, tmp_path: Path) -> None:
    model, turns, said = UNKNOWN[name]
    spec = imported(tmp_path, model)
    assert cost_of(spec) == (49, 49 * turns, ("opaque1",))
    assert f"runs {said}" in spec.assumptions[0]
    assert "49 MACs a sample and turn" in spec.assumptions[0]


def test_as_many_results_as_values_decide_have_no_shape(tmp_path: Path) -> None:
    body = step([*BY_VALUES, node("Relu", "next", "o")], "on next o", ZERO)
    with pytest.raises(ArchcostError, match="how many results it collects"):
        imported(tmp_path, looped(body, results="last y"))


def test_a_scan_does_its_work_at_each_position(tmp_path: Path) -> None:
    """7*7 MACs at each of 11 positions."""
    body = graph(
        [node("Add", "s e", "a"), node("MatMul", "a w", "t"), node("Identity", "t", "o")],
        "t o",
        [helper.make_tensor_value_info(name, FLOAT, None) for name in "se"],
    )
    scan = node("Scan", "x xs", "last y", body=body, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[1])
    spec = imported(tmp_path, model_of([scan], {**X, "xs": ["N", 11, 7]}, [W], outputs=["y"]))
    assert cost_of(spec, 3) == (49, 3 * 11 * 49, ())
    assert archcost.build(spec, 3).returned[0].shape == (3, 11, 7)


def test_a_scan_over_the_samples_is_not_known(tmp_path: Path) -> None:
    body = graph([node("MatMul", "e w", "o")], "o", [helper.make_tensor_value_info("e", FLOAT, [7])])
    spec = imported(tmp_path, model_of([node("Scan", "x", "y", body=body, num_scan_inputs=1)], X, [W]))
    assert cost_of(spec) == (49, 49, ("opaque1",))
    assert "once a sample" in spec.assumptions[0]


# States of recurrent layers

GATES = [weight("w", 1, 24, 5), weight("r", 1, 24, 6), weight("b", 1, 48)]
MACS, PARAMETERS = 11 * 24 * (5 + 6), 24 * 5 + 24 * 6 + 48
"""11 steps, four gates of 6 that read 5 and 6 values."""

STATES: dict[str, tuple[str, dict[str, list[int | str]], Sequence[onnx.TensorProto], list[str], int]] = {
    "open": ("h c", {"h": [1, "batch", 6], "c": [1, "batch", 6]}, (), [], 0),
    "without names": ("h c", {"h": [1, "?", 6], "c": [1, "?", 6]}, (), [], 0),
    "said to be second": ("h c", {"h": [1, 1, 6], "c": [1, 1, 6]}, (), ["h=1xBx6", "c=1xBx6"], 0),
    "one of two": ("h _", {"h": [1, "batch", 6]}, (), [], 0),
    "learned": ("h c", {}, (weight("h", 1, 1, 6), weight("c", 1, 1, 6)), [], 12),
    "zeros": ("h c", {}, tuple(numpy_helper.from_array(np.zeros((1, 1, 6), np.float32), name) for name in "hc"), [], 0),
}


@pytest.mark.parametrize("name", STATES)
def test_the_work_of_a_recurrent_layer_does_not_depend_on_its_state(name: str, tmp_path: Path) -> None:
    reads, inputs, held, said, more = STATES[name]
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("LSTM", f"t w r b _ {reads}", "y", hidden_size=6)]
    model = model_of(nodes, {"x": ["?" if "?" in str(inputs) else "batch", 11, 5], **inputs}, [*GATES, *held])
    assert cost_of(imported(tmp_path, model, *said), 2) == (PARAMETERS + more, 2 * MACS, ())


def test_samples_before_steps(tmp_path: Path) -> None:
    spec = imported(
        tmp_path, model_of([node("LSTM", "x w r b", "y", hidden_size=6, layout=1)], {"x": ["N", 11, 5]}, GATES)
    )
    assert cost_of(spec, 2) == (PARAMETERS, 2 * MACS, ())
    assert archcost.build(spec, 2).returned[0].shape == (2, 11, 1, 6)


def test_lengths_of_samples_are_taken_for_the_longest(tmp_path: Path) -> None:
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("LSTM", "t w r b lengths", "y", hidden_size=6)]
    model = model_of(nodes, {"x": ["N", 11, 5], "lengths": ["N"]}, GATES, dtypes={"lengths": TensorProto.INT32})
    spec = imported(tmp_path, model)
    assert cost_of(spec, 2) == (PARAMETERS, 2 * MACS, ())
    assert spec.assumptions == ("each sample of 'LSTM that makes y' is as long as the longest",)


def test_a_scalar_beside_open_sizes(tmp_path: Path) -> None:
    """As of silero-vad: samples, a state of two layers, a sampling rate; none of the sizes has a name."""
    nodes = [
        node("Cast", "rate", "f", to=FLOAT),
        node("Mul", "x f", "m"),
        node("Unsqueeze", "m zero", "t"),
        node("GRU", "t w r _ _ state", "y", hidden_size=6),
    ]
    held = [weight("w", 1, 18, 16), weight("r", 1, 18, 6), numbers("zero", [0])]
    inputs: dict[str, Sequence[int | str]] = {"x": [0, 0], "state": [1, 0, 6], "rate": []}
    spec = imported(tmp_path, model_of(nodes, inputs, held, dtypes={"rate": INT64}), "x=16")
    assert spec.inputs["state"].shape == (1, "B", 6)
    assert cost_of(spec, 3)[1] == 3 * 18 * (16 + 6)
