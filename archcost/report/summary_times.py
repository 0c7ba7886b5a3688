"""The seconds of each layer in the table of a network, in place of its FLOPs."""

from __future__ import annotations

from collections.abc import Iterator

from archcost.estimates import Estimate
from archcost.report import times
from archcost.report.document import Cell, Column, Part, Table
from archcost.report.grouping import NO_LAYER, Folded, Seconds
from archcost.report.settings import settings
from archcost.units import duration

FLOPS = 2
"""The last columns, in whose place the seconds stand."""

DATA_COLUMNS = ("forward_seconds", "backward_seconds", "seconds", "waits_for")


def table(folded: Folded, plain: Table) -> Table:
    """Rows add up to the last one."""
    if folded.time is None:
        return plain
    halves = ("time forward", "time backward", "together") if folded.time.trains else ("time",)
    amounts = len(plain.columns) - FLOPS
    columns = (*plain.columns[:amounts], *[Column(name, "right") for name in halves], Column("waits for"))
    seconds = folded.seconds
    rows = [(*row[:amounts], *_cells(seconds[str(row[0])], folded.time.trains)) for row in plain.rows]
    if NO_LAYER in seconds:
        names = ", ".join(layer.name.strip("()") for layer in seconds[NO_LAYER].layers)
        empty = [None] * (amounts - 2)
        rows.append((names, "beside the layers", *empty, *_cells(seconds[NO_LAYER], folded.time.trains)))
    total = Seconds.of(folded.time.layers)
    last = (plain.total or ())[:amounts]
    return Table(columns, tuple(rows), (*last, *_cells(total, folded.time.trains)[:-1], None))


def _cells(seconds: Seconds, trains: bool) -> tuple[Cell, ...]:
    known = (seconds.forward, seconds.backward, seconds.whole) if trains else (seconds.whole,)
    return (*[duration(each) if each else None for each in known], seconds.roof)


def notes(folded: Folded, estimate: Estimate) -> Iterator[Part]:
    """Notes on the times: of which step on which device they are, and what is added to them."""
    if folded.time is None:
        yield times.unknown_sentence(estimate.time_notes)
        return
    typical = "Times are typical ones" if folded.time.step is None else "Times are those"
    host = ", without what the host takes for its launches" if folded.time.dispatch else ""
    yield f"{typical} of {settings(estimate.line)}, on {estimate.hardware.name}{host}."
    yield from times.parts(folded.time, slowest=0)


def data(folded: Folded, plain: Table) -> Table:
    if folded.time is None:
        return plain
    seconds = folded.seconds
    rows: list[tuple[Cell, ...]] = []
    for row in plain.rows:
        found = seconds[str(row[0])]
        rows.append((*row, found.forward, found.backward, found.whole, found.roof))
    return Table((*plain.columns, *map(Column, DATA_COLUMNS)), tuple(rows))
