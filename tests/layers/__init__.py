"""Rows of data, one file a family of layers or a part of one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.layers.rows import Row


def every_row() -> tuple[Row, ...]:
    names = sorted(found.name for found in iter_modules(__path__) if found.name.endswith("_cases"))
    return tuple([row for name in names for row in import_module(f"{__name__}.{name}").ROWS])


def every_built_row() -> tuple[Row, ...]:
    """Without layers that say of no operation what it does, which nobody can build."""
    return tuple(row for row in every_row() if not row.layer.is_unknown and row.layer.type != "opaque")
