"""`--set` and `--input` as functions on specs."""

from __future__ import annotations

import pytest

import archcost
from archcost.errors import SpecError
from archcost.spec import InputSpec
from archcost.spec.overrides import override, parse_input, parse_setting

TEXT = """
name: base
title: Base
published: {top1_error: 10.0}
inputs: {image: [3, 8, 8], mask: {shape: [8], dtype: int64}}
parameters: {width: 4, kernel: [3, 5]}
blocks:
  stage:
    parameters: {channels: null, extra: 1}
    layers:
      - {type: conv2d, out_channels: $channels, kernel_size: $kernel, padding: [1, 2]}
      - {repeat: $extra, layers: [{type: relu}]}
layers:
  - {block: stage, name: first, inputs: [image], channels: $width}
  - {block: stage, name: second, channels: 2}
"""

BASE = archcost.loads(TEXT)


def shapes(*settings: str, inputs: tuple[str, ...] = ()) -> list[tuple[int, ...]]:
    graph = archcost.build(override(BASE, settings, inputs))
    return [node.output_types[0].shape for node in graph.nodes]


def test_nothing_to_do_gives_the_same_spec() -> None:
    assert override(BASE) is BASE


def test_a_parameter_of_the_network() -> None:
    assert shapes("width=7") == [(1, 7, 8, 8), (1, 7, 8, 8), (1, 2, 8, 8), (1, 2, 8, 8)]
    assert shapes("kernel=[1, 1]")[0] == (1, 4, 10, 12)


def test_settings_are_a_text_texts_or_a_mapping() -> None:
    """In Python, where a mapping is what one would write first."""
    wanted = archcost.load("vgg_d", ["classes=10", "depth5=1"], ["3x64x64"])
    assert archcost.load("vgg_d", {"classes": 10, "depth5": 1}, "3x64x64") == wanted
    assert archcost.load("vgg_d", "classes=10") == archcost.load("vgg_d", {"classes": "10"})
    with pytest.raises(SpecError, match="'class'"):
        archcost.load("vgg_d", {"class": 10})


def test_a_default_of_a_block() -> None:
    assert len(shapes("stage.extra=0")) == 2
    assert len(shapes("stage.extra=3")) == 8


def test_one_use_of_a_block() -> None:
    assert shapes("second.channels=9")[-1] == (1, 9, 8, 8)
    assert len(shapes("second.extra=0")) == 3


def test_a_setting_given_twice_is_refused() -> None:
    with pytest.raises(SpecError, match=r"--set width stands twice\n  expected: one value\n  found: width=7, width=5"):
        override(BASE, ("width=7", "width=5"))


def test_what_is_altered_is_not_what_was_published() -> None:
    altered = override(BASE, ["width=7"], ["3x9x9"])
    assert altered.published is None
    assert (altered.title, altered.label) == ("Base", "base (width=7, 3x9x9)")
    assert archcost.loads(altered.to_yaml()).label == altered.label
    assert BASE.published is not None, "the spec itself stays as it was"


def test_inputs_in_order_and_by_name() -> None:
    assert shapes(inputs=("3x9x10",))[0] == (1, 4, 9, 10)
    altered = override(BASE, (), ["mask=5:bool", "1x8x8:float16"])
    assert (altered.inputs["image"].shape, altered.inputs["image"].dtype) == ((1, 8, 8), "float16")
    assert (altered.inputs["mask"].shape, altered.inputs["mask"].dtype) == ((5,), "bool")


def test_a_dtype_that_is_not_given_stays() -> None:
    assert override(BASE, (), ["mask=5"]).inputs["mask"].dtype == "int64"


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=4", 4), ("a=true", True), ("a=[3, 5]", (3, 5)), ("a=word", "word"), ("a=", None), ("a=1e-3", 0.001)],
)
def test_values_are_read_as_yaml(text: str, value: object) -> None:
    assert parse_setting(text) == ("a", value)


@pytest.mark.parametrize("text", ["3x4", "3X4", "3×4"])
def test_signs_between_sizes(text: str) -> None:
    assert parse_input(text).shape == (3, 4)


ERRORS = [
    (["width"], [], "--set needs a key and a value\n  expected: key=value\n  found: 'width'"),
    (["=4"], [], "--set needs a key and a value\n  expected: key=value\n  found: '=4'"),
    (
        ["widht=4"],
        [],
        "--set: the network has no parameter 'widht'\n  expected: width, kernel\n  found: 'widht'\n  try: 'width'",
    ),
    (
        ["stage.chanels=4"],
        [],
        "--set: block 'stage' has no parameter 'chanels'\n  expected: channels, extra\n  found: 'chanels'\n"
        "  try: 'channels'",
    ),
    (
        ["stage.channels=4"],
        [],
        "--set stage.channels has no effect\n  expected: a parameter that some use of the block leaves to its default\n"
        "  found: every use of 'stage' gives channels\n  try: --set first.channels=…",
    ),
    (
        ["secnd.channels=4"],
        [],
        "--set secnd.channels: no block 'secnd'\n  expected: stage, first, second\n  found: 'secnd'\n  try: 'second'",
    ),
    (["width={a: 1}"], [], "--set width\n  expected: a number, a word or a list\n  found: '{a: 1}'"),
    ([], ["3xax8"], "--input has no shape\n  expected: sizes such as 3x224x224\n  found: '3xax8'"),
    ([], [""], "--input has no shape\n  expected: sizes such as 3x224x224\n  found: ''"),
    ([], ["3x0"], "--input cannot be used\n  expected: greater than or equal to 1\n  found: '3x0'"),
    (
        [],
        ["imag=3x8x8"],
        "--input 'imag=3x8x8'\n  expected: each input at most once: image, mask\n  found: 'imag'\n  try: 'image'",
    ),
    ([], ["3", "8", "8"], "--input '8'\n  expected: each input at most once: image, mask\n  found: 3 shapes"),
]


@pytest.mark.parametrize(("settings", "inputs", "message"), ERRORS)
def test_errors(settings: list[str], inputs: list[str], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        override(BASE, settings, inputs)
    assert str(caught.value) == message


def test_a_broken_value_is_told_as_broken_yaml() -> None:
    with pytest.raises(SpecError, match=r"^--set width:\d:\d: not valid YAML"):
        override(BASE, ["width=[1, 2"])


READER = archcost.loads("""
name: reader
inputs:
  tokens: {shape: [$tokens], dtype: int64}
  again: {shape: [$tokens], dtype: int64}
  image: [3, $height, $side]
  pairs: [2 * $tokens, 5]
parameters: {context: 12, tokens: $context, side: 8, height: $side}
layers:
  - {type: embedding, name: read, num_embeddings: 7, embedding_dim: 3, inputs: [tokens]}
  - {type: constant, name: places, shape: [$tokens, 3]}
  - {type: add, inputs: [read, places]}
""")


def sizes(*settings: str, inputs: tuple[str, ...] = ()) -> list[tuple[int, ...]]:
    spec = override(READER, settings, inputs)
    assert [given.tensor(1).shape[1:] for given in spec.inputs.values()] == [
        tensor.shape[1:] for tensor in archcost.build(spec).inputs.values()
    ]
    return [given.sizes for given in spec.inputs.values()]


def test_sizes_of_inputs_follow_parameters() -> None:
    assert sizes() == [(12,), (12,), (3, 8, 8), (24, 5)]
    assert sizes("context=4", "side=6") == [(4,), (4,), (3, 6, 6), (8, 5)]
    assert sizes("tokens=4", "height=9") == [(4,), (4,), (3, 9, 8), (8, 5)]


def test_an_input_sets_the_parameters_that_stand_plainly_in_it() -> None:
    one_word = override(READER, (), ["5"])
    assert archcost.build(one_word).nodes[-1].output_types[0].shape == (1, 5, 3)
    assert one_word.parameters["tokens"] == 5
    wanted = [(5,), (5,), (3, 8, 8), (10, 5)]
    assert sizes(inputs=("5",)) == sizes("tokens=5") == sizes("tokens=5", inputs=("5", "5")) == wanted
    assert sizes(inputs=("image=3x6x10",)) == [(12,), (12,), (3, 6, 10), (24, 5)]
    assert sizes(inputs=("pairs=24x7",)) == [(12,), (12,), (3, 8, 8), (24, 7)]
    assert override(READER, (), ["again=5:int32"]).inputs["again"] == InputSpec(shape=(5,), dtype="int32")


def test_what_is_altered_in_an_input_loads_again() -> None:
    altered = override(READER, (), ["5"])
    assert archcost.loads(altered.to_yaml()) == altered


@pytest.mark.parametrize(
    ("settings", "inputs", "message"),
    [
        (
            ["tokens=4"],
            ["5"],
            "two values for the parameter tokens, a size of the input tokens\n  expected: one value, said once\n"
            "  found: 4 and 5\n  try: --set tokens=5 alone",
        ),
        (
            [],
            ["5", "6"],
            "two values for the parameter tokens, a size of the input again\n  expected: one value, said once\n"
            "  found: 5 and 6\n  try: --set tokens=6 alone",
        ),
        (
            [],
            ["pairs=20x5"],
            "a size of the input pairs follows from parameters\n  expected: 2 * $tokens, which is 24\n  found: 20\n"
            "  try: --set tokens=…",
        ),
        (
            [],
            ["image=3x64"],
            "--input gives image another number of sizes\n  expected: 3×$height×$side\n  found: 3×64",
        ),
        (
            ["tokens=0"],
            [],
            "tokens: wrong size of an input\n  expected: an integer from 1 to 2,147,483,647\n"
            "  found: 0, from '$tokens'",
        ),
    ],
)
def test_sizes_that_parameters_refuse(settings: list[str], inputs: list[str], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        _ = override(READER, settings, inputs).inputs
    assert str(caught.value).removeprefix("<text>:4:20: ") == message


def test_a_parameter_without_a_value_takes_it_from_the_input() -> None:
    spec = archcost.loads("{name: n, input: [$size], parameters: {size: null}, layers: [{type: relu}]}")
    assert override(spec, (), ["5"]).inputs["input"].sizes == (5,)
    with pytest.raises(SpecError, match=r"input: parameter \$size has no value"):
        archcost.build(spec)


def test_an_unknown_dtype() -> None:
    with pytest.raises(SpecError, match=r"--input cannot be used\n  expected: float64, "):
        parse_input("3:float31").alone()
