"""Specs from plain constructors: the same values as from a file, frozen, and written back to equal ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import archcost
from archcost import ArchcostError, ModelSpec
from archcost.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Upsample
from archcost.spec import Block, BlockUse, InputSpec, LayerTemplate, Published, Repeat, zoo

TEXT = """
name: net
title: A network
citation: Somebody, 2020
published: {parameters: 138 M, top1_error: 25.6, source: table 1}
inputs: {image: [3, 32, 32]}
loss: cross_entropy
parameters: {classes: 10}
blocks:
  stage:
    parameters: {channels: null, depth: 2}
    layers:
      - repeat: $depth
        layers:
          - {type: conv2d, out_channels: $channels, kernel_size: [3, 5], padding: [1, 2]}
          - {type: relu, inplace: true}
      - {type: max_pool2d, name: pool, kernel_size: 2}
layers:
  - {block: stage, name: stage1, channels: 6}
  - {block: stage, channels: 12, depth: 1, trainable: false}
  - repeat: 2
    name: unit
    layers: [{type: relu, name: act}]
  - {type: flatten, inputs: [unit2]}
  - {type: linear, name: fc, out_features: $classes}
"""

BUILT = ModelSpec(
    name="net",
    title="A network",
    citation="Somebody, 2020",
    published=Published(parameters="138 M", top1_error=25.6, source="table 1"),
    inputs={"image": InputSpec(shape=(3, 32, 32))},
    loss="cross_entropy",
    parameters={"classes": 10},
    blocks={
        "stage": Block(
            parameters={"channels": None, "depth": 2},
            layers=(
                Repeat(
                    repeat="$depth",
                    layers=(
                        LayerTemplate.model_validate(
                            {"type": "conv2d", "out_channels": "$channels", "kernel_size": [3, 5], "padding": [1, 2]}
                        ),
                        ReLU(inplace=True),
                    ),
                ),
                MaxPool2d(name="pool", kernel_size=2),
            ),
        )
    },
    layers=(
        BlockUse.model_validate({"block": "stage", "name": "stage1", "channels": 6}),
        BlockUse.model_validate({"block": "stage", "channels": 12, "depth": 1, "trainable": False}),
        Repeat(repeat=2, name="unit", layers=(ReLU(name="act"),)),
        Flatten(inputs=("unit2",)),
        LayerTemplate.model_validate({"type": "linear", "name": "fc", "out_features": "$classes"}),
    ),
)


def test_a_file_and_constructors_say_the_same():
    assert archcost.loads(TEXT) == BUILT


def test_json_and_yaml_say_the_same():
    assert archcost.loads(json.dumps(yaml.safe_load(TEXT))) == BUILT
    assert archcost.loads(json.dumps(yaml.safe_load(TEXT), indent="\t", ensure_ascii=False)) == BUILT


def test_json_may_name_its_schema():
    assert archcost.loads(json.dumps({"$schema": "schema.json", **yaml.safe_load(TEXT)})) == BUILT


def test_what_is_written_is_read_as_an_equal_spec():
    assert archcost.loads(BUILT.to_yaml()) == BUILT
    assert archcost.loads(json.dumps(BUILT.to_dict())) == BUILT


@pytest.mark.parametrize("name", zoo.names())
def test_every_shipped_spec_is_written_and_read_as_an_equal_one(name: str):
    spec = archcost.load(name)
    again = archcost.loads(spec.to_yaml())
    assert again == spec
    assert archcost.cost(archcost.build(again)).to_dict() == archcost.cost(archcost.build(spec)).to_dict()


def test_plain_words_and_lists_are_taken_by_the_constructor():
    plain: dict[str, Any] = {
        "name": "net",
        "inputs": {"image": [1, 28, 28]},
        "layers": [Conv2d(out_channels=6, kernel_size=5), {"type": "relu"}, Flatten(), Linear(out_features=10)],
    }
    spec = ModelSpec(**plain)
    # (5*5*1 + 1)*6 = 156, and 6*24*24 = 3,456 features: (3,456 + 1)*10 = 34,570
    assert archcost.cost(archcost.build(spec)).parameters == 156 + 34_570
    assert archcost.loads(spec.to_yaml()) == spec


def test_the_same_layer_may_stand_in_several_places():
    act = ReLU()
    spec = ModelSpec(name="n", inputs={"x": InputSpec(shape=(4,))}, layers=(act, Linear(out_features=3), act))
    assert [node.name for node in archcost.build(spec).nodes] == ["relu1", "fc1", "relu2"]
    assert archcost.loads(spec.to_yaml()) == spec


@pytest.mark.parametrize(
    "part", [BUILT, BUILT.blocks["stage"], *BUILT.layers, BUILT.inputs["image"]], ids=lambda p: type(p).__name__
)
def test_nothing_can_be_changed(part: Any):
    field = next(iter(type(part).model_fields))
    with pytest.raises((ArchcostError, ValidationError)):
        setattr(part, field, getattr(part, field))


@pytest.mark.parametrize(
    "fields",
    [
        {"layers": [{"type": "linear"}]},
        {"layers": ["relu"]},
        {"layers": [Linear(out_features=3)], "lauers": []},
        {"layers": [], "parameters": {"a": 2**63}},
        {"layers": [], "parameters": {"a": float("nan")}},
        {"layers": [], "parameters": {"a": {"b": 1}}},
        {"layers": [BlockUse.model_construct(block="x", name=3)], "inputs": {}},
    ],
)
def test_constructors_refuse_what_a_file_may_not_say(fields: dict[str, Any]):
    with pytest.raises(ArchcostError):
        ModelSpec(**{"name": "n", "inputs": {"x": [4]}, **fields})


def test_a_template_checks_the_fields_that_have_their_values():
    with pytest.raises(ValidationError, match="kernel_size"):
        LayerTemplate.model_validate({"type": "conv2d", "out_channels": "$c", "kernel_size": 0})
    with pytest.raises(ValidationError, match="kernel_sizes"):
        LayerTemplate.model_validate({"type": "conv2d", "out_channels": "$c", "kernel_sizes": 3})
    with pytest.raises(ValidationError, match="kernel_size"):
        LayerTemplate.model_validate({"type": "conv2d", "out_channels": "$c"})


def test_a_template_waits_with_rules_about_several_fields():
    template = LayerTemplate.model_validate({"type": "upsample", "scale_factor": "$scale"})
    parameters: dict[str, Any] = {"scale": 2}
    spec = ModelSpec(name="n", inputs={"x": InputSpec(shape=(1, 4, 4))}, parameters=parameters, layers=(template,))
    assert archcost.build(spec).nodes[0].layer == Upsample(scale_factor=2)


WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["no", "null", "~", "1e5", "1e-5", "09", "0x1F", "1_000", "12:30", ".5", "+1", "-", "=", "<<", "true"]
    ),
    st.from_regex(r"[-+.0-9eE_:]{1,8}", fullmatch=True),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - 2**63, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(title=WORDS, value=VALUES)
def test_any_title_and_value_come_back_as_they_were(title: str, value: Any):
    """Unprintable characters too: they are written as escapes. Only lone surrogates are no text at all."""
    parameters: dict[str, Any] = {"a": value}
    spec = ModelSpec(
        name="n", title=title, inputs={"x": InputSpec(shape=(1,))}, parameters=parameters, layers=(ReLU(),)
    )
    again = archcost.loads(spec.to_yaml())
    assert again == spec
    assert repr(again.parameters) == repr(spec.parameters)  # 1 is not True, nor 1.0
