"""The JSON Schema of the spec format: what loads validates, and what is misspelt does not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import archcost
from archcost.cli import main
from archcost.files.parse import parse
from archcost.layers import TYPES
from archcost.spec import zoo
from archcost.spec.schema import schema, schema_text

SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)
FILES = sorted([*zoo.folder().glob("*.yaml"), *zoo.folder().glob("families/*.yaml")])


def mistakes(tree: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(tree)]


def network(*layers: Any, **fields: Any) -> dict[str, Any]:
    return {"name": "net", "input": [3, 8, 8], "layers": list(layers), **fields}


def test_it_is_a_schema_of_its_dialect() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA


@pytest.mark.usefixtures("only_ours")
def test_the_shipped_file_is_up_to_date() -> None:
    assert (zoo.folder() / "schema.json").read_text() == schema_text(), "make docs brings it up to date"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_networks_validate_and_name_the_schema(file: Path) -> None:
    text = file.read_text()
    tree, _ = parse(text, file.name)
    assert mistakes(tree) == []
    place = "../schema.json" if file.parent.name == "families" else "./schema.json"
    assert text.startswith(f"# yaml-language-server: $schema={place}\n")


def test_what_to_yaml_writes_validates() -> None:
    """Of all networks those with a type of layer that none shorter has: the files themselves are validated above."""
    written = sorted((archcost.load(name).to_yaml() for name in zoo.names()), key=len)
    known: set[str] = set()
    for text in written:
        new = set(re.findall(r"\btype: \w+|\brepeat:|\binputs:|\bpublished:", text)) - known
        if new:
            tree, _ = parse(text, "written")
            assert mistakes(tree) == []
        known |= new
    assert {"type: conv2d", "type: scaled_dot_product_attention", "repeat:", "inputs:"} <= known


@pytest.mark.parametrize("type_", TYPES)
def test_every_layer_is_there_with_its_fields(type_: str) -> None:
    layer = SCHEMA["$defs"][f"layer_{type_}"]
    assert set(layer["properties"]) == set(TYPES[type_].model_fields)
    required = {name for name, field in TYPES[type_].model_fields.items() if field.is_required()}
    assert set(layer["required"]) == required | {"type"}
    assert layer["description"]
    assert mistakes(network({"type": type_, "kernal": 3})) != []


GOOD = [
    network(
        {"type": "conv2d", "out_channels": "$width * 2", "kernel_size": ["$k", 5]}, parameters={"width": 4, "k": 3}
    ),
    network({"repeat": "$depth", "name": "round", "layers": [{"type": "relu"}]}, parameters={"depth": 2}),
    network({"block": "b", "width": [3, 5]}, blocks={"b": {"parameters": {"width": None}, "layers": []}}),
    network({"type": "max_unpool2d", "kernel_size": 2, "inputs": ["a", "pool1:1"]}),
    {"extends": "vgg_d", "name": "mine"},
    {"name": "net", "inputs": {"a": [3], "b": {"shape": [3], "dtype": "int64"}}, "layers": []},
]


@pytest.mark.parametrize("tree", GOOD)
def test_good(tree: Any) -> None:
    assert mistakes(tree) == []


BAD = [
    (
        network({"type": "conv2d", "out_chanels": 4, "out_channels": 4, "kernel_size": 3}),
        "'out_chanels' was unexpected",
    ),
    (network({"type": "linear"}), "'out_features' is a required property"),
    (network({"type": "linaer", "out_features": 3}), "'linaer' is not one of"),
    (network({"type": "linear", "out_features": "three"}), "'three' is not valid under any of the given schemas"),
    (network({"type": "linear", "out_features": 0}), "0 is not valid under any of the given schemas"),
    (network({"type": "relu", "inplace": 1}), "1 is not valid under any of the given schemas"),
    (network({"type": "relu", "name": "$name"}), "'$name' is not valid under any of the given schemas"),
    (network({"out_features": 3}), "is not valid under any of the given schemas"),
    (network({"type": "relu", "block": "b"}), "is valid under each of"),
    (network({"repeat": 2, "layers": [{"type": "relu", "inplase": True}]}), "'inplase' was unexpected"),
    (network({"repeat": -1, "layers": []}), "-1 is not valid under any of the given schemas"),
    (network(blocks={"b": {"layers": [{"type": "relu", "inplase": True}]}}), "'inplase' was unexpected"),
    (network(layer=[]), "'layer' was unexpected"),
    (network(inputs={"a": [3]}), "should not be valid under"),
    (network(published={"parameter": 3}), "{'parameter': 3} is not valid under any of the given schemas"),
    (network(loss="hinge"), "'hinge' is not valid"),
    ({"name": "net", "layers": []}, "is not valid under any of the given schemas"),
]


@pytest.mark.parametrize(("tree", "message"), BAD, ids=[message for _, message in BAD])
def test_bad(tree: Any, message: str) -> None:
    assert any(message in mistake for mistake in mistakes(tree)), mistakes(tree)
    with pytest.raises(archcost.ArchcostError):
        archcost.build(archcost.loads(json.dumps(tree)))
