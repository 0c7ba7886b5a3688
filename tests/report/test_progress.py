"""Progress of what takes long: on a terminal's standard error, and nowhere else."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from select import select

import pytest

from archcost.cli import main
from archcost.files.stage import listening, tell_stage
from archcost.report import progress
from archcost.report.progress import Elapsed

Capture = pytest.CaptureFixture[str]
COMMAND = ["fit", "mlp", "--hardware", "nvidia-t4", "--hardware", "nvidia-a10"]


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, first: float = 0.0, kind: str = "xterm") -> Generator[Callable[[], str]]:
    """A terminal in the place of standard error, where everything takes long; what its screen shows."""
    screen, keyboard = pty.openpty()

    def seen() -> str:
        shown = b""
        while select([screen], [], [], 0.2)[0]:  # what was written may take a moment to come
            shown += os.read(screen, 100_000)
        return shown.decode()

    with os.fdopen(keyboard, "w") as stream, monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stream)
        patched.setattr(progress, "FIRST", first)
        patched.setenv("TERM", kind)
        yield seen
    os.close(screen)


def test_a_command_says_on_a_terminal_at_what_it_is(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with terminal(monkeypatch) as seen:
        assert main(COMMAND) == 0
        shown = seen()
    assert "\rarchcost fit mlp: 0 s, nvidia-t4\x1b[K" in shown
    assert ", nvidia-a10\x1b[K" in shown
    assert shown.endswith("\r\x1b[K")  # and leaves an empty line
    assert "fits on 2 of 2 devices" in capsys.readouterr().out


def test_json_is_nothing_but_json(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with terminal(monkeypatch) as seen:
        assert main([*COMMAND, "--format", "json"]) == 0
        assert "archcost fit mlp" in seen()
    assert capsys.readouterr().out.startswith("{")


def test_a_pipe_is_told_nothing(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.0)
    assert main(COMMAND) == 0
    assert capsys.readouterr().err == ""


def test_of_what_is_quick_nothing_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with terminal(monkeypatch, first=3600.0) as seen:
        assert main(COMMAND) == 0
        assert seen() == ""


def test_a_line_is_never_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as seen:
        with Elapsed("archcost") as elapsed, listening(elapsed.at):
            tell_stage("x" * 500)
        assert max(map(len, seen().replace("\x1b[K", "\r").split("\r"))) == 79


def test_a_terminal_that_cannot_clear_a_line_is_told_nothing(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with terminal(monkeypatch, kind="dumb") as seen:
        assert main(COMMAND) == 0
        assert seen() == ""
