"""What is shown, before it is known how: a title, and under it paragraphs, facts and tables."""

from __future__ import annotations

from typing import Literal, NamedTuple

from archcost.units import lower_bound

Cell = int | float | str | None
"""Integers get their thousands separators when they are shown; csv keeps them plain. None is an empty cell."""


class Column(NamedTuple):
    header: str
    align: Literal["left", "right"] = "left"


class Table(NamedTuple):
    """Rows under columns; `total` is a last row set apart."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None

    @property
    def headers(self) -> list[str]:
        return [column.header for column in self.columns]

    @property
    def all_rows(self) -> tuple[tuple[Cell, ...], ...]:
        return self.rows if self.total is None else (*self.rows, self.total)


def about(table: Table, **words: Cell) -> Table:
    """Raw data with what all rows are about in columns of its own. They are the last: scripts read others by place."""
    columns = (*table.columns, *map(Column, words))
    return Table(columns, tuple([(*row, *words.values()) for row in table.rows]))


class Facts(NamedTuple):
    """Values with their names, a line each."""

    items: tuple[tuple[str, str], ...]


class Drawing(NamedTuple):
    """An image in SVG for a page, and what stands for it elsewhere."""

    svg: str
    otherwise: tuple[str | Table, ...]


Part = str | Facts | Table | Drawing


class Document(NamedTuple):
    """`data` is what csv holds: raw integers, no totals."""

    title: str
    parts: tuple[Part, ...]
    data: Table


def show(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def shown(table: Table) -> list[list[str]]:
    return [[show(cell) for cell in row] for row in table.all_rows]


def joined(blocks: list[str]) -> str:
    """With an empty line between them."""
    return "\n\n".join(block.rstrip("\n") for block in blocks if block) + "\n"


def one_line(text: str) -> str:
    """A spec's own words, whatever breaks they have, without what would move a terminal's cursor."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def bounded(number: int, unknown: object) -> Cell:
    """A sum, which is a lower bound where some of its parts are unknown."""
    return lower_bound(number) if unknown else number
