"""A project of a user: a folder of its own, the root of a repository, in which commands run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from _pytest.pytester import SysModulesSnapshot


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.joinpath(".git").mkdir()  # nothing above is looked at
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARCHCOST_CONFIG", raising=False)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return tmp_path


@pytest.fixture
def user(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder in which pytest runs. Of what a run imports only the user's own modules are forgotten: neither torch nor
    our layers survive that some of them are imported twice.
    """

    def forget(_: SysModulesSnapshot) -> None:
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and Path(file).is_relative_to(pytester.path):
                del sys.modules[name]

    monkeypatch.setattr(SysModulesSnapshot, "restore", forget)
    return pytester
