"""`archcost diff`: of two networks, and of one as it was at a revision of git."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from archcost.cli import main
from archcost.errors import ArchcostError
from archcost.guarding.revision import require_of_revision

Capture = pytest.CaptureFixture[str]

OLD = """\
name: net
input: [4]
parameters: {width: 4}
layers:
  - {type: linear, name: body.fc1, out_features: $width}
  - {type: relu, name: body.act}
  - {type: linear, name: head, out_features: 2}
"""
NEW = OLD.replace("width: 4", "width: 8").replace("{type: relu", "{type: gelu")

# 4·4 + 4 and 4·2 + 2 weights, and products 16 + 8; then 4·8 + 8 and 8·2 + 2, and 32 + 16
TEXT = """\
old.yaml → new.yaml, batch 1

                          old: old.yaml  new: new.yaml  difference       %
------------------------  -------------  -------------  ----------  ------
parameters                           30             58         +28   +93.3
MACs                                 24             48         +24  +100.0
FLOPs forward                        48             96         +48  +100.0
FLOPs of a training step            112            224        +112  +100.0

3 layers differ, 0 are the same; aligned by name.

layer     change                  parameters          MACs
--------  ----------------------  ----------  ---  -------  ---
body.fc1  1×4 → 1×8                  20 → 40  +20  16 → 32  +16
body.act  relu → gelu; 1×4 → 1×8           0             0
head      changed                    10 → 18   +8   8 → 16   +8
"""


@pytest.fixture
def nets(project: Path) -> Path:
    project.joinpath("old.yaml").write_text(OLD)
    project.joinpath("new.yaml").write_text(NEW)
    return project


def run(capsys: Capture, *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def answer(capsys: Capture, *argv: str) -> dict[str, Any]:
    code, out, err = run(capsys, "diff", *argv, "--format", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.usefixtures("nets")
def test_text(capsys: Capture) -> None:
    assert run(capsys, "diff", "old.yaml", "new.yaml") == (0, TEXT, "")


@pytest.mark.usefixtures("nets")
def test_the_exit_code_tells_a_difference_where_it_is_asked_to(capsys: Capture) -> None:
    assert run(capsys, "diff", "old.yaml", "new.yaml", "--exit-code")[0] == 1
    code, out, _ = run(capsys, "diff", "old.yaml", "old.yaml", "--exit-code")
    assert code == 0
    assert "All 3 layers are the same" in out


@pytest.mark.usefixtures("nets")
def test_layers_fold(capsys: Capture) -> None:
    body, head = answer(capsys, "old.yaml", "new.yaml", "--depth", "1")["layers"]
    assert (body["name"], body["change"]) == ("body", "2 changed of 2 layers")
    assert (body["old"], body["new"]) == ({"parameters": 20, "macs": 16}, {"parameters": 40, "macs": 32})
    assert (head["name"], head["layers"]) == ("head", 1)


def test_memory_and_time_are_the_estimates(capsys: Capture) -> None:
    settings = ("--hardware", "nvidia-t4", "--batch", "4", "--optimizer", "sgd")
    found = {each["name"]: each for each in answer(capsys, "vgg_a", "vgg_b", *settings)["changes"]}
    for side, network in (("old", "vgg_a"), ("new", "vgg_b")):
        main(["estimate", network, *settings, "--format", "json"])
        estimate = json.loads(capsys.readouterr().out)
        assert found["peak"][side] == estimate["memory"]["peak_bytes"]
        assert found["max_batch"][side] == estimate["memory"]["max_batch"]
        assert found["time"][side] == estimate["time"]["step_seconds"]
    assert found["macs"]["difference"] == found["macs"]["new"] - found["macs"]["old"]


def test_what_is_not_known_has_no_difference(nets: Path, capsys: Capture) -> None:
    opaque = "{type: opaque, op: 'own::kernel', shapes: [[1, 8]], dtypes: [float32], batch_dims: [0], inputs: [fc1]}"
    nets.joinpath("a.yaml").write_text(f"name: a\ninput: [4]\nlayers: [{{type: linear, out_features: 8}}, {opaque}]")
    found = {each["name"]: each for each in answer(capsys, "old.yaml", "a.yaml")["changes"]}
    assert (found["macs"]["difference"], found["macs"]["lower_bound"]) == (None, True)
    assert found["parameters"]["difference"] == 10  # 4·8 + 8 − 30
    _, out, _ = run(capsys, "diff", "old.yaml", "a.yaml")
    assert ">= 32           ?" in out


@pytest.mark.usefixtures("nets")
@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("diff old.yaml", "a difference is of two networks"),
        ("diff old.yaml new.yaml old.yaml", "a difference is of two networks"),
        ("diff old.yaml new.yaml --precision bf16", "no step is looked at"),
        ("diff --git HEAD old.yaml new.yaml", "--git HEAD is of one network"),
        ("diff --git HEAD mlp", "no revision has such a network"),
        ("diff --git HEAD -", "no revision has such a network"),
        ("diff --git HEAD old.yaml", "not in a repository of git"),
    ],
)
def test_wrong_input(capsys: Capture, command: str, problem: str) -> None:
    code, out, err = run(capsys, *command.split())
    assert (code, out) == (2, "")
    assert problem in err


@pytest.fixture
def repository(project: Path) -> Path:
    """A file that extends another, and a module of two files, all of which have changed once and are changing again."""
    project.joinpath(".git").rmdir()
    git(project, "init", "-q")
    nets = project / "nets"
    nets.mkdir()
    nets.joinpath("base.yaml").write_text(OLD)
    nets.joinpath("net.yaml").write_text("extends: base.yaml\nname: net")
    project.joinpath("made.py").write_text(
        "from torch import nn\nfrom width import WIDTH\n\ndef make():\n    return nn.Linear(4, WIDTH)\n"
    )
    project.joinpath("width.py").write_text("WIDTH = 4\n")
    commit(project, "one")
    nets.joinpath("base.yaml").write_text(NEW)
    project.joinpath("width.py").write_text("WIDTH = 8\n")
    commit(project, "two")
    nets.joinpath("base.yaml").write_text(NEW.replace("width: 8", "width: 16"))
    return project


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "core.hooksPath=/dev/null")
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


def test_a_file_as_it_was_with_what_it_extends(
    repository: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = git(repository, "status", "--porcelain")
    for revision, parameters in (("HEAD~1", 30), ("HEAD", 58)):
        found = answer(capsys, "--git", revision, "nets/net.yaml")
        assert (found["old"], found["new"]) == (f"nets/net.yaml at {revision}", "nets/net.yaml")
        assert [found["changes"][0][side] for side in ("old", "new")] == [parameters, 4 * 16 + 16 + 16 * 2 + 2]
    monkeypatch.chdir(repository / "nets")
    assert answer(capsys, "--git", "HEAD~1", "net.yaml", "--set", "width=16")["changes"][0]["difference"] == 0
    assert git(repository, "status", "--porcelain") == before, "nothing is touched"


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("--git HEAD~7 nets/net.yaml", "archcost: unknown revision\n"),
        ("--git=--all nets/net.yaml", "archcost: unknown revision\n"),
        ("--git HEAD nets/bass.yaml", "nets/bass.yaml is not in HEAD\n"),
        ("--git HEAD nets/bass.yaml", "  try: 'nets/base.yaml'"),
        ("--git HEAD~1 nets/net.yaml --set depth=1", "the network has no parameter 'depth'"),
    ],
)
def test_what_is_not_there(capsys: Capture, command: str, problem: str) -> None:
    code, out, err = run(capsys, "diff", *command.split())
    assert (code, out) == (2, "")
    assert problem in err


def test_a_mistake_is_told_at_its_place_in_the_revision(repository: Path, capsys: Capture) -> None:
    repository.joinpath("nets/base.yaml").write_text(OLD.replace("type: relu", "type: relux"))
    commit(repository, "three")
    code, _, err = run(capsys, "diff", "--git", "HEAD", "nets/net.yaml")
    assert code == 2
    assert err.startswith("archcost: HEAD:nets/base.yaml:6:6: body.act: unknown layer type")


@pytest.fixture
def _forgetting() -> Generator[None]:
    yield
    for name in ("made", "width"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("repository", "_forgetting")
def test_a_module_as_it_was_with_the_files_that_it_imports(capsys: Capture) -> None:
    pytest.importorskip("torch")
    found = answer(capsys, "--git", "HEAD~1", "made:make", "--input", "4")
    assert [found["changes"][0][side] for side in ("old", "new")] == [20, 40]  # 4·4 + 4 and 4·8 + 8


@pytest.mark.usefixtures("_forgetting")
def test_a_module_that_is_imported_from_the_working_files_is_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repository))
    import_module("width")
    tree = repository.parent / "tree"
    tree.mkdir()
    require_of_revision("width", repository.parent / "elsewhere", repository, "HEAD")
    with pytest.raises(ArchcostError, match="width cannot be had as in HEAD"):
        require_of_revision("width", repository, tree, "HEAD")
    tree.joinpath("width.py").touch()
    with pytest.raises(ArchcostError, match="width cannot be had as in HEAD"):
        require_of_revision("made", repository, tree, "HEAD")
