"""The totals of the shipped networks, which are kept: those of the specs as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from archcost.comparison import totals
from archcost.spec import zoo


def test_what_is_kept_is_what_the_specs_say() -> None:
    assert (zoo.folder() / totals.FILE).read_text(encoding="utf-8") == totals.text(), "make docs brings it up to date"


def test_a_changed_spec_is_worked_out_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """(784 + 1) · 300 + (300 + 1) · 100 + (100 + 1) · 10 weights; with 301 in the middle 784 + 1 + 100 more."""
    shutil.copy(zoo.path("mlp"), tmp_path)
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    monkeypatch.setattr(zoo, "names", lambda: ("mlp",))
    (tmp_path / totals.FILE).write_text(totals.text(), encoding="utf-8")
    [before] = totals.shipped().networks
    assert (before.network, before.parameters) == ("mlp", 266_610)
    spec = tmp_path / "mlp.yaml"
    spec.write_text(spec.read_text().replace("hidden1: 300", "hidden1: 301").replace("267 k", "267495"))
    [after] = totals.shipped().networks
    assert after.parameters == 266_610 + 785 + 100
