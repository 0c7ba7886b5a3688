"""What `archcost check` has found, as text and for a pull request."""

from __future__ import annotations

import re

from archcost.comparison import locks
from archcost.errors import Place
from archcost.guarding.amounts import shown
from archcost.guarding.check import Failure, Guarded, LockOutcome
from archcost.guarding.findings import Finding
from archcost.report import text_writer, writers
from archcost.report.document import Column, Document, Part, Table, one_line
from archcost.report.screen import ANYWHERE, Screen
from archcost.report.settings import words

TITLE = "Budgets"
COLUMNS = (
    *(Column("network"), Column("quantity"), Column("limit", "right"), Column("found", "right"), Column("status")),
    Column("setting"),
)
CHANGES = 20
"""Lines of a table's changes that an annotation or a comment shows."""


def document(checked: Guarded) -> Document:
    """The budgets in a table, and below it each that is not held with its largest layers."""
    table = Table(COLUMNS, tuple(map(_row, checked.findings)))
    parts: list[Part] = [table] if table.rows else []
    for finding in checked.broken:
        parts.append(f"{_where(finding.place)}{sentence(finding)}{':' if finding.offenders else '.'}")
        if finding.offenders:
            parts.append(_offenders(finding))
    if checked.updates and checked.broken:
        parts.append("Locks are written anew on request, budgets never: what a network may cost is for people to say.")
    return Document(TITLE, tuple(parts), table)


def data(checked: Guarded) -> Table:
    """The budgets, a row each."""
    return document(checked).data


def text(checked: Guarded, screen: Screen = ANYWHERE) -> str:
    parts = [text_writer.text(document(checked), screen)] if checked.findings else []
    parts += [f"{_failure_text(failure)}\n" for failure in checked.failures]
    tables = "".join([_lock_text(lock) for lock in checked.locks])
    return "\n".join([*parts, *([tables] if tables else [])])


def markdown(checked: Guarded) -> str:
    """For a comment or the summary of a step: what is wrong first, in words, then the table."""
    blocks = ["## archcost check", f"**{'Held' if checked.ok else 'Not held'}**: {checked.headline}."]
    if checked.findings:
        blocks.append(writers.markdown(document(checked)).partition("\n\n")[2].rstrip("\n"))
    blocks += [_fenced(_failure_text(failure)) for failure in checked.failures]
    blocks += map(_lock_markdown, checked.locks)
    return "\n\n".join(blocks) + "\n"


def html(checked: Guarded) -> str:
    """A fragment, for a notebook."""
    from html import escape

    told = [*map(_failure_text, checked.failures), *map(_lock_text, checked.locks)]
    return writers.html_fragment(document(checked)) + "".join(f"<pre>{escape(each)}</pre>\n" for each in told)


def _fenced(text: str) -> str:
    """Text as it is. The fence is longer than any in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def _lock_markdown(lock: LockOutcome) -> str:
    told = _lock_text(lock)
    return _fenced(_cut(told)) if lock.outcome.changes else writers.markdown_escape(told.rstrip())


def sentence(finding: Finding) -> str:
    """`lenet5: parameters 61,706, 1,706 (2.8 %) over the budget of 60,000`."""
    limit, kind, over = finding.limit, finding.limit.quantity.kind, finding.over
    budget = f"the budget of {shown(kind, limit.amount)}"
    if limit.allowed != limit.amount:
        budget += f", which with its tolerance is {shown(kind, limit.allowed)}"
    what = f"{title(finding)} {_found(finding)}"
    if finding.status == "not known":
        return f"{what}; whether this is within {budget} is not known: {finding.why_unknown}"
    if over is None or isinstance(limit.amount, str):
        return f"{what}, which is not within {budget}"
    share = f" ({100 * over / limit.amount:,.1f} %)" if limit.amount else ""
    return f"{what}, {shown(kind, over)}{share} {_beyond(finding)} {budget}"


def title(finding: Finding) -> str:
    """What was looked at: `lenet5, batch 32: MACs`."""
    setting = _setting(finding)
    return f"{one_line(finding.network)}{', ' if setting else ''}{setting}: {finding.limit.quantity.words}"


def told(finding: Finding) -> str:
    """The sentence, and the largest layers a line each."""
    rows = [" ".join(str(cell) for cell in row if cell) for row in _offenders(finding).rows]
    return "\n".join([sentence(finding), *(f"  {row}" for row in rows)])


def _setting(finding: Finding) -> str:
    """In which setting, as far as the quantity depends on it."""
    needs, batch = finding.limit.quantity.depends_on, f"batch {finding.budget.recipe.batch:,}"
    if needs == "network":
        return ""
    if needs == "batch":
        return batch
    parts = [
        "" if finding.limit.quantity.name == "max_batch" else batch,
        f"on {finding.hardware}" if finding.hardware else "",
        words(finding.budget.run, None),
    ]
    return one_line(", ".join(filter(None, parts)))


def _beyond(finding: Finding) -> str:
    return "below" if finding.limit.quantity.at_least else "over"


def _row(finding: Finding) -> tuple[str, ...]:
    quantity = finding.limit.quantity
    limit = ("at least " if quantity.at_least else "") + shown(quantity.kind, finding.limit.amount)
    status: str = finding.status
    if finding.over is not None:
        status = f"{shown(quantity.kind, finding.over)} {_beyond(finding)}"
    return one_line(finding.network), quantity.words, limit, _found(finding), status, _setting(finding)


def _found(finding: Finding) -> str:
    kind = finding.limit.quantity.kind
    low, high = finding.found, finding.most
    if low == high:
        return shown(kind, low)
    if high is None:
        return f">= {shown(kind, low)}"
    return f"up to {shown(kind, high)}" if low is None else f"{shown(kind, low)} to {shown(kind, high)}"


def _offenders(finding: Finding) -> Table:
    kind = finding.limit.quantity.kind
    unit = kind if kind in ("count", "seconds") else "bytes"
    rows = [
        (one_line(each.layer), shown(unit, each.amount), f"{100 * each.share:.1f} %", one_line(each.what))
        for each in finding.offenders
    ]
    what = "largest layers" if unit == "count" else "slowest layers" if unit == "seconds" else "largest at the peak"
    columns = (Column(what), Column(finding.limit.quantity.words, "right"), Column("share", "right"), Column("of it"))
    told = 4 if any(each.what for each in finding.offenders) else 3
    return Table(columns[:told], tuple(row[:told] for row in rows))


def _where(place: Place | None) -> str:
    return f"{place.file}:{place.line}: " if place else ""


def _failure_text(failure: Failure) -> str:
    return f"{_where(failure.place)}{one_line(failure.network)} cannot be checked: {failure.message}"


def _lock_text(lock: LockOutcome) -> str:
    told = locks.report([lock.outcome])
    return told.replace(": changed\n", f": written anew in {lock.file}\n", 1) if lock.updated else told


def changes(lock: LockOutcome) -> str:
    return _cut("\n".join(lock.outcome.changes))


def _cut(text: str) -> str:
    lines: list[str] = text.splitlines()
    more = f"… and {len(lines) - CHANGES:,} lines more"
    return "\n".join(lines if len(lines) <= CHANGES else [*lines[:CHANGES], more])
