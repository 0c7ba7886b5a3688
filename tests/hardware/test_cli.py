"""`archcost hardware` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archcost import hardware
from archcost.cli import main

EXAMPLE = str(Path(__file__).parent / "example.yaml")


def test_list(capsys: pytest.CaptureFixture[str]):
    assert main(["hardware", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[2].split()) == "name year memory bandwidth float32 bfloat16 float16 int8 verified"
    table = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[4 : 4 + len(hardware.names())]}
    assert tuple(table) == hardware.names()
    assert table["nvidia-rtx-4090"] == "2022 24 GiB 1008 GB/s 82.6 165.2 165.2 660.6 B"
    assert table["st-stm32f746"] == "2015 320 KiB 860 MB/s 0.000432 0.000864 B"
    assert max(map(len, lines)) <= 120


def test_show_takes_options_in_any_order(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["hardware", "show", "nvidia-t4", "--format", "json"]) == 0
    shown = capsys.readouterr().out
    assert main(["hardware", "show", "--format", "json", "nvidia-t4", "-o", str(tmp_path / "t4.json")]) == 0
    assert (tmp_path / "t4.json").read_text(encoding="utf-8") == shown
    assert json.loads(shown)["figures"]["memory.bandwidth"]["amount"] == 320_000_000_000


def test_show_of_a_file(capsys: pytest.CaptureFixture[str]):
    assert main(["hardware", "show", EXAMPLE]) == 0
    assert "58.3 TFLOP/s, sums in float32, 116.6 TFLOP/s sparse" in capsys.readouterr().out


def test_check(capsys: pytest.CaptureFixture[str]):
    assert main(["hardware", "check", EXAMPLE, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == 14


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "archcost: the following arguments are required: COMMAND"),
        (["show"], "archcost: the following arguments are required: NAME"),
        (["show", "nvidia-rtx-409"], "archcost: unknown hardware 'nvidia-rtx-409'"),
        (["check", "nowhere.yaml"], "archcost: nowhere.yaml:1:1: no such file"),
        (["list", "--format", "xml"], "archcost: argument --format: invalid choice: 'xml'"),
        (["guess"], "archcost: argument COMMAND: invalid choice: 'guess'"),
    ],
)
def test_wrong_words(words: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(["hardware", *words]) == 2
    assert capsys.readouterr().err.startswith(message)
