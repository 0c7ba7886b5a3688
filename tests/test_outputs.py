"""What `-o` replaces: its own kind. What it never does: an input, or what archcost has not written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import archcost
from archcost.cli import main
from archcost.spec.load import loads

Capture = pytest.CaptureFixture[str]

NET = """\
# mine
name: mine
input: [3]
layers: [{type: linear, out_features: 5}]
"""

HERE = Path(__file__).parent
PROFILE = HERE.parent / "archcost" / "hardware" / "profiles" / "nvidia-t4.yaml"

COMMANDS = {
    "summary": "summary mine.yaml",
    "explain": "explain mine.yaml",
    "compare": "compare mine.yaml mlp",
    "diff": "diff mine.yaml mlp",
    "estimate": "estimate mine.yaml --hardware card.yaml",
    "timeline": "timeline mine.yaml",
    "fit": "fit mine.yaml --hardware card.yaml",
    "check": "check held.lock",
    "lock": "lock mine.yaml",
    "import": "import mine.yaml",
    "export": "export mine.yaml",
    "report": "report mine.yaml --hardware card.yaml",
    "schema": "schema",
    "hardware list": "hardware list",
    "hardware show": "hardware show card.yaml",
    "hardware check": "hardware check card.yaml",
}
"""Each command as it is run here; `list` takes long, and `verify` needs torch and has a test of its own."""

KINDS = {
    "lock": "a lock that archcost wrote",
    "import": "a spec of this network as archcost import wrote it, unchanged since",
    "export": "an ONNX file that archcost export wrote",
    "report": "an earlier page of archcost report on the same networks",
}

NEEDED = {"export": "onnx", "report": "bokeh"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(NET)
    profile = PROFILE.read_text().replace("name: nvidia-t4", "name: my-card", 1)
    (tmp_path / "card.yaml").write_text(profile)
    (tmp_path / "work.py").write_text("print('mine')\n")
    assert main(["lock", "mine.yaml", "-o", "held.lock"]) == 0
    return tmp_path


def run(capsys: Capture, words: str, *more: str) -> tuple[int, str, str]:
    code = main([*words.split(), *more])
    told = capsys.readouterr()
    return code, told.out, told.err


def needed(command: str) -> None:
    if command in NEEDED:
        pytest.importorskip(NEEDED[command])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_replaces_what_it_wrote(command: str, folder: Path, capsys: Capture) -> None:
    needed(command)
    before = set(os.listdir(folder))
    assert run(capsys, COMMANDS[command], "-o", "out") == (0, "", "")
    written = (folder / "out").read_bytes()
    assert run(capsys, COMMANDS[command], "-o", "out") == (0, "", "")
    assert (folder / "out").read_bytes() == written
    assert set(os.listdir(folder)) - before == {"out"}, "nothing else is left"
    (folder / "out").write_bytes(b"")
    assert run(capsys, COMMANDS[command], "-o", "out") == (0, "", "")
    assert (folder / "out").read_bytes() == written


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_replaces_nothing_else(command: str, folder: Path, capsys: Capture) -> None:
    needed(command)
    code, out, err = run(capsys, COMMANDS[command], "-o", "work.py")
    kind = KINDS.get(command, "an earlier report of this kind on the same network")
    assert (code, out) == (2, "")
    assert err == (
        "archcost: work.py: is there, and would be overwritten\n"
        f"  expected: a new file, or {kind}\n"
        "  found: \"print('mine')\"\n"
        "  try: another name, or remove it first\n"
    )
    assert (folder / "work.py").read_text() == "print('mine')\n"


INPUTS = [
    *[(words, word) for words in COMMANDS.values() for word in words.split() if word.endswith((".yaml", ".lock"))],
    ("summary", "mine.yaml"),
]


@pytest.mark.parametrize(("words", "input"), dict.fromkeys(pair for pair in INPUTS if " " in pair[0]))
def test_an_input_stays(words: str, input: str, folder: Path, capsys: Capture) -> None:
    needed(words.partition(" ")[0])
    text = (folder / input).read_text()
    code, out, err = run(capsys, words, "-o", input)
    assert (code, out) == (2, "")
    assert err == (
        f"archcost: {input}: would be overwritten, and this command reads it\n"
        "  expected: a file that is not read\n"
        f"  found: {input}\n"
        "  try: another name after -o\n"
    )
    assert (folder / input).read_text() == text


@pytest.mark.parametrize("way", ["other path", "symbolic link", "hard link", "extended"])
def test_an_input_by_another_name_stays(way: str, folder: Path, capsys: Capture) -> None:
    """Also where archcost wrote it: an imported spec would else be replaced by `import`."""
    assert main(["import", "mine.yaml", "-o", "net.yaml"]) == 0
    text = (folder / "net.yaml").read_text()
    network, output = "net.yaml", "other.yaml"
    match way:
        case "other path":
            output = f"../{folder.name}/./net.yaml"
        case "symbolic link":
            (folder / output).symlink_to("net.yaml")
        case "hard link":
            (folder / output).hardlink_to(folder / "net.yaml")
        case _:
            (folder / "wide.yaml").write_text("extends: net.yaml\nname: wide\n")
            network, output = "wide.yaml", "net.yaml"
    code, _, err = run(capsys, "import", network, "-o", output)
    assert (code, err.splitlines()[0]) == (2, f"archcost: {output}: would be overwritten, and this command reads it")
    assert (folder / "net.yaml").read_text() == text


def test_an_onnx_file_that_is_read_stays(folder: Path, capsys: Capture) -> None:
    pytest.importorskip("onnx")
    assert main(["export", "mine.yaml", "-o", "net.onnx"]) == 0
    content = (folder / "net.onnx").read_bytes()
    for command in ("export", "summary", "import", "lock"):
        code, _, err = run(capsys, command, "net.onnx", "-o", "net.onnx")
        assert (code, err.splitlines()[3]) == (2, "  try: another name after -o")
    assert (folder / "net.onnx").read_bytes() == content


def test_an_onnx_file_of_another_stays(folder: Path, capsys: Capture) -> None:
    onnx = pytest.importorskip("onnx")
    assert main(["export", "mine.yaml", "-o", "net.onnx"]) == 0
    model = onnx.load("net.onnx")
    model.producer_name = "pytorch"
    onnx.save(model, "net.onnx")
    code, _, err = run(capsys, "export", "mine.yaml", "-o", "net.onnx")
    assert (code, err.splitlines()[1]) == (2, f"  expected: a new file, or {KINDS['export']}")


def test_a_module_that_is_run_stays(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    (folder / "own_nets").mkdir()
    (folder / "own_nets" / "__init__.py").write_text("")  # empty, and yet read
    (folder / "own_nets" / "small.py").write_text("from torch import nn\n\ndef make():\n    return nn.Linear(3, 5)\n")
    argv = ("summary", "own_nets.small:make", "--input", "3")
    for module in ("__init__.py", "small.py"):
        code, _, err = run(capsys, *argv, "-o", f"own_nets/{module}")
        assert (code, err.splitlines()[0]) == (
            2,
            f"archcost: own_nets/{module}: would be overwritten, and this command reads it",
        )


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "html", "csv", "json"])
def test_a_report_with_other_settings_is_of_the_same_kind(format: str, folder: Path, capsys: Capture) -> None:
    words = f"timeline mine.yaml --format {format}"
    assert run(capsys, words, "-o", "out") == (0, "", "")
    assert run(capsys, words, "--batch", "2048", "--precision", "bf16", "-o", "out") == (0, "", "")
    assert run(capsys, words, "--batch", "4", "-o", "out") == (0, "", "")
    other = "csv" if format != "csv" else "text"
    assert run(capsys, "timeline mine.yaml", "--format", other, "-o", "out")[0] == 2
    table = "hardware list --format " + (format if format != "json" else "csv")
    assert run(capsys, table, "-o", "out")[0] == 2, "another report stays"


def test_an_imported_spec_that_was_edited_stays(folder: Path, capsys: Capture) -> None:
    for name, comment in (("net.yaml", "# by hand\n"), ("net.json", " ")):
        assert run(capsys, "import", "mine.yaml", "-o", name) == (0, "", "")
        assert run(capsys, "import", "mine.yaml", "--input", "4", "-o", name) == (0, "", "")
        text = (folder / name).read_text()
        assert run(capsys, "import", "mlp", "-o", name)[0] == 2, "another network stays"
        (folder / name).write_text(comment + text)
        assert run(capsys, "import", "mine.yaml", "-o", name)[0] == 2
        assert (folder / name).read_text() == comment + text


@pytest.mark.parametrize("name", ["vgg_d", "unet", "mixtral_8x7b"])
def test_a_network_is_known_again_as_imported(name: str) -> None:
    """What `archcost import` wrote is read and written again to the same text."""
    text = archcost.load(name).to_yaml()
    assert loads(text).to_yaml() == text


def test_tables_of_a_lock_stay(folder: Path, capsys: Capture) -> None:
    assert run(capsys, "lock mlp mine.yaml -o all.lock") == (0, "", "")
    both = (folder / "all.lock").read_text()
    assert run(capsys, "lock mine.yaml -o all.lock") == (0, "", "")
    assert (folder / "all.lock").read_text() == both == run(capsys, "lock mine.yaml mlp")[1]
    assert run(capsys, "lock mine.yaml --batch 2 -o all.lock") == (0, "", "")
    heads = [line for line in (folder / "all.lock").read_text().splitlines() if line.startswith("network")]
    assert heads == ["network mine.yaml --batch 1", "network mine.yaml --batch 2", "network mlp --batch 1"]


def test_a_damaged_lock_is_not_replaced(folder: Path, capsys: Capture) -> None:
    text = (folder / "held.lock").read_text() + "<<<<<<< HEAD\n"
    (folder / "held.lock").write_text(text)
    code, _, err = run(capsys, "lock mine.yaml -o held.lock")
    assert (code, err) == (
        2,
        "archcost: held.lock:9:1: the lock file is damaged\n"
        "  expected: network NAME --batch N, or a comment\n"
        "  found: '<<<<<<< HEAD'\n"
        "  try: remove it, and write it again: archcost lock\n",
    )
    assert (folder / "held.lock").read_text() == text


def test_a_report_of_verify(folder: Path, capsys: Capture) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("fvcore")
    assert run(capsys, "verify mine.yaml -o out") == (0, "", "")
    assert run(capsys, "verify mine.yaml -o out") == (0, "", "")
    assert run(capsys, "verify mine.yaml -o work.py")[0] == 2
    assert run(capsys, "verify mine.yaml -o mine.yaml")[0] == 2
