"""What docs/guarding.md shows beside its commands: the test of one line, the file, the hook and the workflow."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from archcost.cli import main
from archcost.cli.parser import parser
from archcost.files.parse import parse
from tests.documents import BLOCK, ROOT

pytest_plugins = ["pytester"]

PAGE = (ROOT / "docs" / "guarding.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return [match.group(2) for match in BLOCK.finditer(PAGE) if match.group(1) == language]


def test_the_test_of_one_line_fails_as_shown(user: pytest.Pytester) -> None:
    pytest.importorskip("torch")
    module, test, _ = blocks("python")
    user.makepyfile(mynet=module, test_budget=test)
    result = user.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(blocks("text")[0].splitlines(), consecutive=True)


def test_the_test_of_a_table_writes_it_and_holds_it(user: pytest.Pytester) -> None:
    user.makepyfile(test_table=blocks("python")[2])
    user.runpytest("-p", "no:cacheprovider").assert_outcomes(failed=1)
    user.runpytest("-p", "no:cacheprovider", "--archcost-update").assert_outcomes(passed=1)
    assert user.path.joinpath("archcost_locks", "vgg_d.lock").is_file()
    user.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_table_of_pyproject_holds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (table,) = blocks("toml")
    project.joinpath("pyproject.toml").write_text(table)
    assert main(["check"]) == 0
    assert capsys.readouterr().out.count(" held") == 6


def test_the_hooks_are_those_of_the_page() -> None:
    hooks, _ = parse(ROOT.joinpath(".pre-commit-hooks.yaml").read_text(encoding="utf-8"), "hooks")
    for hook in hooks:
        assert hook.keys() == {"id", "name", "description", "entry", "language", "files", "pass_filenames"}
        assert f"id: {hook['id']}" in PAGE
        assert re.search(hook["files"], "nets/net.yaml")
        parses(hook["entry"])


def test_the_workflow_parses_and_its_commands_too() -> None:
    file = ROOT / "docs" / "guarding" / "workflow.yml"
    told, _ = parse(file.read_text(encoding="utf-8"), str(file))
    assert told.keys() == {"name", "on", "permissions", "env", "jobs"}
    steps: list[dict[str, Any]] = told["jobs"]["budgets"]["steps"]
    commands = [step["run"] for step in steps if step.get("run", "").startswith("archcost")]
    assert len(commands) == 3
    for command in commands:
        parses(command.partition(" >> ")[0])
        assert "${{" not in command, "what others name stands in a variable, and in no command"


def parses(command: str) -> None:
    words = shlex.split(command)[1:]
    parser(words[0]).parse_args(words)
