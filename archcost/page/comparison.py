"""Several networks on one page: their totals side by side, which layers differ, and how each device takes them."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.comparison.compare import Comparison
from archcost.page.answers import Answer
from archcost.page.html import Html, Shown, Sortable, folded, joined, part, table, tag
from archcost.page.sections import verdict
from archcost.report import compare, times
from archcost.report.document import Column, Table
from archcost.units import count, size

MOST_DIFFERENT = 200
"""Rows of layers that differ; `archcost compare` has them all."""


def section(answers: Sequence[Answer], compared: Comparison) -> Html:
    document = compare.document(compared)
    totals, *others = document.parts
    assert isinstance(totals, Table)
    rows = [*totals.rows, *_steps(answers)]
    shown = [row for row in rows if any(cell is not None for cell in row[1:])]
    return tag(
        "section",
        tag("h2", "Side by side", id="compared"),
        table("Networks side by side", totals.columns, shown),
        tag("div", class_="compared"),
        folded(
            "Which layers differ",
            *[part(each if isinstance(each, str) else _short(each), "Layers that differ") for each in others],
        ),
        folded("On each device", _devices(answers)),
        aria_labelledby="compared",
    )


def _short(part: object) -> Table | str:
    if not isinstance(part, Table) or len(part.rows) <= MOST_DIFFERENT:
        return part  # pyright: ignore[reportReturnType]
    more = len(part.rows) - MOST_DIFFERENT
    rest = (f"and {more:,} rows more: archcost compare", *[None] * (len(part.columns) - 1))
    return Table(part.columns, (*part.rows[:MOST_DIFFERENT], rest))


def _steps(answers: Sequence[Answer]) -> list[tuple[str | None, ...]]:
    """What a step takes on the device that charts are of."""
    on = answers[0].chosen.hardware.name
    ones = [answer.estimate for answer in answers]
    return [
        (f"tensors at the peak, on {on}", *[one and size(one.peak) for one in ones]),
        (f"verdict on {on}", *[one and one.verdict for one in ones]),
        (f"time of a step on {on}", *[one and one.time and times.short_time(one.time) for one in ones]),
    ]


def _devices(answers: Sequence[Answer]) -> Html:
    columns = (Column("device"), *[Column(answer.name) for answer in answers])
    rows: list[list[Shown]] = []
    for place, device in enumerate(answers[0].fit.devices):
        rows.append([device.hardware.name, *[_cell(answer, place) for answer in answers]])
    return table("Verdict and largest batch on each device", columns, rows, sorts=True)


def _cell(answer: Answer, place: int) -> Shown:
    device = answer.fit.devices[place]
    if device.verdict is None:
        return device.problem
    most = f", largest batch {count(device.max_batch)}" if device.max_batch else ""
    return Sortable(joined([verdict(device.verdict), most]), device.max_batch or 0)
