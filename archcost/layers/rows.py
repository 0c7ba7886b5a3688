"""Layers that differ by a few words: rows of a table, of which classes are made."""

from __future__ import annotations

from collections.abc import Mapping
from types import new_class
from typing import Any, Literal, TypeVar, cast

from archcost.layers.base import Layer
from archcost.layers.card import Card

REQUIRED: Any = ...
"""In place of a default, where a field has none."""

Base = TypeVar("Base", bound=Layer)


def row(
    module: str,
    base: type[Base],
    name: str,
    type_: str,
    doc: object,
    card: Card,
    fields: Mapping[str, tuple[Any, Any]] = {},
    **said: Any,
) -> type[Base]:
    """The class of layers `name`, a row of the table in `module`. `doc` is its docstring, or a descriptor that
    gives it, or None where that of the base says it; `fields` are torch's, by name the type and default; `said` is
    what the base leaves to its rows.
    """
    body = {
        "__module__": module,
        "__doc__": doc,
        "__annotations__": {"type": Literal[type_], **{field: kind for field, (kind, _) in fields.items()}},
        "type": type_,
        **{field: default for field, (_, default) in fields.items() if default is not REQUIRED},
        "prefix": type_,
        "card": card,
        **said,
    }
    return cast("type[Base]", new_class(name, (base,), exec_body=lambda namespace: namespace.update(body)))
