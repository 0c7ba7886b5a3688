"""The file in which a project says how its networks are run and what they may cost, and where in it each word stands.

That is `archcost.yaml`, or the table `[tool.archcost]` of `pyproject.toml`, whichever is nearest: in the current
folder or in one above, up to the root of the repository.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

from archcost.errors import Place, SpecError
from archcost.files.parse import parse, read_text
from archcost.files.values import Path, as_list, as_mapping, spell

NAMES = ("archcost.yaml", "archcost.yml", "pyproject.toml")
TABLE = ("tool", "archcost")
VARIABLE = "ARCHCOST_CONFIG"
"""Of the environment: the file that is meant instead of the nearest one, or `none`."""

NONE = "none"
LONGEST_STATEMENT = 1_000
"""Lines of one value in TOML whose place is still found."""


@dataclass(frozen=True)
class ConfigFile:
    """A file and what it says: of pyproject.toml the table of archcost alone."""

    path: FilePath
    text: str
    tree: Mapping[str, Any]

    @property
    def folder(self) -> FilePath:
        return self.path.parent

    def place(self, at: Path) -> Place:
        """Where a key stands, or what it stands in."""
        while at and at not in self._marks:
            at = at[:-1]
        line, column = self._marks.get(at, (1, 1))
        return Place(str(self.path), line, column)

    @cached_property
    def _marks(self) -> Mapping[Path, tuple[int, int]]:
        if is_toml(self.path):
            return {at[len(TABLE) :]: (line, 1) for at, line in toml_lines(self.text) if at[: len(TABLE)] == TABLE}
        _, marks = parse(self.text, str(self.path))
        return {at: (line, column) for at, (_, line, column) in marks.items()}


def is_toml(path: FilePath) -> bool:
    return path.suffix == ".toml"


def nearest(folder: FilePath | None = None) -> FilePath | None:
    """The file of the project that a folder is in, by default the current one. Raises SpecError where one folder has
    two of them.
    """
    here = (folder or FilePath.cwd()).absolute()
    for folder in (here, *here.parents):
        found = [path for name in NAMES if (path := folder / name).is_file() and _says_something(path)]
        if len(found) > 1:
            raise SpecError(
                "two files say how networks are run here",
                expected="archcost.yaml, or [tool.archcost] in pyproject.toml",
                found=" and ".join(path.name for path in found),
                place=Place(_seen_from_here(found[0]), 1, 1),
            )
        if found:
            return FilePath(_seen_from_here(found[0]))
        if (folder / ".git").exists():
            return None
    return None


def _says_something(path: FilePath) -> bool:
    """Whether a pyproject.toml has a table of ours."""
    return not is_toml(path) or _our_table(path, read_text(path)) is not None


def _seen_from_here(path: FilePath) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:  # on another drive
        return str(path)


def chosen(named: str | None = None, folder: FilePath | None = None) -> FilePath | None:
    """The file that `--config` or the environment names, or else the nearest; None where there is none, or `none`."""
    named = named or os.environ.get(VARIABLE)
    if not named:
        return nearest(folder)
    return None if named == NONE else FilePath(named)


def read(path: FilePath) -> ConfigFile:
    """Raises SpecError at its place for what is no file of ours."""
    text = read_text(path)
    if is_toml(path):
        table = _our_table(path, text)
        if table is None:
            raise SpecError(
                "no table of archcost", expected="[tool.archcost]", found="none", place=Place(str(path), 1, 1)
            )
        return ConfigFile(path, text, table)
    value, _ = parse(text, str(path))
    tree = as_mapping({} if value is None else value)
    if tree is None:
        expected = "a mapping with hardware, precision, budgets, …"
        raise SpecError("not a configuration", expected=expected, found=spell(value), place=Place(str(path), 1, 1))
    return ConfigFile(path, text, tree)


def _our_table(path: FilePath, text: str) -> Mapping[str, Any] | None:
    if "archcost" not in text:
        return None
    import tomllib

    try:
        value: Any = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else f"not valid TOML: {error}"
        raise SpecError(problem, place=Place(str(path), 1, 1)) from None
    for key in TABLE:
        value = (as_mapping(value) or {}).get(key)
        if value is None:
            return None
    table = as_mapping(value)
    if table is None:
        expected, found = "a table", spell(value)
        raise SpecError("tool.archcost is no table", expected=expected, found=found, place=Place(str(path), 1, 1))
    return table


def toml_lines(text: str) -> Iterator[tuple[Path, int]]:
    """Every key of a TOML text that can be read, with the line where its statement begins.

    The standard library says no places. A header and `key = value` are each a document of their own, so lines are
    added up until one is complete.
    """
    import tomllib

    table: Path = ()
    tables: dict[Path, int] = {}
    statement: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not statement:
            first = number
        statement.append(line)
        try:
            tree = tomllib.loads("\n".join(statement))
        except ValueError:
            if len(statement) > LONGEST_STATEMENT:
                return
            continue
        if statement[0].lstrip().startswith("["):
            table = _table_named(tree, tables)
            yield table, first
        else:
            yield from (((*table, *path), first) for path in _paths(tree))
        statement = []


def _table_named(tree: dict[str, Any], tables: dict[Path, int]) -> Path:
    """The way to the table of a header; `tables` counts those of arrays."""
    path: Path = ()
    inner: dict[str, Any] | None = tree
    while inner:
        ((key, value),) = inner.items()
        path, inner = (*path, key), as_mapping(value)
        if inner is None:
            tables[path] = tables.get(path, -1) + 1
            return (*path, tables[path])
        if path in tables:
            path = (*path, tables[path])
    return path


def _paths(value: object, at: Path = ()) -> Iterator[Path]:
    entries, mapping = as_list(value), as_mapping(value)
    steps = enumerate(entries) if entries is not None else (mapping or {}).items()
    for step, inner in steps:
        yield (*at, step)
        yield from _paths(inner, (*at, step))
