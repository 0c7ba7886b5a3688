"""Columns → a table of pandas, which is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from archcost.errors import ArchcostError


def pandas() -> Any:
    """Raises ArchcostError where it is not installed."""
    try:
        return import_module("pandas")
    except ImportError:
        raise ArchcostError(
            "a frame is a table of pandas, which is not installed",
            expected="pandas",
            hint="pip install pandas, or to_dict(), which has the same as plain values",
        ) from None


def frame_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """A pandas.DataFrame, in which integers stay integers beside cells that are empty or have a fraction. Raises
    ArchcostError where pandas is not installed.
    """
    pd = pandas()
    by_column = [[row[place] for row in rows] for place in range(len(columns))]
    named = zip(columns, by_column, strict=True)
    return pd.DataFrame({name: pd.Series(cells, dtype=_dtype(cells)) for name, cells in named})


def _dtype(cells: Sequence[Any]) -> str | None:
    """Where pandas would make floats of integers, one that does not. None leaves it to pandas."""
    kinds: set[type] = {type(cell) for cell in cells if cell is not None}
    if int not in kinds:
        return None
    if kinds != {int} or any(abs(cell) >= 2**63 for cell in cells if cell is not None):
        return "object"
    return "Int64" if None in cells else None
