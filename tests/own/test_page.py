"""docs/add_your_own_layer.md shows what its program prints, and the lock that it speaks of holds."""

from __future__ import annotations

from pathlib import Path

from tests.own.page import PAGE, page
from tests.own.site import PACKAGES, describe, run

GUARDED = 'def test_cost(archcost_lock):\n    archcost_lock("fused_attention.kernels:Block", inputs=["10x64"])\n'


def test_the_page_is_up_to_date() -> None:
    text = page()
    assert PAGE.read_text() == text, "make docs brings the page up to date"
    assert GUARDED in text


def test_the_lock_holds(tmp_path: Path) -> None:
    site = describe(tmp_path / "site", "fused_attention", {"attend": "fused_attention.layers"})
    (tmp_path / "test_cost.py").write_text(GUARDED)
    pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_cost.py")
    for words in (("--archcost-update",), ()):
        done = run(*pytest, *words, path=(site, PACKAGES), cwd=tmp_path)
        assert done.returncode == 0, done.stdout
    (lock,) = (tmp_path / "archcost_locks").iterdir()
    assert "| attend" in lock.read_text()
    lock.write_text(lock.read_text().replace("25,600", "25,601").replace("12,800", "12,801"))
    assert run(*pytest, path=(site, PACKAGES), cwd=tmp_path).returncode == 1
