"""A project of a user: a folder of its own, the root of a repository, in which commands run."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.joinpath(".git").mkdir()  # nothing above is looked at
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARCHCOST_CONFIG", raising=False)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return tmp_path
