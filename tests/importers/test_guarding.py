"""Modules by `module:callable` in locks and in the pytest plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

# pytester forgets what a run imports, and torch does not survive a second import.
import archcost.importers.torch_module  # pyright: ignore[reportUnusedImport]
import archcost.pytorch  # noqa: F401  # pyright: ignore[reportUnusedImport]
from archcost.cli import main
from archcost.comparison.locks import check
from archcost.comparison.recipe import Recipe, args_text
from archcost.errors import SpecError

pytest_plugins = ["pytester"]

MODEL = """
from torch import nn

def make(width=4):
    return nn.Sequential(nn.Linear(3, width), nn.ReLU())
"""

LOCK = """\
# Layers of networks, written by `archcost lock` and compared by `archcost check`.

network {module}:make --batch 2 --input 3 --args '{{"width": 5}}'
layer | type, state | output shape | parameters | MACs
------+-------------+--------------+------------+-----
0     | linear      | 2×5          |         20 |   30
1     | relu        | 2×5          |          0 |    0
------+-------------+--------------+------------+-----
total |             |              |         20 |   30
"""


def put(folder: Path, name: str) -> None:
    (folder / f"{name}.py").write_text(MODEL)


def test_a_lock_loads_its_module_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "locked_model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    options = ["--batch", "2", "--input", "3", "--args", '{"width": 5}']
    assert main(["lock", "locked_model:make", *options, "-o", "net.lock"]) == 0
    assert Path("net.lock").read_text() == LOCK.format(module="locked_model")
    (outcome,) = check(Path("net.lock"))
    assert outcome.changes == ()


def test_a_module_that_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "grown_model")
    monkeypatch.syspath_prepend(tmp_path)
    lock = tmp_path / "net.lock"
    lock.write_text(LOCK.format(module="grown_model").replace('"width": 5', '"width": 7'))
    (outcome,) = check(lock)
    assert outcome.changes[0] == "0: output shape 2×5 → 2×7"


def test_args_of_a_file_are_refused(tmp_path: Path) -> None:
    recipe = Recipe("mlp", args="[1]")
    with pytest.raises(SpecError, match="--args belongs to a callable"):
        recipe.cost(tmp_path)


def test_args_without_words_in_json_are_refused() -> None:
    with pytest.raises(SpecError, match="args cannot be kept in a lock"):
        args_text({"kind": MODEL.__class__})


def test_the_plugin(pytester: pytest.Pytester) -> None:
    """In processes of their own: a run in this one forgets modules, and torch's can be imported only once."""
    put(pytester.path, "plugged_model")
    pytester.syspathinsert()
    pytester.makepyfile(
        "def test_cost(archcost_lock):\n"
        "    archcost_lock('plugged_model:make', batch=2, inputs=['3'], args={'width': 5})\n"
    )
    pytester.runpytest_subprocess("--archcost-update").assert_outcomes(passed=1)
    assert pytester.path.joinpath("archcost_locks/make.lock").read_text() == LOCK.format(module="plugged_model")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
