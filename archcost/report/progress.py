"""Progress of a long command on standard error; nothing where that is no terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType
from typing import TextIO

FIRST, EACH = 1.0, 0.5
"""Seconds after which a command says that it is at work, and between two times."""

LONGEST = 79
"""Characters of a line, which a terminal does not break; of a narrower one fewer."""

WIDTH = 24
SELDOM = 0.1
"""Seconds between two pictures."""


class Progress:
    """A bar that is drawn over itself; an interruption is told with what is kept."""

    def __init__(self, doing: str, of: str, stream: TextIO | None = None) -> None:
        self.doing, self.of = doing, of
        self.stream = stream or sys.stderr
        self.began = time.monotonic()
        self.shown = 0.0
        self.done = self.total = 0

    def __call__(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        now = time.monotonic()
        if self.stream.isatty() and (now - self.shown > SELDOM or done == total):
            self.shown = now
            self.stream.write(f"\r{self}\x1b[K")
            self.stream.flush()

    def __str__(self) -> str:
        full = WIDTH * self.done // self.total if self.total else WIDTH
        passed = time.monotonic() - self.began
        return (
            f"{self.doing} [{'#' * full}{'.' * (WIDTH - full)}] {self.done} of {self.total} {self.of}, {passed:.0f} s"
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.stream.isatty():
            self.stream.write("\n")
        if kind is KeyboardInterrupt:
            told = f"{self.doing}: interrupted after {self.done} of {self.total} {self.of}; the same command goes on"
            print(told, file=self.stream)


def _longest(stream: TextIO) -> int:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:  # none of a system's terminals
        return LONGEST
    return min(LONGEST, columns - 1) if columns else LONGEST


class Elapsed:
    """For how long a command has been at work, and at what, as far as it tells: from its first second on, in one line
    that is gone when it is done.
    """

    def __init__(self, doing: str, stream: TextIO | None = None) -> None:
        self.doing, self.stage = doing, ""
        self.stream = stream or sys.stderr
        self.longest = _longest(self.stream)
        self.began = time.monotonic()
        self._drawn = 0  # characters, at most
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def at(self, stage: str) -> None:
        self.stage = stage
        if time.monotonic() - self.began >= FIRST:
            self._draw()

    def _tick(self) -> None:
        waits = FIRST
        while not self._done.wait(waits):
            self._draw()
            waits = EACH

    def _draw(self) -> None:
        with self._lock:
            if not self._done.is_set():
                line = str(self)
                self._drawn = max(self._drawn, len(line))
                self.stream.write(f"\r{line}\x1b[K")
                self.stream.flush()

    def __str__(self) -> str:
        stage = f", {self.stage}" if self.stage else ""
        return f"{self.doing}: {time.monotonic() - self.began:.0f} s{stage}"[: self.longest]

    def __enter__(self) -> Elapsed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._done.set()
        self._thread.join()
        if self._drawn:
            blank = " " * self._drawn  # a notebook knows no code that clears a line
            self.stream.write(f"\r{blank}\r\x1b[K")
            self.stream.flush()
