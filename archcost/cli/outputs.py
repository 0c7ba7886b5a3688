"""What `-o FILE` may replace: nothing that the command read, and nothing but what archcost wrote.

A file may be new or empty. Otherwise it has to begin as what archcost writes there now: a report with the first line
of one on the same network, JSON and CSV with the same schema or columns, a spec exactly as `archcost import` writes
it, an ONNX file of our export, a lock. What is replaced is told by its content, so no list has to be kept anywhere.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from archcost.errors import ArchcostError, SpecError
from archcost.files.write import FIRST_BYTES, file_status, first_bytes, foreign_file, lines_in, write_whole


def save(kind: str, output: str, written: str | bytes, inputs: Iterable[Path]) -> None:
    """Write what a command has made; `kind` is report, page, spec, lock, onnx, calibration, picture or sheet, and
    `inputs` are the files that it read.

    Raises ArchcostError where FILE is an input, cannot be written, or holds what is not of that kind.
    """
    _require_no_input(output, inputs)
    if kind == "picture":
        _save_picture(output, written)
    elif kind == "sheet":
        _save_sheet(output, written)
    elif isinstance(written, bytes):
        _save_onnx(output, written)
    elif kind == "lock":
        _save_lock(output, written)
    elif kind == "page":
        _save_page(output, written)
    elif kind == "calibration":
        _save_calibration(output, written)
    elif kind == "spec":
        _save_spec(output, written)
    else:
        _save_report(output, written)


def _save_report(output: str, written: str) -> None:
    content = written.encode()
    before = first_bytes(output)
    if before and _opening(before) != _opening(content[:FIRST_BYTES]):
        raise foreign_file(output, "an earlier report of this kind on the same network", before)
    write_whole(output, content)


def _save_page(output: str, written: str) -> None:
    content = written.encode()
    before = first_bytes(output)
    if before and lines_in(before)[0] != lines_in(content[:FIRST_BYTES])[0]:
        raise foreign_file(output, "an earlier page of archcost report on the same networks", before)
    write_whole(output, content)


def _save_spec(output: str, written: str) -> None:
    before = first_bytes(output)
    if before and not _is_imported(output, written):
        raise foreign_file(output, "a spec of this network as archcost import wrote it, unchanged since", before)
    write_whole(output, written.encode())


def _save_onnx(output: str, written: bytes) -> None:
    from archcost.exporters.onnx_file import has_written

    before = first_bytes(output)
    if before and not has_written(output):
        raise foreign_file(output, "an ONNX file that archcost export wrote", before)
    write_whole(output, written)


def _save_picture(output: str, written: str | bytes) -> None:
    from archcost.pictures.picture import mark_of

    content = written.encode() if isinstance(written, str) else written
    before = first_bytes(output)
    if before and mark_of(Path(output).read_bytes()) != mark_of(content):
        raise foreign_file(output, "an earlier picture of this kind of the same network", before)
    write_whole(output, content)


def _save_sheet(output: str, written: str | bytes) -> None:
    """A sheet that somebody has filled is their work, and stays."""
    from archcost.teaching.grading import is_filled
    from archcost.teaching.sheet import HEAD

    content = written.encode() if isinstance(written, str) else written
    before = first_bytes(output)
    if before:
        old = Path(output).read_bytes()
        text = old.decode(errors="replace")
        if old != content and (HEAD.fullmatch(text.partition("\n")[0]) is None or is_filled(text)):
            raise foreign_file(output, "a worksheet that nobody has filled", before)
    write_whole(output, content)


def require_calibration(output: str) -> None:
    """Raises ArchcostError where FILE exists and is no calibration. Called before anything is timed."""
    from archcost.hardware.calibration_file import WRITTEN

    before = first_bytes(output)
    if before and lines_in(before)[0] != WRITTEN:
        raise foreign_file(output, "a calibration that archcost wrote", before)


def _save_calibration(output: str, written: str) -> None:
    """Write a calibration whole or not at all, so that an interruption leaves the one before."""
    from archcost.hardware.calibration_file import partial

    require_calibration(output)
    write_whole(output, written.encode())
    partial(Path(output)).unlink(missing_ok=True)


def _save_lock(output: str, written: str) -> None:
    from archcost.comparison import locks

    locks.write_sections(locks.parse(written, output), Path(output))


def _require_no_input(output: str, inputs: Iterable[Path]) -> None:
    """Raises ArchcostError where FILE is one of the files read, under whatever path."""
    status = file_status(output)
    if status is None:
        return
    modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    for path in (*inputs, *filter(None, modules)):
        other = file_status(path)
        if other is not None and os.path.samestat(status, other):
            raise ArchcostError(
                f"{output}: would be overwritten, and this command reads it",
                expected="a file that is not read",
                found=str(path),
                hint="another name after -o",
            )


_OPEN = (
    (re.compile(r", batch \d.*"), ", batch N"),  # and its title, on which device, by which settings
    (re.compile(r": (changed|\d+(,\d{3})* layers as locked(, whose .*)?)$"), ": as locked"),
)
"""What differs between two reports of one kind."""


def _opening(content: bytes) -> str | None:
    """The line by which a report is known. In JSON it is the first that names us; None where none does."""
    first, *more = lines_in(content)
    if first == "{":
        return next((line for line in more[:2] if '"archcost' in line), None)
    for pattern, open_ in _OPEN:
        first = pattern.sub(open_, first)
    return first


def _is_imported(output: str, written: str) -> bool:
    """Whether reading a spec and writing it again gives the same text, and the name is that of the new one."""
    from archcost.spec.load import loads

    try:
        text = Path(output).read_text(encoding="utf-8")
        spec, new = loads(text), loads(written)
    except (SpecError, OSError, UnicodeDecodeError):
        return False
    return spec.name == new.name and text in (spec.to_yaml(), spec_json(spec.to_dict()))


def spec_json(spec: dict[str, object]) -> str:
    """A spec's plain values as `archcost import -o FILE.json` writes them."""
    import json

    return json.dumps(spec, indent=2, ensure_ascii=False) + "\n"
