"""Where the batch of an input is: as a file says it, as the shell says it, and what is refused."""

from __future__ import annotations

import pytest

import archcost
from archcost.errors import SpecError
from archcost.spec import InputSpec, loads
from archcost.spec.overrides import override, parse_input
from archcost.tensors import TensorType

NET = """
name: net
inputs:
  x: [3, 5]
  state: {shape: [2, B, 4]}
  first: [B, 4]
  edges: {shape: [2, 7], dtype: int64, batched: false}
  scale: {shape: [], batched: false}
  label: {shape: [], dtype: int64}
layers:
  - {type: linear, out_features: 3, inputs: [x]}
"""


def test_a_file_says_where_the_batch_is() -> None:
    spec = loads(NET)
    assert archcost.build(spec, batch=9).inputs == {
        "x": TensorType((9, 3, 5)),
        "state": TensorType((2, 9, 4)),
        "first": TensorType((9, 4)),
        "edges": TensorType((2, 7), "int64"),
        "scale": TensorType(()),
        "label": TensorType((9,), "int64"),
    }
    assert loads(spec.to_yaml()) == spec
    assert "state: {shape: [2, B, 4]}\n" in spec.to_yaml()
    assert [given.batch_axis for given in spec.inputs.values()] == [0, 1, 0, None, None, 0]
    assert spec.inputs["state"].sizes == (2, 4)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[2, B, B]", "x: wrong value for 'x'\n  expected: B, the axis of the batch, at most once"),
        ("{shape: [2, B], batched: false}", "x: wrong value for 'x'\n  expected: without batched: false, or without B"),
        ("[2, B, 0]", "x: wrong value for 'x[2]'\n  expected: at least 1\n  found: 0"),
        ("[2, N]", "x: wrong value for 'x[1]'\n  expected: an integer\n  found: 'N'"),
        ("{shape: [2], batched: 0}", "x: wrong value for 'batched'\n  expected: true or false\n  found: 0"),
    ],
)
def test_what_a_file_cannot_say(written: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(f"name: net\ninputs:\n  x: {written}\nlayers: []\n", "net.yaml")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("3x8x8", InputSpec(shape=(3, 8, 8))),
        ("2x7:int64:unbatched", InputSpec(shape=(2, 7), dtype="int64", batched=False)),
        ("2x7:unbatched:int64", InputSpec(shape=(2, 7), dtype="int64", batched=False)),
        ("2x7:unbatched", InputSpec(shape=(2, 7), batched=False)),
        ("2xBx128", InputSpec(shape=(2, "B", 128))),
        ("B:int64", InputSpec(shape=("B",), dtype="int64")),
        ("scalar", InputSpec(shape=(), batched=False)),
        ("scalar:float16", InputSpec(shape=(), dtype="float16", batched=False)),
    ],
)
def test_words_of_the_shell(text: str, given: InputSpec) -> None:
    assert parse_input(text).alone() == given


def test_what_the_shell_leaves_open_stays() -> None:
    inputs = override(loads(NET), inputs=["edges=2x9", "state=3x5", "first=6", "scale=4"]).inputs
    assert inputs["edges"] == InputSpec(shape=(2, 9), dtype="int64", batched=False)
    assert inputs["state"] == InputSpec(shape=(3, "B", 5))
    assert inputs["first"] == InputSpec(shape=(6,))
    assert inputs["scale"] == InputSpec(shape=(4,), batched=False)
    inputs = override(loads(NET), inputs=["x=3x5:unbatched", "edges=Bx2x9", "state=5x3xB"]).inputs
    assert inputs["x"] == InputSpec(shape=(3, 5), batched=False)
    assert inputs["edges"] == InputSpec(shape=("B", 2, 9), dtype="int64")
    assert inputs["state"] == InputSpec(shape=(5, 3, "B"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "state=2x3x4",
            "--input does not say where the batch of state is\n  expected: 2 sizes, or B among them\n  found: '2x3x4'",
        ),
        (
            "state=2xBx4:unbatched",
            "--input cannot be used\n  expected: without batched: false, or without B in its shape\n"
            "  found: '2xBx4:unbatched'",
        ),
        (
            "x=2x3:int64:float32",
            "--input has no shape\n  expected: sizes such as 3x224x224\n  found: '2x3:int64:float32'\n"
            "  try: 2x500:int64:unbatched, 2xBx128 with B for the batch, or scalar",
        ),
        (
            "x=2xBxB",
            "--input cannot be used\n  expected: B, the axis of the batch, at most once\n  found: '2xBxB'",
        ),
    ],
)
def test_what_the_shell_cannot_say(text: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        override(loads(NET), inputs=[text])
    assert str(caught.value) == said


def test_the_side_of_an_image_keeps_the_place_of_the_batch() -> None:
    from archcost.planning.images import side, with_side

    spec = loads("name: n\ninputs: {a: {shape: [1, 9, 9], batched: false}, x: [3, B, 8, 6]}\nlayers: []\n")
    assert side(spec) == 8
    assert with_side(spec, 4).inputs["x"] == InputSpec(shape=(3, "B", 4, 4))
