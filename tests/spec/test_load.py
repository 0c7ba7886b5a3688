"""Finding a network, and laying a file over the one it extends."""

from __future__ import annotations

from pathlib import Path

import pytest

import archcost
from archcost import ArchcostError
from archcost.spec import zoo

BASE = """
name: base
title: The base
inputs: {image: [1, 8, 8]}
loss: mse
parameters: {width: 3, depth: 2}
layers:
  - {type: conv2d, out_channels: $width, kernel_size: 3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def extended(folder: Path, text: str, name: str = "mine.yaml") -> archcost.ModelSpec:
    (folder / name).write_text(f"extends: base.yaml\nname: mine\n{text}" if name.endswith("yaml") else text)
    return archcost.load(folder / name)


def test_every_shipped_network_is_found_by_its_name():
    assert "vgg_d" in zoo.names()
    assert all(archcost.load(name).name == name for name in zoo.names())


def test_a_path_is_text_or_a_path(folder: Path):
    assert archcost.load(folder / "base.yaml") == archcost.load(str(folder / "base.yaml"))


def test_a_misspelt_name_has_its_nearest():
    with pytest.raises(ArchcostError, match="vgg_d") as raised:
        archcost.load("vggd")
    assert raised.value.problem == "unknown network 'vggd'"


@pytest.mark.parametrize("said", ["input: [1, 6, 6]", "inputs: {other: [1, 6, 6]}"])
def test_inputs_take_the_place_of_inputs_however_they_are_written(folder: Path, said: str):
    spec = extended(folder, said)
    assert [shape.shape for shape in spec.inputs.values()] == [(1, 6, 6)]


def test_what_is_not_said_stays(folder: Path):
    spec = extended(folder, "parameters: {width: 5}")
    assert (spec.name, spec.title, spec.loss) == ("mine", "The base", "mse")
    assert spec.parameters == {"width": 5, "depth": 2}


def test_json_extends_yaml(folder: Path):
    assert extended(folder, '{"extends": "base.yaml", "name": "mine"}', "mine.json").title == "The base"


def test_a_mistake_names_the_file_it_stands_in(folder: Path):
    with pytest.raises(ArchcostError) as raised:
        archcost.build(extended(folder, "parameters: {width: 0}"))
    place = raised.value.place
    # The field is in the base, line 8; its value came from here.
    assert place is not None
    assert (Path(place.file).name, place.line, place.column) == ("base.yaml", 8, 20)
    with pytest.raises(ArchcostError) as raised:
        extended(folder, "loss: mean")
    place = raised.value.place
    assert place is not None
    assert (Path(place.file).name, place.line, place.column) == ("mine.yaml", 3, 1)


def test_text_stands_alone():
    with pytest.raises(ArchcostError, match="text extends nothing"):
        archcost.loads("extends: vgg_d\nname: mine\ninput: [4]\nlayers: []\n")


def test_two_specs_are_equal_wherever_they_were_read(folder: Path):
    assert archcost.loads(BASE, "here") == archcost.load(folder / "base.yaml")
