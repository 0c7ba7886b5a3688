"""Progress of a long command on standard error; nothing where that is no terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

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
