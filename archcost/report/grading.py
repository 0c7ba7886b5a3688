"""A graded sheet: an answer a row, and what there is to say of it."""

from __future__ import annotations

from typing import Any

from archcost.report.document import Cell, Column, Document, Part, Table, one_line


def document(graded: Any) -> Document:
    """Of `archcost.teaching.Graded`, which stands on this package."""
    head = (Column("question", "right"), Column("given", "right"), Column("mark"), Column("answer", "right"))
    columns = (*head, Column("said"))
    rows: list[tuple[Cell, ...]] = []
    for mark in graded.marks:
        answer = None if mark.status == "right" else mark.expected
        rows.append((mark.number, one_line(mark.given)[:40], mark.status, answer, mark.said))
    parts: list[Part] = [Table(columns, tuple(rows))]
    if graded.conventions.unread:
        unread = "; ".join(map(one_line, graded.conventions.unread))
        parts.append(f"Not understood of the conventions, and left aside: {unread}.")
    wrong = [mark for mark in graded.marks if mark.status != "right"]
    if wrong:
        parts.append("The working of what is not right:")
        parts += [f"{mark.number}: {mark.question.working}" for mark in wrong]
    return Document(graded.headline, tuple(parts), Table(columns, tuple(rows)))
