"""The command line in process: output, exit codes, and what is said of wrong input."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import archcost
from archcost.cli import main
from archcost.cli.options import TABLE_FORMATS, WORKING_FORMATS
from archcost.spec import zoo
from tests.report.networks import ODD

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_summary(capsys: Capture) -> None:
    code, out, err = run(capsys, "summary", "vgg_d")
    assert (code, err) == (0, "")
    assert (
        "\nstage1.conv1  conv2d      1×64×224×224         1,792      86,704,128     173,408,256     173,408,256\n"
        in out
    )
    assert "one step of training        92,648,177,664 " in out


def test_summary_json_is_the_contract_s(capsys: Capture) -> None:
    code, out, _ = run(capsys, "summary", "vgg_d", "--batch", "2", "--format", "json")
    data = json.loads(out)
    assert code == 0
    assert (data["schema"], data["network"], data["batch"], data["unknown"]) == ("archcost.summary/1", "vgg_d", 2, [])
    assert data["totals"]["parameters"] == data["totals"]["trainable_parameters"] == 138_357_544
    assert data["totals"]["macs"] == 2 * 15_470_264_320
    first = data["layers"][0]
    assert (first["name"], first["type"], first["inputs"]) == ("stage1.conv1", "conv2d", ["image"])
    assert (first["output_shapes"], first["parameters"], first["receptive_field"]) == (
        [[2, 64, 224, 224]],
        1792,
        [3, 3],
    )


@pytest.mark.parametrize("format", TABLE_FORMATS)
@pytest.mark.parametrize("command", [["summary", "mlp"], ["compare", "mlp", "lenet5"], ["list"]])
def test_every_table_in_every_format(capsys: Capture, command: list[str], format: str) -> None:
    code, out, err = run(capsys, *command, "--format", format)
    assert (code, err) == (0, "")
    assert out.endswith("\n")
    # 784·300 + 300 + 300·100 + 100 + 100·10 + 10, of which 784·300 + 300 in the first layer; csv has no totals
    number = "235500,300" if command[0] == "summary" and format == "csv" else "266610"
    assert number in (out if "," in number else out.replace(",", ""))


@pytest.mark.parametrize("format", WORKING_FORMATS)
def test_explain_in_every_format(capsys: Capture, format: str) -> None:
    code, out, _ = run(capsys, "explain", "mlp", "fc1", "--format", format)
    assert code == 0
    assert "235500" in out.replace(",", "").replace("{}", "")  # (784 + 1)·300


def test_list_has_every_network_with_its_figures(capsys: Capture) -> None:
    code, out, _ = run(capsys, "list", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["name"] for row in rows] == list(zoo.names())
    vgg = next(row for row in rows if row["name"] == "vgg_d")
    assert (vgg["parameters"], vgg["macs"]) == ("138357544", "15470264320")
    assert "Simonyan and Zisserman" in vgg["citation"]


def test_options_of_a_run(capsys: Capture) -> None:
    argv = ("summary", "vgg_d", "--set", "depth3=4", "--input", "3x64x64", "--batch", "2", "--depth", "1")
    code, out, _ = run(capsys, *argv, "--format", "json")
    parts = json.loads(out)["layers"]
    assert code == 0
    assert (parts[2]["name"], parts[2]["folded_layers"], parts[2]["output_shapes"]) == ("stage3", 9, [[2, 256, 8, 8]])


@pytest.mark.parametrize(
    "argv",
    [
        ["explain", "vgg_d", "--batch", "2", "fc6"],
        ["explain", "--batch", "2", "vgg_d", "fc6"],
        ["explain", "vgg_d", "fc6", "--batch", "2"],
    ],
)
def test_names_and_options_in_any_order(capsys: Capture, argv: list[str]) -> None:
    code, out, _ = run(capsys, *argv)
    assert code == 0
    assert "\nfc6 (linear): flatten1 2×25088 → 2×4096\n" in out


def test_options_between_networks(capsys: Capture) -> None:
    code, out, _ = run(capsys, "compare", "mlp", "--batch", "3", "lenet5", "vgg_a", "--format", "csv")
    assert (code, out.splitlines()[:2]) == (0, [",mlp,lenet5,vgg_a", "batch,3,3,3"])


def test_arguments_are_for_the_callables_of_a_comparison(capsys: Capture) -> None:
    pytest.importorskip("torch")
    argv = ("compare", "mlp", "torch.nn:Linear", "--args", "[784, 10]", "--input", "784", "--format", "csv")
    code, out, _ = run(capsys, *argv)
    assert code == 0
    assert "parameters,266610,7850\n" in out  # 784·10 + 10
    code, _, error = run(capsys, "compare", "mlp", "lenet5", "--args", "[784, 10]")
    assert (code, error.splitlines()[0]) == (2, "archcost: --args belongs to a callable")


def test_output_goes_to_a_file(capsys: Capture, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "summary", "mlp", "-o", str(tmp_path / "mlp.txt"))
    assert (code, out) == (0, "")
    assert (tmp_path / "mlp.txt").read_text(encoding="utf-8") == run(capsys, "summary", "mlp")[1]


def test_a_file_that_cannot_be_written(capsys: Capture, tmp_path: Path) -> None:
    code, _, err = run(capsys, "summary", "mlp", "-o", str(tmp_path / "no" / "mlp.txt"))
    assert (code, err) == (2, f"archcost: {tmp_path}/no/mlp.txt: cannot be written: No such file or directory\n")


WRONG = [
    ([], "the following arguments are required: COMMAND\n  try: archcost --help"),
    (["summary"], "the following arguments are required: NETWORK\n  try: archcost summary --help"),
    (["summary", "mlp", "more"], "unrecognized arguments: more\n  try: archcost summary --help"),
    (
        ["summary", "mlp", "--batch", "0"],
        "argument --batch: the number of samples is an integer from 1 to 2,147,483,647, not '0'\n"
        "  try: archcost summary --help",
    ),
    (
        ["summary", "mlp", "--depth", "x"],
        "argument --depth: the number of names to fold at is an integer from 1 to 2,147,483,647, not 'x'\n"
        "  try: archcost",
    ),
    (
        ["explain", "mlp", "--format", "html"],
        "argument --format: invalid choice: 'html'\n  expected: one of text, markdown, latex, json\n"
        "  try: archcost explain --help",
    ),
    (
        ["explain", "mlp", "fc9"],
        "mlp has no layer 'fc9'\n  expected: the name of a layer or of a block\n  found: 'fc9'\n  try:",
    ),
    (["summary", "vgg_dd"], "unknown network 'vgg_dd'\n"),
    (["summary", "no.yaml"], "no.yaml:1:1: no such file"),
    (["check", "no.lock"], "no.lock:1:1: no such file"),
    (["summary", "mlp", "--set", "a=1"], "--set: the network has no parameter 'a'\n"),
    (["summary", "mlp", "--input", "0"], "--input cannot be used\n"),
    (["compare", "mlp"], "the following arguments are required: NETWORK\n  try: archcost compare --help"),
    (["compare", "mlp", "nope"], "unknown network 'nope'\n"),
    (["lock", "nope"], "unknown network 'nope'\n"),
]


@pytest.mark.parametrize(("argv", "message"), WRONG, ids=[" ".join(argv) or "nothing" for argv, _ in WRONG])
def test_wrong_input_is_one_message_and_exit_code_2(capsys: Capture, argv: list[str], message: str) -> None:
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.startswith(f"archcost: {message}")
    assert "Traceback" not in err


def test_an_unknown_command_names_the_known_ones(capsys: Capture) -> None:
    code, _, err = run(capsys, "sumary", "mlp")
    assert code == 2
    assert "'sumary'" in err
    assert "'summary'" in err


def test_help_and_version(capsys: Capture) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(
        f"\n  {name} " in out for name in ("list", "summary", "explain", "compare", "verify", "lock", "check", "schema")
    )
    assert run(capsys, "--version") == (0, f"archcost {archcost.__version__}\n", "")
    assert run(capsys, "summary", "--help")[0] == 0


def test_debug_shows_the_traceback(capsys: Capture) -> None:
    with pytest.raises(archcost.ArchcostError):
        main(["summary", "nope", "--debug"])


def test_strict_fails_on_an_unknown_cost(capsys: Capture, tmp_path: Path) -> None:
    assert run(capsys, "summary", "mlp", "--strict")[0] == 0
    odd = tmp_path / "odd.yaml"
    odd.write_text(ODD)
    for command in ("summary", "explain", "compare", "lock", "timeline", "fit", "verify"):
        networks = [str(odd), str(odd)] if command == "compare" else [str(odd)]
        code, out, err = run(capsys, command, *networks, "--strict")
        assert (code, out) == (1, "")
        assert err == "archcost: odd: the operations of 1 layer are not known\n  found: odd.spectrum\n"
    assert run(capsys, "summary", str(odd))[0] == 0


def test_an_opaque_layer_cannot_be_built(capsys: Capture, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    odd = tmp_path / "odd.yaml"
    odd.write_text(ODD)
    code, out, err = run(capsys, "verify", str(odd))
    assert (code, out) == (2, "")
    assert err == (
        f"archcost: {odd}:6:5: odd.spectrum: an opaque layer cannot be built\n"
        "  expected: layers that say what they compute\n"
        "  found: aten::fft_rfft2, of which only shapes were observed\n"
    )


def test_an_internal_error_is_told_without_a_traceback(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("archcost.cli.layer_commands.cost_of", broken)
    code, _, err = run(capsys, "summary", "mlp")
    assert code == 2
    assert err.startswith("archcost: internal error: ZeroDivisionError: oops\n")
    with pytest.raises(ZeroDivisionError):
        main(["summary", "mlp", "--debug"])


def test_an_interrupt_is_quiet(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("archcost.cli.layer_commands.cost_of", interrupted)
    assert run(capsys, "summary", "mlp") == (130, "", "")


def archcost_process(*argv: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archcost", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


def test_as_a_process_from_any_folder(tmp_path: Path) -> None:
    done = archcost_process("summary", "mlp", cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "fc1       linear   1x300            235,500" in done.stdout  # × on a terminal that has none


def test_messages_on_a_terminal_without_our_characters(tmp_path: Path) -> None:
    done = archcost_process("summary", "lenet5", "--input", "1x2x2", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2
    assert "found: -2x-2 from 1x1x2x2 (image)" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
def test_an_output_that_takes_no_more() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "archcost", "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == "archcost: the output cannot be written: No space left on device\n"


def test_an_interruption_while_it_is_imported() -> None:
    script = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "archcost.cli.parser":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from archcost.cli import main
sys.exit(main(["list"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_closed_pipe_is_quiet() -> None:
    command = f"'{sys.executable}' -m archcost explain vgg_d | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines()[1] == "0"


def test_verify_without_torch_says_what_is_missing() -> None:
    script = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else found(name, *rest)
from archcost import cli
from archcost.cli import main
sys.exit(main(["verify", "mlp"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "archcost: this needs torch, which is not installed\n  try: pip install archcost[torch]\n"


def test_summary_imports_only_what_it_needs() -> None:
    script = """
import sys
from archcost import cli
from archcost.cli import main
main(["summary", "vgg_d", "--output", "/dev/null"])
heavy = {"networkx", "torch", "numpy", "difflib", "json.encoder"} | {
    "archcost.comparison.compare", "archcost.report.explain"
}
if sys.version_info >= (3, 13):
    heavy -= {"json.encoder"}  # importlib.metadata has it, and pydantic has that
print(sorted(heavy & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


class TestVerify:
    """The exit code follows the verification."""

    def test_agreement(self, capsys: Capture) -> None:
        pytest.importorskip("torch")
        pytest.importorskip("fvcore")
        code, out, _ = run(capsys, "verify", "mlp", "--batch", "2")
        assert code == 0
        assert re.search(r"FLOPs backward +1,188,800 +1,188,800 +7 of 7", out)  # 2 · 594,400, as summary mlp has them

    def test_settings_of_a_step_without_one(self, capsys: Capture) -> None:
        code, out, err = run(capsys, "verify", "mlp", "--optimizer-impl", "loop", "--no-in-place")
        assert (code, out) == (2, "")
        assert err == (
            "archcost: no step is run\n  expected: --measure with settings of one\n"
            "  found: --optimizer-impl, --in-place\n"
        )

    def test_disagreement(self, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("torch")
        pytest.importorskip("fvcore")
        from archcost.pytorch.crosscheck import Check, Verification

        wrong = Verification("mlp", "cpu", (Check("parameters", "fc1", 1, 2, "torch", agrees=False),))
        monkeypatch.setattr("archcost.pytorch.verify", lambda *_, **__: wrong)
        code, out, _ = run(capsys, "verify", "mlp")
        assert code == 1
        assert "1 of 1 numbers differ." in out
