"""YAML text → plain values, each with its place, refusing what could hurt.

Read from libyaml's event stream, which needs no stack and expands nothing, so that a hostile file is refused
while it is read. Scalars follow YAML 1.2's core schema: `no` is a word and `1e-5` a number. JSON is a subset.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from math import isfinite
from pathlib import Path as FilePath
from stat import S_ISREG
from typing import Any

import yaml

from archcost.errors import Place, SpecError, shorten
from archcost.files.values import Mark, Path
from archcost.files.write import record_read

SUFFIXES = (".yaml", ".yml", ".json")
"""Of files that are read: JSON is a subset."""

LARGEST_FILE = 8 * 2**20
LONGEST_SCALAR = 10_000
LONGEST_KEY = 200
DEEPEST = 64
LONGEST_LIST = 10_000
"""Of plain values; a list of layers may be longer."""

MOST_KEYS = 1_000
MOST_VALUES = 100_000
"""As many as 20,000 layers written out; a longer network says `repeat`."""

Marks = dict[Path, Mark]

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Any] = {"": None, "~": None} | {
    spelling: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for spelling in (word, word.capitalize(), word.upper())
}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ReadError(SpecError):
    """A document refused while it was read: `tree` is what was read of it, `path` the way to where that stopped."""

    tree: Any = None
    path: Path = ()

    def inside(self, container: list[Any] | dict[str, Any], step: str | int | None) -> ReadError:
        """The error as seen from the value around, of which the entry `step` was read; None for a key."""
        if isinstance(container, list):
            container.append(self.tree)
        elif isinstance(step, str):
            container.setdefault(step, self.tree)
        self.tree = container
        self.path = self.path if step is None else (step, *self.path)
        return self


def read_text(path: FilePath) -> str:
    """The file's text. Refuses what is not a file of UTF-8 text of at most 8 MiB."""
    record_read(path)
    place = Place(str(path), 1, 1)
    try:
        data = _read_bytes(path, place)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpecError(f"cannot be read: {reason}", place=place) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{data[error.start]:02x}"
        before = data[: error.start].decode("utf-8-sig")
        raise SpecError(
            "not UTF-8 text",
            expected="UTF-8",
            found=wrong,
            hint="save the file as UTF-8",
            place=_place_after(before, str(path)),
        ) from None


def _read_bytes(path: FilePath, place: Place) -> bytes:
    if not path.exists():
        raise SpecError("no such file", expected="a text file", found="nothing", place=place)
    if not path.is_file():  # a pipe would be waited for
        raise SpecError("not a regular file", expected="a text file", found="something else", place=place)
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        data = stream.read(LARGEST_FILE + 1) if status.st_size <= LARGEST_FILE and S_ISREG(status.st_mode) else None
    if data is None or len(data) > LARGEST_FILE:
        raise SpecError("the file is too large", expected="at most 8 MiB", found=f"{status.st_size:,} B", place=place)
    return data


def _place_after(text: str, file: str) -> Place:
    """The place right after `text`."""
    return Place(file, text.count("\n") + 1, len(text) - text.rfind("\n"))


def parse(text: str, file: str, *, instead_of_alias: str | None = None) -> tuple[Any, Marks]:
    """The plain value of a YAML or JSON document, and the place of every value in it.

    `instead_of_alias` is the hint for who meant to write a thing once and use it twice.
    """
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        raise SpecError(
            "not readable text",
            expected="printable characters",
            found=f"character U+{ord(unprintable.group()):04X}",
            place=_place_after(text[: unprintable.start()], file),
        )
    reader = _Reader(text, file, instead_of_alias)
    try:
        return reader.document(), reader.marks
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        if error.problem == "exceeded maximum nesting depth":  # libyaml reads ahead, and has a limit of its own
            raise _too_deep(place) from None
        is_tab = mark is not None and text[mark.index : mark.index + 1] == "\t"
        hint = (
            "spaces instead of the tab" if is_tab else "look at indentation, brackets and quotes, here and just above"
        )
        raise SpecError(f"not valid YAML: {error.problem}", hint=hint, place=place) from None


def _too_deep(place: Place) -> ReadError:
    return ReadError("nested too deeply", expected=f"at most {DEEPEST} levels", found="more", place=place)


def plain_scalar(text: str) -> Any:
    """What an unquoted word means in YAML 1.2's core schema: null, a truth value, a number, or itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float("nan") if _NOT_FINITE.fullmatch(text) else text


class _Reader:
    """Turns events into values. One instance reads one document."""

    def __init__(self, text: str, file: str, instead_of_alias: str | None) -> None:
        self.file = file
        self.instead_of_alias = instead_of_alias
        self.marks: Marks = {}
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))

    def mark(self, event: Any) -> Mark:
        return self.file, event.start_mark.line + 1, event.start_mark.column + 1

    def refuse(self, event: Any, problem: str, **details: str | None) -> ReadError:
        return ReadError(problem, **details, place=Place(*self.mark(event)))

    def document(self) -> Any:
        value: Any = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.refuse(event, "more than one document", expected="one document a file", found="a second")
                value = self.value(next(self.events), ())
        return value

    def value(self, event: Any, path: Path) -> Any:
        self.marks[path] = self.mark(event)
        if len(self.marks) > MOST_VALUES:
            raise self.refuse(event, "too many values", expected=f"at most {MOST_VALUES:,}", found="more")
        if isinstance(event, yaml.AliasEvent):
            raise self.refuse(
                event,
                "aliases are not read",
                expected="values written out",
                found=f"*{event.anchor}"[:60],
                hint=self.instead_of_alias,
            )
        if event.tag is not None and not (isinstance(event, yaml.ScalarEvent) and event.tag == "!"):
            raise self.refuse(event, "tags are not read", expected="plain values", found=event.tag[:60])
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event)
        if len(path) >= DEEPEST:
            raise _too_deep(Place(*self.mark(event)))
        return self.sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self.mapping(path)

    def sequence(self, path: Path) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            try:
                values.append(self.value(event, (*path, len(values))))
            except ReadError as refused:
                raise refused.inside(values, len(values)) from None
            if len(values) > LONGEST_LIST and isinstance(event, yaml.ScalarEvent):
                raise self.refuse(event, "a list is too long", expected=f"at most {LONGEST_LIST:,}", found="more")
        return values

    def mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key: str | None = None
            try:
                key = self.new_key(event, values, path)
                values[key] = self.value(next(self.events), (*path, key))
            except ReadError as refused:
                raise refused.inside(values, key) from None
            if len(values) > MOST_KEYS:
                raise self.refuse(event, "a mapping is too large", expected=f"at most {MOST_KEYS:,} keys", found="more")
            self.marks[(*path, key)] = self.mark(event)  # a field's place is that of its key
        return values

    def new_key(self, event: Any, values: dict[str, Any], path: Path) -> str:
        key = self.key(event)
        if key in values:
            first = Place(*self.marks[(*path, key)])
            raise self.refuse(
                event,
                f"key {shorten(key)} stands twice",
                expected="each key once",
                found=f"first on line {first.line}",
            )
        return key

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            raise self.refuse(event, "a key must be a word", expected="key: value", found="something else")
        key: str = event.value
        if len(key) > LONGEST_KEY:
            raise self.refuse(
                event,
                "a key is too long",
                expected=f"at most {LONGEST_KEY} characters",
                found=f"{len(key):,} characters",
            )
        if key == "<<" and event.implicit[0]:
            raise self.refuse(
                event,
                "merge keys are not read",
                expected="fields written out",
                found="<<",
                hint=self.instead_of_alias,
            )
        return key

    def scalar(self, event: Any) -> Any:
        text: str = event.value
        if len(text) > LONGEST_SCALAR:
            raise self.refuse(
                event,
                "a value is too long",
                expected=f"at most {LONGEST_SCALAR:,} characters",
                found=f"{len(text):,} characters",
            )
        if not event.implicit[0]:
            return text  # quoted
        if len(text) > 100 and _INTEGER.fullmatch(text):
            raise self.refuse(
                event, "an integer is too long", expected="at most 100 digits", found=f"{len(text):,} digits"
            )
        value = plain_scalar(text)
        if isinstance(value, float) and not isfinite(value):
            raise self.refuse(event, "not a finite number", expected="a finite number", found=shorten(text))
        return value
