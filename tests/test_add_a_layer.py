"""Layers are added to a copy of archcost: each missing step fails and says so, and at the end everything knows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import add_a_layer
from tests.add_a_layer import GUIDES, Copy, Guide, imported, without_card

INDEXED = ("-c", "from tests import layer_index; layer_index.renew()")
RENEWED = ("-c", "from tests import layer_index, layer_pages; layer_index.renew(); layer_pages.renew()")
PROOF = (
    "tests/layers/test_rows.py",
    "tests/layers/test_saved.py",
    "tests/pytorch/test_rows.py",
    "tests/pytorch/test_saved.py",
    "tests/pytorch/test_working.py",
    "tests/pytorch/test_autocast_rows.py",
    "tests/exporters/test_rows.py",
)
CALLS = {
    "nextafter": ("torch.nextafter(*x)", "torch.zeros(2, 3), torch.zeros(2, 3)"),
    "isin": ("torch.isin(*x)", "torch.zeros(2, 3), torch.zeros(2, 3)"),
}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.type)
def test_steps(guide: Guide, tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    layer = guide.steps[0]
    source = (tmp_path / layer.file).read_text()
    copy.take(layer._replace(text=without_card(layer)))
    code, said = copy.run("-c", f"import archcost; archcost.layers.{guide.kind}")
    assert code != 0
    assert f"{guide.kind} says nothing of its card" in said
    (tmp_path / layer.file).write_text(source)
    for step in guide.steps:
        code, said = copy.run(*step.check)
        assert code != 0
        assert step.message in said, said
        copy.take(step)
        assert copy.run(*INDEXED) == (0, "")
    assert copy.run(*RENEWED) == (0, "")
    code, said = copy.run(*add_a_layer.pytest(*PROOF, "-k", guide.type))
    assert code == 0, said
    assert copy.run(*imported(*CALLS[guide.type])) == (0, f"['{guide.type}']\n")


def test_few_files_and_few_lines() -> None:
    for guide in GUIDES:
        assert guide.files <= 4
        assert guide.lines <= 60


def test_pages_are_up_to_date() -> None:
    assert add_a_layer.GUIDE.read_text() == add_a_layer.page(), "make docs brings the page up to date"
    text = add_a_layer.ARCHITECTURE.read_text()
    assert add_a_layer.renew(text) == text, "make docs brings the page up to date"
