"""Text on a screen: as wide as it is, in colours that say what words say; and on none, whole and plain."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import archcost
from archcost.cli import main
from archcost.report import render
from archcost.report.document import Column, Document, Table
from archcost.report.screen import Screen
from archcost.report.table_width import middle
from archcost.report.text_writer import text

Capture = pytest.CaptureFixture[str]

ROWS = (
    ("stage1.block1.conv1", 1_000_000, "1×64×112×112", "the first of all"),
    ("stage1.block2.conv1", 2_000_000, "1×64×112×112", "the second"),
    ("stage1.block2.conv2", 3_000_000, "1×64×112×112", ""),
)
COLUMNS = (Column("layer"), Column("number of values", "right"), Column("shape"), Column("why it is there"))
TABLE = Document("a table", (Table(COLUMNS, ROWS, ("total", 6_000_000, None, None)),), Table((), ()))

NARROW = """\
a table

               number of
layer             values shape        why it is there
-------------- --------- ------------ ----------------
stage1…1.conv1 1,000,000 1×64×112×112 the first of all
stage1…2.conv1 2,000,000 1×64×112×112 the second
stage1…2.conv2 3,000,000 1×64×112×112
-------------- --------- ------------ ----------------
total          6,000,000
"""


def test_a_narrow_screen_shortens_names_and_breaks_headers() -> None:
    assert text(TABLE, Screen(54)) == NARROW
    assert "stage1.block1.conv1         1,000,000  1×64" in text(TABLE)


def test_no_two_names_become_one_and_no_number_is_cut() -> None:
    narrow = text(TABLE, Screen(10))
    assert len(set(re.findall(r"^stage\S+", narrow, re.MULTILINE))) == 3
    for whole in ("1,000,000", "6,000,000", "1×64×112×112"):
        assert whole in narrow
    assert middle("abcdefghij", 5) == "ab…ij"
    assert middle("abc", 5) == "abc"


@pytest.mark.parametrize("width", [40, 80, 100, 119])
def test_on_screens_of_all_widths_nothing_is_lost(width: int) -> None:
    """Every number of the whole text is in the narrow one. Prose and tables of devices are as wide as the screen."""
    found = archcost.estimate("lenet5", hardware="nvidia-t4")
    whole, narrow = render(found), render(found, screen=Screen(width))
    numbers = re.compile(r"\d[\d,.]*\d")
    assert sorted(numbers.findall(narrow)) == sorted(numbers.findall(whole))
    if width >= 80:
        assert max(map(len, narrow.splitlines())) <= width


def test_verdicts_have_colours_and_the_words_stay() -> None:
    found = archcost.fit("lenet5", hardware=["nvidia-t4", "st-stm32f746"])
    plain, coloured = render(found), render(found, screen=Screen(None, colour=True))
    assert re.sub(r"\x1b\[\d+m", "", coloured).splitlines() == plain.splitlines()
    assert re.search("\x1b\\[32myes *\x1b\\[0m", coloured)
    assert re.search("\x1b\\[31mno *\x1b\\[0m", coloured)
    assert "\x1b" not in plain


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({}, False),  # no terminal
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": ""}, False),
    ],
)
def test_colours_by_the_environment(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], colours: bool
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "20")
    assert main(["fit", "lenet5", "--hardware", "nvidia-t4"]) == 0
    out = capsys.readouterr().out
    assert ("\x1b" in out) is colours
    assert "torch.cuda.max_memory_allocated()" in out  # a pipe has no width, whatever COLUMNS says


def test_json_and_files_have_no_colours(capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["fit", "lenet5", "--hardware", "nvidia-t4", "--format", "json"])
    main(["fit", "lenet5", "--hardware", "nvidia-t4", "-o", str(tmp_path / "fit.txt")])
    assert "\x1b" not in capsys.readouterr().out + (tmp_path / "fit.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is Unix's")
def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import pty
    import struct
    import termios

    monkeypatch.setenv("TERM", "xterm")
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 70, 0, 0))
        os.execv(sys.executable, [sys.executable, "-m", "archcost", "list", "vgg_a"])
    shown = b"".join(iter(read_of(terminal), b""))
    os.waitpid(child, 0)
    lines = shown.decode().split("\x1b[K")[-1].splitlines()  # behind what was said of progress
    assert lines[0] == "\x1b[1mNetworks that ship with archcost (batch 1)\x1b[0m"
    assert 60 < max(map(len, lines[4:])) <= 70


def read_of(terminal: int) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return os.read(terminal, 65536)
        except OSError:  # Linux says so when the process has ended
            return b""

    return read
