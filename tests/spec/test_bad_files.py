"""Each file in tests/bad holds one mistake; the text beside it is what a user reads, letter for letter."""

from __future__ import annotations

from pathlib import Path

import pytest

import archcost

FOLDER = Path(__file__).parent.parent / "bad"
FILES = sorted(file.name for file in FOLDER.iterdir() if file.suffix in (".yaml", ".json"))


def test_there_are_enough_and_each_has_its_text():
    assert len(FILES) >= 60
    assert {Path(file).stem for file in FILES} == {file.stem for file in FOLDER.glob("*.txt")}


@pytest.mark.parametrize("file", FILES)
def test_a_mistake_is_told(file: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(FOLDER)
    with pytest.raises(archcost.ArchcostError) as raised:
        archcost.cost(archcost.build(archcost.load(file)))
    assert str(raised.value) == Path(file).with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")
    assert raised.value.exit_code == 2
    assert raised.value.place is not None
    assert raised.value.expected or raised.value.hint


def test_mistakes_in_unused_blocks_are_found_at_load(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(FOLDER)
    for file in ("block_unused_field.yaml", "block_unused_value.yaml"):
        with pytest.raises(archcost.ArchcostError, match="unused"):
            archcost.load(file)
