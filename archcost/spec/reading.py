"""YAML text → plain values, each with its place, refusing what could hurt.

Read from libyaml's event stream, which needs no stack and expands nothing, so that a hostile file is refused
while it is read. Scalars follow YAML 1.2's core schema: `no` is a word and `1e-5` a number. JSON is a subset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from archcost.errors import Place, SpecError
from archcost.spec.model import Mark

LARGEST_FILE = 16 * 2**20
LONGEST_SCALAR = 10_000
DEEPEST = 64
MOST_VALUES = 1_000_000

Path_ = tuple[str | int, ...]
Marks = dict[Path_, Mark]

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {"": None, "~": None} | {
    spelling: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for spelling in (word, word.capitalize(), word.upper())
}
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def read_text(path: Path) -> str:
    """The file's text. Refuses what is not a file of UTF-8 text of at most 16 MiB."""
    place = Place(str(path), 1, 1)
    try:
        if not path.is_file():
            raise SpecError("no such file" if not path.exists() else "not a regular file", place=place)
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpecError(f"cannot be read: {reason}", place=place) from None
    if len(data) > LARGEST_FILE:
        raise SpecError("file is too large", expected="at most 16 MiB of text", found="more", place=place)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise SpecError(
            "not UTF-8 text",
            expected="UTF-8",
            found=f"byte 0x{data[error.start]:02x}",
            hint="save the file as UTF-8",
            place=Place(str(path), line, column),
        ) from None


def parse(text: str, file: str) -> tuple[Any, Marks]:
    """The plain value of a YAML or JSON document, and the place of every value in it."""
    reader = _Reader(text, file)
    try:
        return reader.document(), reader.marks
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(
            "not readable text",
            expected="printable characters",
            found=f"character #x{ord(error.character):04x}"
            if isinstance(error.character, str)
            else str(error.character),
            place=Place(file, line, error.position - text.rfind("\n", 0, error.position)),
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        raise SpecError(
            "not valid YAML", found=error.problem, hint="check indentation, brackets and quotes", place=place
        ) from None


class _Reader:
    """Turns events into values. One instance reads one document."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.marks: Marks = {}
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))

    def refuse(self, event: Any, problem: str, **details: str) -> SpecError:
        mark = event.start_mark
        return SpecError(problem, **details, place=Place(self.file, mark.line + 1, mark.column + 1))

    def document(self) -> Any:
        value: Any = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.refuse(event, "more than one document", expected="one network a file")
                value = self.value(next(self.events), ())
        return value

    def value(self, event: Any, path: Path_) -> Any:
        self.marks[path] = (self.file, event.start_mark.line + 1, event.start_mark.column + 1)
        if len(self.marks) > MOST_VALUES:
            raise self.refuse(event, "too many values", expected=f"at most {MOST_VALUES:,}")
        if isinstance(event, yaml.AliasEvent):
            raise self.refuse(
                event,
                "aliases are not read",
                expected="plain values",
                found=f"*{event.anchor}",
                hint="a block, used by name, says the same thing",
            )
        if event.tag is not None and not (isinstance(event, yaml.ScalarEvent) and event.tag == "!"):
            raise self.refuse(event, "tags are not read", expected="plain values", found=event.tag[:60])
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event)
        if len(path) >= DEEPEST:
            raise self.refuse(event, "nested too deeply", expected=f"at most {DEEPEST} levels")
        return self.sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self.mapping(path)

    def sequence(self, path: Path_) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self.value(event, (*path, len(values))))
        return values

    def mapping(self, path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
                raise self.refuse(event, "a key must be a word", expected="key: value")
            key = event.value
            if len(key) > 200:
                raise self.refuse(event, "a key is too long", expected="at most 200 characters")
            if key in values:
                first = Place(*self.marks[(*path, key)])
                raise self.refuse(
                    event, f"key {key!r} stands twice", expected="each key once", found=f"first on line {first.line}"
                )
            values[key] = self.value(next(self.events), (*path, key))
            mark = event.start_mark
            self.marks[(*path, key)] = (self.file, mark.line + 1, mark.column + 1)
        return values

    def scalar(self, event: Any) -> Any:
        text: str = event.value
        if len(text) > LONGEST_SCALAR:
            raise self.refuse(
                event, "a value is too long", expected=f"at most {LONGEST_SCALAR:,} characters", found=f"{len(text):,}"
            )
        if not event.implicit[0]:
            return text  # quoted
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text) if len(text) <= 100 else self.too_long(event)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _SPECIAL_FLOAT.fullmatch(text):
            raise self.refuse(event, "not a finite number", expected="a finite number", found=text)
        return text

    def too_long(self, event: Any) -> int:
        raise self.refuse(event, "an integer is too long", expected="at most 100 digits", found=f"{len(event.value):,}")
