"""Elements of a page. Text is escaped where it is put in; only what is `Html` already is not."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

from archcost.report.document import Cell, Column, Drawing, Facts, Part, show


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Html:
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def joined(parts: Sequence[object]) -> Html:
    return Html("".join([text(part) for part in parts]))


def tag(name: str, *inside: object, **attributes: object) -> Html:
    """An element. `class_` is the attribute class, an underscore within a name a hyphen; True has no value, None and
    False are left out.
    """
    given = "".join(
        [_attribute(key, value) for key, value in attributes.items() if value is not None and value is not False]
    )
    return Html(f"<{name}{given}>{joined(inside)}</{name}>")


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'


class Sortable(NamedTuple):
    """A cell with what rows are sorted by."""

    shown: object
    key: float | str | None


Shown = Cell | Html | Sortable


def table(
    label: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Shown]],
    total: Sequence[Shown] | None = None,
    sorts: bool = False,
) -> Html:
    """In a region of its own that scrolls, so that the page does not; one that sorts is long, and scrolls down as well.
    The first cell of a row is its heading.
    """
    heads = [tag("th", _heading(column, sorts), scope="col", class_=_aligned(column)) for column in columns]
    body = [_row(columns, row) for row in rows]
    foot = tag("tfoot", _row(columns, total)) if total is not None else ""
    made = tag(
        "table",
        tag("caption", label, class_="unseen"),
        tag("thead", tag("tr", *heads)),
        tag("tbody", *body),
        foot,
        class_="sorts" if sorts else None,
    )
    return tag("div", made, class_="scroll tall" if sorts else "scroll", role="region", aria_label=label, tabindex=0)


def _heading(column: Column, sorts: bool) -> object:
    return tag("button", column.header, type="button", class_="sort") if sorts and column.header else column.header


def _row(columns: Sequence[Column], row: Sequence[Shown]) -> Html:
    cells: list[Html] = []
    for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
        shown, key = cell if isinstance(cell, Sortable) else (cell, cell if isinstance(cell, int | float) else None)
        inside = shown if isinstance(shown, Html) else show(shown)  # pyright: ignore[reportArgumentType]
        name, scope = ("th", "row") if place == 0 else ("td", None)
        cells.append(tag(name, inside, scope=scope, class_=_aligned(column), data_key=key))
    return tag("tr", *cells)


def _aligned(column: Column) -> str | None:
    return "number" if column.align == "right" else None


def part(shown: Part, label: str) -> Html:
    """A part of a report as it stands on the page; `label` is what a table is called."""
    match shown:
        case str():
            return joined([tag("p", line) for line in shown.splitlines() if line])
        case Facts(items=items):
            return tag("dl", *[joined([tag("dt", name), tag("dd", value)]) for name, value in items], class_="facts")
        case Drawing(otherwise=others):
            return joined([part(each, label) for each in others])
        case _:
            return table(label, shown.columns, shown.rows, shown.total)


def folded(summary: str, *inside: object, printed: bool = True) -> Html:
    """What stands behind a line that opens it. A print has it open, where it is `printed`."""
    return tag("details", tag("summary", summary), *inside, class_=None if printed else "more")
