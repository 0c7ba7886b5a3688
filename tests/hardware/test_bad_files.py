"""Each file in tests/hardware/bad holds one mistake; the text beside it is what a user reads, letter for letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcost import hardware
from archcost.cli import main
from archcost.errors import ArchcostError

FOLDER = Path(__file__).parent / "bad"
FILES = sorted(file.name for file in FOLDER.glob("*.yaml"))


def test_there_are_enough_and_each_has_its_text():
    assert len(FILES) >= 30
    assert {Path(file).stem for file in FILES} == {file.stem for file in FOLDER.glob("*.txt")}


@pytest.mark.parametrize("file", FILES)
def test_a_mistake_is_told(file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(FOLDER)
    with pytest.raises(ArchcostError) as raised:
        hardware.check(file)
    text = Path(file).with_suffix(".txt").read_text(encoding="utf-8")
    assert str(raised.value) == text.rstrip("\n")
    assert raised.value.place is not None
    assert raised.value.expected
    assert raised.value.found
    assert main(["hardware", "check", file]) == 2
    assert capsys.readouterr().err == f"archcost: {text}"


def test_what_is_impossible_by_itself_does_not_load_either(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(FOLDER)
    for file in ("bandwidth_above_type.yaml", "sparse_float16_against_tf32.yaml", "memory_usable_above_nominal.yaml"):
        with pytest.raises(ArchcostError, match=file):
            hardware.load(file)


@pytest.mark.parametrize(
    ("file", "problem"),
    [("nowhere.yaml", "no such file"), (".", "not a regular file"), ("new\nline.yaml", "no such file")],
)
def test_what_is_no_file(file: str, problem: str):
    with pytest.raises(ArchcostError, match=problem):
        hardware.check(file)
