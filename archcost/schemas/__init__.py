"""The JSON of each command as a JSON Schema (https://json-schema.org/draft/2020-12), from the table of its keys."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, NamedTuple, cast

import yaml

from archcost.errors import ArchcostError, nearest

DRAFT = "https://json-schema.org/draft/2020-12/schema"

Keys = dict[str, Any]


class Key(NamedTuple):
    """A key of an object, by the marks behind its name."""

    name: str
    is_map: bool
    is_list: bool
    may_be_null: bool
    may_be_missing: bool


def names() -> tuple[str, ...]:
    """What `schema` knows, in the order of the table: the middle of `archcost.NAME/1`."""
    return tuple(name for name in _answers() if not name.startswith("."))


def schema(name: str) -> dict[str, Any]:
    """Of the answer with that name. Raises ArchcostError where there is none."""
    if name not in names():
        raise ArchcostError(
            "no answer has that name", expected=", ".join(names()), found=name[:60], hint=nearest(name, names())
        )
    described = _object({"schema": "string — the form of this answer", **_answers()[name]})
    described["properties"]["schema"] |= {"const": f"archcost.{name}/1"}
    return {"$schema": DRAFT, "title": f"archcost.{name}/1", **described}


def key_of(text: str) -> Key:
    """`binding[]~` is a list that may be null."""
    bare = text.rstrip("?~[]{}")
    marks = text[len(bare) :]
    return Key(bare, "{}" in marks, "[]" in marks, "~" in marks, "?" in marks)


def parts_of(told: str) -> tuple[str, str]:
    """`integer or null — bytes` as its type and its meaning."""
    kind, _, meaning = told.partition(" — ")
    return kind, meaning


@cache
def _answers() -> dict[str, Keys]:
    text = resources.files("archcost.schemas").joinpath("answers.yaml").read_text(encoding="utf-8")
    return cast("dict[str, Keys]", yaml.safe_load(text))


def keys(name: str) -> Keys:
    """The rows of the table for an answer that `names` has."""
    return _answers()[name]


def _object(told: Keys) -> dict[str, Any]:
    marked = {key_of(text): value for text, value in told.items() if text != "."}
    about = {"description": told["."]} if "." in told else {}
    return {
        **about,
        "type": "object",
        "properties": {key.name: _marked(key, value) for key, value in marked.items()},
        "required": [key.name for key in marked if not key.may_be_missing],
        "additionalProperties": False,
    }


def _marked(key: Key, value: str | Keys) -> dict[str, Any]:
    """What stands behind a key: a value, an object, or a list or map of them, and perhaps null."""
    described = _value(value) if isinstance(value, str) else _object(value)
    if key.is_list:
        described = {"type": "array", "items": described}
    if key.is_map:
        described = {"type": "object", "additionalProperties": described}
    return {"anyOf": [described, {"type": "null"}]} if key.may_be_null else described


def _value(told: str) -> dict[str, Any]:
    kind, meaning = parts_of(told)
    described = _kind(kind.removesuffix(" or null"))
    if kind.endswith(" or null"):
        described["type"] = [described["type"], "null"]
    return {**described, "description": meaning} if meaning else described


def _kind(kind: str) -> dict[str, Any]:
    if kind.startswith("["):
        return {"type": "array", "items": _kind(kind[1:-1])}
    return {} if kind == "any" else {"type": kind}
