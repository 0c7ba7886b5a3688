"""Files that are written whole or not at all, by one process after the other; and which files were read."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from archcost.errors import ArchcostError, shorten

_recorded_reads: ContextVar[list[Path] | None] = ContextVar("noted", default=None)


@contextmanager
def recording_reads() -> Generator[list[Path]]:
    """The files that are read inside."""
    files: list[Path] = []
    token = _recorded_reads.set(files)
    try:
        yield files
    finally:
        _recorded_reads.reset(token)


def record_read(path: Path) -> None:
    """Note that a file which the user named was read."""
    files = _recorded_reads.get()
    if files is not None:
        files.append(path)


FIRST_BYTES = 4_096
"""Bytes that are looked at where the beginning of a file tells what it is."""


def first_bytes(path: str | Path) -> bytes:
    """Nothing where there is no such file, or what is no file of a disk: it cannot be lost. Raises ArchcostError."""
    if file_status(path) is None:
        return b""
    with _as_archcost_error(path), open(path, "rb") as stream:
        return stream.read(FIRST_BYTES)


def file_status(path: str | Path) -> os.stat_result | None:
    """The status of a regular file; None for anything else."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def lines_in(content: bytes) -> list[str]:
    return [line.rstrip() for line in content.decode(errors="replace").split("\n")]


def foreign_file(path: str | Path, kind: str, before: bytes) -> ArchcostError:
    """What is said of a file, with this at its beginning, that archcost has not written."""
    first = lines_in(before)[0]
    return ArchcostError(
        f"{path}: is there, and would be overwritten",
        expected=f"a new file, or {kind}",
        found=shorten(first) if first.isprintable() else shorten(before[:12]),
        hint="another name, or remove it first",
    )


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file by a temporary one in its folder and a rename, so that nobody ever sees half of it.

    A link keeps leading where it led, and the file keeps its permissions. What is no file of a disk (`/dev/null`, a
    pipe) is written to directly. Raises ArchcostError, and leaves nothing behind then.
    """
    with _as_archcost_error(path):
        before = _status(path)
        if before is not None and not stat.S_ISREG(before.st_mode):
            Path(path).write_bytes(content)
            return
        target = os.path.realpath(path)
        if before is not None and not os.access(target, os.W_OK):  # a rename does not ask
            raise PermissionError(13, "Permission denied")
        _replace(target, content, None if before is None else stat.S_IMODE(before.st_mode))


def _status(path: str | Path) -> os.stat_result | None:
    """The status of a path; None where there is nothing."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _replace(target: str, content: bytes, mode: int | None) -> None:
    temporary = os.path.join(os.path.dirname(target), f".archcost-{os.urandom(8).hex()}.tmp")
    opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(opened, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(opened)  # else a crash may leave the new name and no content
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


@contextmanager
def exclusively(path: Path) -> Generator[None]:
    """Inside, no other process is inside for this file. Its folder must be there. Raises ArchcostError.

    A file beside it is locked and removed again. The file itself could not be: it is another one after each rename.
    """
    real = Path(os.path.realpath(path))
    guard = str(real.with_name(f".{real.name}.busy"))
    with _as_archcost_error(path):
        opened = _locked(guard)
    try:
        yield
    finally:
        if sys.platform == "win32":  # there no open file can be removed, whether one's own or of one who waits
            os.close(opened)
            with suppress(OSError):
                os.unlink(guard)
        else:
            with suppress(OSError):
                os.unlink(guard)
            os.close(opened)


def _locked(guard: str) -> int:
    while True:
        opened = os.open(guard, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _wait_for(opened)
            if _is_same_file(opened, guard):
                return opened
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)  # who held it has removed it while we waited: the next one is another file


def _is_same_file(opened: int, guard: str) -> bool:
    there = _status(guard)
    return there is not None and os.path.samestat(os.fstat(opened), there)


def _wait_for(opened: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        while True:
            with suppress(OSError):  # it gives up after ten seconds
                msvcrt.locking(opened, msvcrt.LK_LOCK, 1)
                return
    else:
        import fcntl

        fcntl.flock(opened, fcntl.LOCK_EX)


@contextmanager
def _as_archcost_error(path: str | Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ArchcostError(f"{path}: cannot be written: {error.strerror or error}") from None
