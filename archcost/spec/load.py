"""A NETWORK (name, or path to YAML or JSON) → `ModelSpec`, with every mistake told at its place."""

from __future__ import annotations

from collections.abc import Mapping
from os.path import isfile
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from pydantic import ValidationError

from archcost.errors import Place, SpecError, nearest, shorten, together
from archcost.files.parse import LARGEST_FILE, MOST_VALUES, SUFFIXES, Marks, ReadError, parse, read_text
from archcost.files.values import Path, as_mapping, spell
from archcost.spec import zoo
from archcost.spec.gaps import rest_of
from archcost.spec.mistakes import found, layer_at
from archcost.spec.model import ModelSpec
from archcost.spec.source import Source

DEEPEST_FAMILY = 8
JOINED = ("parameters", "blocks")
"""Sections that a file adds to those of the file it extends; any other it replaces."""


def load(network: str | FilePath) -> ModelSpec:
    """The spec of a shipped network by its name, or of a file by its path. Raises SpecError."""
    path = find(network)
    family = _read_family(path)
    return from_tree(family.tree, Source(str(path), family.marks))


def find(network: str | FilePath) -> FilePath:
    """The file that NETWORK means."""
    text = str(network)
    if text.endswith(SUFFIXES):
        return FilePath(network)
    names = zoo.names()
    if text in names:
        return zoo.path(text)
    raise SpecError(
        f"unknown network {shorten(text)}",
        expected="a shipped name, a path to .yaml, .yml, .json or .onnx, or module:callable",
        found=shorten(text),
        hint=nearest(text, names) or "archcost list",
    )


def loads(text: str, file: str = "<text>") -> ModelSpec:
    """The spec of YAML or JSON text that stands alone (no `extends`)."""
    read = _read_one(text, file)
    if "extends" in read.tree:
        place = Place(*read.marks[("extends",)])
        raise SpecError(
            "text extends nothing", expected="a spec that stands alone", found="extends", hint="a file", place=place
        )
    return from_tree(read.tree, Source(file, read.marks))


def from_tree(tree: Mapping[str, Any], source: Source) -> ModelSpec:
    """Validate plain values. Every mistake is told at its place, in one SpecError."""
    try:
        spec = ModelSpec.model_validate(tree)
    except ValidationError as error:
        told = found(error, tree, source)
        mistakes = together([mistake for _, mistake in told])
        mistakes.rest = rest_of(tree, told, source)
        raise mistakes from None
    return spec.with_source(source)


class Read(NamedTuple):
    """What a file says, and where."""

    tree: dict[str, Any]
    marks: Marks


def _read_one(text: str, file: str) -> Read:
    try:
        value, marks = parse(text, file, instead_of_alias="a block, used by name, says the same thing")
    except ReadError as error:
        raise error.at(layer=layer_at(error.tree, error.path)) from None
    tree = as_mapping(value)
    if tree is None:
        found = "an empty file" if value is None else spell(value)
        raise SpecError(
            "not a spec", expected="a mapping with name, input and layers", found=found, place=Place(file, 1, 1)
        )
    tree.pop("$schema", None)  # JSON has no comment that could tell an editor
    return Read(tree, marks)


def _read_family(path: FilePath) -> Read:
    """A file laid over the one it `extends`, and that over its own."""
    read: list[Read] = []
    seen: list[FilePath] = []
    place: Place | None = None
    size = values = 0
    while True:
        text = read_text(path)
        if path.resolve() in seen:
            raise SpecError("extends goes round in a circle", expected="no circle", found=path.name, place=place)
        if len(seen) == DEEPEST_FAMILY:
            raise SpecError(
                "extends goes too deep", expected=f"at most {DEEPEST_FAMILY} files", found="more", place=place
            )
        seen.append(path.resolve())
        one = _read_one(text, str(path))
        size, values = size + len(text), values + len(one.marks)
        if size > LARGEST_FILE or values > MOST_VALUES:
            raise SpecError(
                "the files are too large together", expected="as much as one file may hold", found="more", place=place
            )
        read.append(one)
        if "extends" not in one.tree:
            break
        place = Place(*one.marks[("extends",)])
        path = _base_path(one.tree.pop("extends"), path, place)
    joined = read.pop()
    while read:
        joined = _lay_over(joined, read.pop())
    return joined


def _lay_over(base: Read, over: Read) -> Read:
    """`parameters` and `blocks` key by key, everything else whole.

    Published figures are not inherited: they are those of the network that states them.
    """
    dropped = {"published"}
    if "input" in over.tree or "inputs" in over.tree:
        dropped |= {"input", "inputs"}  # two words for one section
    tree = {key: value for key, value in base.tree.items() if key not in dropped}
    replaced: set[Path] = {()}
    for key, value in over.tree.items():
        inner, below = as_mapping(value), as_mapping(base.tree.get(key))
        if key in JOINED and inner is not None and below is not None:
            tree[key] = {**below, **inner}
            replaced |= {(key, name) for name in inner}
        else:
            tree[key] = value
            replaced.add((key,))
    kept = {at: mark for at, mark in base.marks.items() if at[:1] not in replaced and at[:2] not in replaced}
    return Read(tree, {**kept, **over.marks})


def _base_path(name: object, path: FilePath, place: Place) -> FilePath:
    """`extends` names a shipped network, or a file beside or below this one."""
    if isinstance(name, str) and name in zoo.names():
        return zoo.path(name)
    if not isinstance(name, str) or not name.endswith(SUFFIXES) or _leads_elsewhere(FilePath(name)):
        raise SpecError(
            "extends what cannot be read",
            expected="a shipped network, or a .yaml or .json file in this folder or below",
            found=spell(name),
            hint=nearest(name, zoo.names()) if isinstance(name, str) else None,
            place=place,
        )
    base = path.parent / name
    if not isfile(base):  # which takes a name too long for a file as well
        raise SpecError(
            "extends a file that does not exist",
            expected="a file in this folder or below",
            found=spell(name),
            place=place,
        )
    return base


def _leads_elsewhere(path: FilePath) -> bool:
    return path.is_absolute() or ".." in path.parts
