"""What a program found, kept beside it: a CSV with a row for each result."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def read_rows(path: Path, kind: type[Any]) -> list[Any]:
    """Rows of a NamedTuple; what has digits alone is an integer."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [kind(**{name: int(text) if text.isdigit() else text for name, text in row.items()}) for row in rows]


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(rows[0]._fields)
        lines.writerows(rows)
