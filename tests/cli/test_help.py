"""`--help`, and what is said of a mistake in the words of a command."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from archcost.cli import main
from archcost.cli.examples import EXAMPLES
from archcost.cli.hardware_commands import ENTRIES
from archcost.cli.parser import COMMANDS, GROUPS

Capture = pytest.CaptureFixture[str]

NAMES = [entry.name for entry in (*COMMANDS, *ENTRIES)]
NEEDS = {"verify": "fvcore", "export": "onnx", "plot": "matplotlib", "report": "bokeh"}
"""A package of an extra, by the command that needs it."""

TAKES_LONG = {"hardware calibrate", "hardware check"}
"""Seconds, and what comes of them."""


def test_the_commands_are_listed_in_groups(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.endswith(":")] == [f"{title}:" for title in GROUPS]
    for entry in COMMANDS:
        assert f"\n  {entry.name} " in out
    assert max(map(len, out.splitlines())) <= 98


@pytest.mark.parametrize("name", NAMES)
def test_a_command_has_options_and_examples(name: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: archcost {name} ")
    for command, told in EXAMPLES[name]:
        assert f"\n  {command}\n      {told}\n" in out


def test_help_is_a_word_as_well(capsys: Capture) -> None:
    assert main(["help", "fit"]) == 0
    assert capsys.readouterr().out.startswith("usage: archcost fit ")


def test_there_are_examples_of_nothing_else() -> None:
    assert sorted(EXAMPLES) == sorted(NAMES)


def test_each_example_runs(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the commands, in one folder, since check reads what lock has written."""
    monkeypatch.chdir(tmp_path)
    for name in EXAMPLES.keys() - TAKES_LONG:
        if name in NEEDS:
            pytest.importorskip(NEEDS[name])
    for name, examples in EXAMPLES.items():
        for command, _ in [] if name in TAKES_LONG else examples:
            code = main(shlex.split(command)[1:])
            captured = capsys.readouterr()
            assert (code, captured.err) == (1 if "--batch 256" in command else 0, ""), command


def test_several_devices_behind_one_option(capsys: Capture) -> None:
    assert main(["fit", "--hardware", "4090", "t4", "lenet5", "-q"]) == 0
    assert capsys.readouterr().out == "lenet5, batch 1, fits on 2 of 2 devices\n"


def test_a_message_neither_moves_the_cursor_nor_floods(capsys: Capture) -> None:
    assert main(["summary", "lenet5", "\x1b[31mred", "x" * 5000]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\\x1b[31mred" in err
    assert len(err) < 2_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("sumary lenet5", "argument COMMAND: invalid choice: 'sumary'\n  expected: one of list, "),
        ("sumary lenet5", "\n  try: 'summary'\n"),
        ("fit lenet5 --hardwre t4", "unrecognized arguments: --hardwre t4\n  try: --hardware\n"),
        ("fit lenet5 --sort tim", "\n  try: 'time'\n"),
        ("fit lenet5 other", "unrecognized arguments: other\n  try: archcost fit --help\n"),
        ("hardware shw nvidia-t4", "\n  try: 'show'\n"),
        ("vgg_d", "\n  try: archcost summary vgg_d\n"),
        ("list --json", "unrecognized arguments: --json\n  try: --format json\n"),
        (
            "layers Dense",
            "\n  found: 'Dense'\n  try: 'linear'\n",
        ),
        ("hardware list --vendr AMD", "unrecognized arguments: --vendr\n  try: --vendor\n"),
        (
            "show lenet5 --freeze conv1 fc5 --set a=1 b=2",
            "unrecognized arguments: fc5 b=2\n  try: an option before each value, as in --freeze A --freeze B\n",
        ),
    ],
)
def test_the_nearest_word_is_offered(words: str, message: str, capsys: Capture) -> None:
    assert main(words.split()) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", ["lenet5 --freeze conv1 fc5", "--freeze conv1 fc5 lenet5", "--freeze conv1 fc5 -q lenet5"]
)
def test_an_option_takes_several_words(words: str, capsys: Capture) -> None:
    assert main(["summary", *words.split(), "--columns", "name,trainable", "--format", "csv"]) == 0
    out = capsys.readouterr().out
    if "-q" in words:
        assert out == "lenet5 (freeze conv1,fc5), batch 1: 61,706 parameters, 416,520 MACs\n"
    else:
        assert "\nconv1,0," in out
        assert "\nfc5,0," in out
        assert "\nfc6,10164," in out  # 84·120 + 84
