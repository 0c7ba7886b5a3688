"""A sweep as a table of its first and last rows; csv has all of them."""

from __future__ import annotations

from collections.abc import Iterator

from archcost.report.document import Cell, Column, Document, Facts, Table
from archcost.sweeps.table import Sweep
from archcost.units import count, duration, size

SHOWN = 24
"""Rows, of which half are the last where there are more."""


def document(sweep: Sweep) -> Document:
    """What is the same in all rows, or known in none, is told beside the table."""
    rows = len(sweep)
    same = {name: column.words[0] for name, column in sweep.columns.items() if len(column.words) == 1}
    unknown = [name for name in sweep.columns if name not in same and sweep.is_unknown(name)]
    names = [name for name in sweep.columns if name not in same and name not in unknown]
    first, last = (range(rows), range(0)) if rows <= SHOWN else (range(SHOWN // 2), range(rows - SHOWN // 2, rows))
    between = [tuple(["…"] * len(names))] if last else []
    shown = [*(_row(sweep, names, each) for each in first), *between, *(_row(sweep, names, each) for each in last)]
    columns = tuple([Column(name, "left" if sweep.columns[name].words else "right") for name in names])
    title = f"{sweep.network}: {count(rows)} configuration{'s' * (rows != 1)}"
    facts = Facts(tuple(_facts(sweep, same, unknown)))
    return Document(title, (Table(columns, tuple(shown)), facts), Table(columns, ()))


def _facts(sweep: Sweep, same: dict[str, str], unknown: list[str]) -> Iterator[tuple[str, str]]:
    if same:
        yield "in all rows", ", ".join(f"{name} {word}" for name, word in same.items())
    if unknown:
        yield "not known", ", ".join(unknown)
    if sweep.unknown:
        yield "lower bound", f"what is made and dropped in {', '.join(sweep.unknown)} meanwhile is not known"


def _row(sweep: Sweep, names: list[str], number: int) -> tuple[Cell, ...]:
    row = sweep.row(number)
    return tuple([_cell(name, row[name]) for name in names])


def _cell(name: str, value: Cell) -> Cell:
    if value is None:
        return "?"
    if name.endswith("_bytes"):
        return size(int(value))
    if name.endswith("_seconds") and isinstance(value, float):
        return duration(value)
    return f"{value:,.4g}" if isinstance(value, float) else value


def csv_rows(sweep: Sweep) -> str:
    """All rows, raw; what is not known is empty."""
    import csv
    import io

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*sweep.columns, "network"))
    writer.writerows((*row, sweep.network) for row in sweep.rows())
    return stream.getvalue()
