"""`Document` → text, for a file or for a screen."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence

from archcost.report.document import Document, Drawing, Facts, Part, Table, joined, shown
from archcost.report.screen import ANYWHERE, COLUMNS, WIDTH, Screen, verdict
from archcost.report.table_width import fitted


def text(document: Document, screen: Screen = ANYWHERE) -> str:
    title = screen.heading(_filled(document.title, 2, screen))
    return joined([title, *(_part(part, screen) for part in document.parts)])


def _part(part: Part, screen: Screen) -> str:
    match part:
        case str():
            return screen.sentence("\n".join(_filled(line, 2, screen) for line in part.splitlines()))
        case Facts(items=items):
            width = max((len(name) for name, _ in items), default=0)
            return "\n".join(_filled(f"{name.ljust(width)}  {value}", width + 2, screen) for name, value in items)
        case Table():
            return _table(part, screen)
        case Drawing(otherwise=parts):
            return joined([_part(each, screen) for each in parts])


def _filled(line: str, indent: int, screen: Screen) -> str:
    return textwrap.fill(line, screen.prose, subsequent_indent=" " * indent, drop_whitespace=True)


def _table(table: Table, screen: Screen) -> str:
    """Columns two spaces apart, or one where that is too wide. On a screen that is narrower still, cells have lines."""
    rows = [[cell.strip() for cell in row] for row in (table.headers, *shown(table))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[[cell] for cell in row] for row in rows]
    if screen.width is not None and sum(widths) + len(widths) - 1 > screen.width:
        cells, widths = fitted(rows, [column.align for column in table.columns], screen.width)
    gap = _gap(table, widths, screen)
    verdicts = {place for place, header in enumerate(table.headers) if header in COLUMNS}
    rules = {1, len(rows) - (table.total is not None)}
    lines: list[str] = []
    for index, row in enumerate(cells):
        if index in rules:
            lines.append(gap.join("-" * width for width in widths))
        height = max(map(len, row))
        for place in range(height):
            # headers stand on their rule, other cells begin at the first line of their row
            at = [place - (height - len(cell)) if index == 0 else place for cell in row]
            words = [cell[line] if 0 <= line < len(cell) else "" for cell, line in zip(row, at, strict=True)]
            line = _line(words, widths, table, gap, verdicts if screen.colour and index else ())
            lines.append(line if index else screen.heading(line))
    return "\n".join(lines)


def _gap(table: Table, widths: Sequence[int], screen: Screen) -> str:
    if screen.width is not None:
        return "  " if sum(widths) + 2 * len(widths) - 2 <= screen.width else " "
    return "  " if len(_line(table.headers, widths, table, "  ")) <= WIDTH else " "


def _line(row: Sequence[str], widths: Sequence[int], table: Table, gap: str, verdicts: Collection[int] = ()) -> str:
    """`verdicts` are the columns whose cells have a colour."""
    cells = [
        cell.rjust(width) if column.align == "right" else cell.ljust(width)
        for cell, width, column in zip(row, widths, table.columns, strict=True)
    ]
    cells[-1] = cells[-1].rstrip()
    return gap.join([verdict(cell) if place in verdicts else cell for place, cell in enumerate(cells)]).rstrip()
