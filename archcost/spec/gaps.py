"""A spec with mistakes → what is left of it, so that further mistakes are found in the same run.

Where an entry is wrong stands one in its place that has its name, and of which nothing else is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from archcost.errors import SpecError, together
from archcost.files.values import Path, as_list, as_mapping, value_at
from archcost.layers import TYPES, Composite, foreign
from archcost.spec.model import BlockUse, ModelSpec
from archcost.spec.source import Source

NEEDED = ("input", "inputs", "parameters", "sequence", "blocks", "layers", "extends")
"""Sections without which nothing can be said of the others."""

NAME = re.compile(r"\w{1,200}")


def rest_of(tree: Mapping[str, Any], mistakes: Iterable[tuple[Path, SpecError]], source: Source) -> ModelSpec | None:
    """The spec without the entries and sections that are wrong; None where too little would be left."""
    sections = ("input", *(field.alias or name for name, field in ModelSpec.model_fields.items()))
    left: Any = {key: value for key, value in tree.items() if key in sections}
    gaps: dict[Path, SpecError] = {}
    for path, mistake in mistakes:
        entry = _entry(path)
        if entry is None and path[:1] and path[0] in NEEDED:
            return None
        if entry is None:
            left.pop(path[0], None) if path else None
            gaps[path] = mistake
            continue
        placeholder = _placeholder(value_at(tree, entry))
        if placeholder is None:
            return None
        left = _put(left, entry, placeholder)
        first = gaps.get(entry)
        gaps[entry] = mistake if first is None else together([first, mistake])
    try:
        return ModelSpec.model_validate({"name": "net", **left}).with_source(source, gaps)
    except (ValidationError, SpecError):
        return None


def _entry(path: Path) -> Path | None:
    """The way to the innermost entry that a path leads into."""
    ends = [end for end in range(2, len(path) + 1) if path[end - 2] == "layers" and isinstance(path[end - 1], int)]
    return path[: ends[-1]] if ends else None


def _placeholder(entry: object) -> Any:
    """An entry of the name that this one has or is going to have; None where nobody knows it."""
    fields = as_mapping(entry) or {}
    given = fields.get("name")
    name = given if isinstance(given, str) and NAME.fullmatch(given) else None
    if "repeat" in fields:
        return None
    if isinstance(fields.get("block"), str) and NAME.fullmatch(fields["block"]):
        return BlockUse.model_construct(block=fields["block"], name=name, inputs=(), trainable=True)
    word = fields.get("type", entry if isinstance(entry, str) else next(iter(fields), None))
    kind = word if isinstance(word, str) and word in TYPES else foreign.meant(word) if isinstance(word, str) else None
    if kind is not None and not issubclass(TYPES[kind], Composite):
        return TYPES[kind].model_construct(name=name, inputs=())
    return TYPES["identity"].model_construct(name=name, inputs=()) if name else None


def _put(tree: Any, path: Path, value: Any) -> Any:
    """The tree with another value at a path; what is on the way is copied."""
    if not path:
        return value
    entries, step = as_list(tree), path[0]
    if entries is not None and isinstance(step, int):
        return [*entries[:step], _put(entries[step], path[1:], value), *entries[step + 1 :]]
    return {**tree, step: _put(tree[step], path[1:], value)}
