"""The project's settings: which command takes which, that the command line wins, and that a report says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archcost.cli import main

Capture = pytest.CaptureFixture[str]

FILE = """\
hardware: nvidia-t4
precision: amp-fp16
optimizer: sgd
batch: 3
"""


def answer(capsys: Capture, *argv: str) -> dict[str, Any]:
    code = main([*argv, "--format", "json"])
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    return json.loads(captured.out)


@pytest.fixture
def settings(project: Path) -> Path:
    project.joinpath("archcost.yaml").write_text(FILE)
    return project


TAKEN = ("nvidia-t4", "amp-fp16", "sgd", 3)


def told(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple([found[name] for name in ("hardware", "precision", "optimizer", "batch")])


def test_settings_hold_where_none_is_given(settings: Path, capsys: Capture) -> None:
    assert told(answer(capsys, "estimate", "lenet5")) == TAKEN
    assert told(answer(capsys, "estimate", "lenet5", "--config", "none", "--hardware", "nvidia-l4")) == (
        "nvidia-l4",
        "fp32",
        "adam",
        1,
    )
    given = ("--batch", "2", "--hardware", "nvidia-l4", "--precision", "fp32")
    assert told(answer(capsys, "estimate", "lenet5", *given)) == ("nvidia-l4", "fp32", "sgd", 2)


def test_every_command_takes_what_it_has_an_option_for(settings: Path, capsys: Capture) -> None:
    assert answer(capsys, "timeline", "lenet5")["device"] == "cuda"
    assert answer(capsys, "timeline", "lenet5", "--device", "cpu")["device"] == "cpu"
    assert answer(capsys, "summary", "lenet5")["batch"] == 3
    assert "time" in answer(capsys, "summary", "lenet5", "--time")
    assert answer(capsys, "explain", "lenet5", "fc7")["batch"] == 3
    assert [each["batch"] for each in answer(capsys, "compare", "lenet5", "mlp")["networks"]] == [3, 3]
    assert [each["hardware"] for each in answer(capsys, "fit", "lenet5")["devices"]] == ["nvidia-t4"]
    assert "nvidia-t4" not in [
        each["hardware"] for each in answer(capsys, "fit", "lenet5", "--vendor", "AMD")["devices"]
    ]
    swept = answer(capsys, "sweep", "lenet5")
    assert [swept["columns"][name] for name in ("hardware", "batch")] == [["nvidia-t4"], [3]]
    assert answer(capsys, "serve", "gpt2", "--prompt", "8", "--new", "2")["hardware"] == "nvidia-t4"
    assert main(["lock", "lenet5"]) == 0
    assert "network lenet5 --batch 3\n" in capsys.readouterr().out
    assert main(["import", "lenet5"]) == 0
    assert main(["summary", "lenet5", "--columns", "name,macs"]) == 0
    assert main(["hardware", "list"]) == 0


@pytest.mark.usefixtures("settings")
def test_pictures_take_them(capsys: Capture) -> None:
    pytest.importorskip("matplotlib")
    assert main(["plot", "mlp", "--kind", "graph", "-o", "graph.dot"]) == 0, "a graph has no use for them"
    assert main(["plot", "mlp", "--kind", "roofline", "-o", "roof.svg"]) == 0
    assert "nvidia-t4" in Path("roof.svg").read_text()


def test_a_report_says_where_its_settings_are_from(settings: Path, capsys: Capture) -> None:
    assert main(["estimate", "lenet5", "--batch", "2"]) == 0
    line = "Settings of archcost.yaml: hardware nvidia-t4, precision amp-fp16, optimizer sgd."
    assert capsys.readouterr().out.endswith(f"\n\n{line}\n")
    assert main(["summary", "lenet5"]) == 0
    assert capsys.readouterr().out.endswith("\n\nSettings of archcost.yaml: batch 3.\n")
    assert main(["summary", "lenet5", "--batch", "1", "--format", "csv"]) == 0
    assert "Settings" not in capsys.readouterr().out


def test_an_error_says_them_too(project: Path, capsys: Capture) -> None:
    project.joinpath("archcost.yaml").write_text("master_weights: true\nhardware: nvidia-t4")
    assert main(["estimate", "lenet5"]) == 2
    told = capsys.readouterr().err
    assert "found: precision fp32" in told
    assert told.endswith("\n  Settings of archcost.yaml: hardware nvidia-t4, master weights on.\n")


def test_pyproject_is_found_from_below_and_its_paths_are_its_own(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = Path(__file__).parents[1] / "hardware" / "example.yaml"
    project.joinpath("card.yaml").write_text(profile.read_text())
    project.joinpath("pyproject.toml").write_text("[tool.archcost]\nhardware = ['card.yaml', 'nvidia-t4']\n")
    project.joinpath("below").mkdir()
    monkeypatch.chdir(project / "below")
    assert (
        answer(capsys, "estimate", "lenet5")["hardware"] == answer(capsys, "hardware", "show", "../card.yaml")["name"]
    )
    assert len(answer(capsys, "fit", "lenet5")["devices"]) == 2


def test_the_environment_names_the_file_or_none(
    settings: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHCOST_CONFIG", "none")
    assert answer(capsys, "summary", "lenet5")["batch"] == 1
    settings.joinpath("other.yaml").write_text("batch: 7")
    monkeypatch.setenv("ARCHCOST_CONFIG", "other.yaml")
    assert answer(capsys, "summary", "lenet5")["batch"] == 7
    assert answer(capsys, "summary", "lenet5", "--config", "archcost.yaml")["batch"] == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hardwear: nvidia-t4", "archcost.yaml:1:1: unknown key 'hardwear'"),
        ("batch: 0", "batch has no such value"),
        ("precision: fp31", "archcost.yaml:1:1: precision is not one of those known"),
        ("in_place: 1", "in_place has no such value"),
        ("name: net\ninput: [4]\nlayers: []", "this is a network, and no file of budgets"),
        ("batch: [", "not valid YAML"),
    ],
)
def test_a_file_that_is_wrong_is_told_by_every_command(project: Path, capsys: Capture, text: str, problem: str) -> None:
    project.joinpath("archcost.yaml").write_text(text)
    for command in ("summary", "estimate"):
        assert main([command, "lenet5"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert problem in captured.err
    assert main(["summary", "lenet5", "--config", "none"]) == 0
    assert main(["summary", "lenet5", "--config", "nowhere.yaml"]) == 2
    assert "nowhere.yaml:1:1: no such file" in capsys.readouterr().err
