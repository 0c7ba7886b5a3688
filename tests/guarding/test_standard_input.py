"""`-` as NETWORK: a spec's text on standard input, in any command."""

from __future__ import annotations

import io
import json

import pytest

from archcost.cli import main

Capture = pytest.CaptureFixture[str]

NET = "name: piped\ninput: [4]\nparameters: {width: 4}\nlayers: [{type: linear, out_features: $width}]"


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(NET))


@pytest.mark.usefixtures("piped")
@pytest.mark.parametrize(
    "command",
    [
        "summary -",
        "summary - --strict --batch 2",
        "explain - fc1",
        "estimate - --hardware nvidia-t4 --strict",
        "timeline -",
        "fit - --hardware nvidia-t4",
        "compare mlp -",
        "show -",
    ],
)
def test_every_command_reads_it(capsys: Capture, command: str) -> None:
    assert main(command.split()) == 0
    assert "piped" in capsys.readouterr().out


@pytest.mark.usefixtures("piped")
def test_it_is_altered_as_a_file_is(capsys: Capture) -> None:
    assert main(["summary", "-", "--set", "width=5", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["parameters"] == 25  # 4·5 + 5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "<standard input>:1:1: not a spec"),
        ("name: x\ninput: [4]\nlayers: [{type: linearr}]", "<standard input>:3:"),
        ("{", "not valid YAML"),
        ("extends: mlp", "text extends nothing"),
        ("\x00", "not readable text"),
    ],
)
def test_what_is_no_spec(monkeypatch: pytest.MonkeyPatch, capsys: Capture, text: str, problem: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["summary", "-"]) == 2
    assert problem in capsys.readouterr().err


def test_bytes_that_are_no_text(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8"))
    assert main(["summary", "-"]) == 2
    assert "not UTF-8 text" in capsys.readouterr().err


@pytest.mark.usefixtures("piped")
def test_a_lock_cannot_load_it_again(capsys: Capture) -> None:
    assert main(["lock", "-"]) == 2
    assert "a lock of standard input" in capsys.readouterr().err
