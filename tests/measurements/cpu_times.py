"""docs/time_on_a_cpu.md: how far times that were estimated for this machine are off, made of a log.

    python -m archcost.pytorch.validate --log docs/measurements/time_on_a_cpu.jsonl

`python -m tests.generate` writes the page.
"""

from __future__ import annotations

from collections.abc import Iterator

from archcost.pytorch.validation import METHODS, Log, Record, read, summary
from tests.measurements.log import FOLDER
from tests.measurements.page import BEGIN, END, ROOT, table

PAGE = ROOT / "docs" / "time_on_a_cpu.md"
LOG = FOLDER / "time_on_a_cpu.jsonl"

FROM = {"classes": "constants of classes", "layers": "each layer timed once"}


def renew(text: str) -> str:
    """The page with what the log says now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{block(read(LOG))}\n{rest[rest.index(END) :]}"


def block(log: Log) -> str:
    head = ("estimated from", "pass", "passes", "median error", "90th percentile", "worst", "inside the band")
    networks = ("network", "input", "batch", "pass", "measured", "machine", "from classes", "from layers")
    machine = log.machines[-1]
    parts = [
        f"{machine['processor']}, {machine['threads']} thread, torch {machine['torch']}, {machine['precision']}, "
        f"{machine['date']}; {machine['points']} layers calibrated.",
        table(head, _summaries(log)),
        "Each pass. `machine` is how many times as long layers of the calibration took beside it as when it was made.",
        table(networks, map(_row, log.records)),
    ]
    return "\n\n".join(parts) + "\n"


def _summaries(log: Log) -> Iterator[tuple[str | int, ...]]:
    for by in METHODS:
        for what in ("forward", "step"):
            found = summary([record for record in log.records if record.what == what], by)
            yield FROM[by], what, found.passes, *(f"{share:.1%}" for share in found[1:])


def _row(record: Record) -> tuple[str | int, ...]:
    return (
        record.network,
        record.input or "as declared",
        record.batch,
        record.what,
        f"{1e3 * record.measured:.1f} ms",
        f"{record.drift:.2f}",
        *(f"{record.error(by):+.1%}" for by in METHODS),
    )
