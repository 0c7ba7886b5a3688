"""At what a long computation is, told to whoever has asked: a command on a terminal, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

_LISTENERS: list[Callable[[str], None]] = []


def tell_stage(stage: str) -> None:
    """Called where a computation that may take seconds goes on to its next part."""
    for listener in _LISTENERS:
        listener(stage)


@contextmanager
def listening(listener: Callable[[str], None]) -> Generator[None]:
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)
