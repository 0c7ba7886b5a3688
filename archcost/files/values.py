"""Plain values as a YAML or JSON file holds them, looked at with types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from archcost.errors import shorten

Path = tuple[str | int, ...]
"""The way into a file: keys and indices."""

Mark = tuple[str, int, int]
"""File, line and column."""


def as_mapping(value: object) -> dict[str, Any] | None:
    """The value if it is a mapping."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: object) -> Sequence[Any] | None:
    """The value if it is a list or a tuple; text is neither."""
    return cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else None


def as_tuples(value: Any) -> Any:
    """Lists made tuples, at every depth."""
    entries = as_list(value)
    return value if entries is None else tuple(map(as_tuples, entries))


def step_into(value: object, step: str | int) -> tuple[bool, Any]:
    """Whether a key or an index is there, and what stands under it."""
    entries, mapping = as_list(value), as_mapping(value)
    if entries is not None and isinstance(step, int) and 0 <= step < len(entries):
        return True, entries[step]
    if mapping is not None and step in mapping:
        return True, mapping[str(step)]
    return False, None


def value_at(tree: object, path: Path) -> Any:
    """What stands at the end of a path; None where it leads nowhere."""
    value: Any = tree
    for step in path:
        _, value = step_into(value, step)
    return value


def spell(value: object) -> str:
    """A value as a file writes it, on one short line: `true`, `null`, `[3, 5]`."""
    entries = as_list(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if entries is not None:
        more = ", …" if len(entries) > 8 else ""
        inner = ("[…]" if as_list(entry) else spell(entry) for entry in entries[:8])
        return f"[{', '.join(inner)}{more}]"
    mapping = as_mapping(value)
    if mapping is not None:
        return "a mapping" if mapping else "an empty mapping"
    return shorten(value)
