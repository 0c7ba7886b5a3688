"""docs/measurements.md and archcost/costs/error_bands.json, made of the log and of the tables of real cards.

`python -m tests.generate` writes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil, floor
from pathlib import Path
from statistics import fmean, median
from textwrap import fill
from typing import Any

from archcost.spec import zoo
from tests.measurements import cards_page
from tests.measurements.allocated import errors
from tests.measurements.log import ROLES, Log, Pair, Record, Witness, read

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "measurements.md"
BANDS = ROOT / "archcost" / "costs" / "error_bands.json"
BEGIN, END = "<!-- begin: made by python -m tests.generate -->\n", "<!-- end -->"

Of = Callable[[Record], Pair]
Line = Sequence[str | int]

WORST = 5
"""Steps named for each witness."""

COMPARED: dict[str, Of] = {
    "tensors, tracker": lambda record: record.worst("tracker"),
    "tensors, unwatched trace": lambda record: record.worst("trace"),
    "all, allocator": lambda record: record.worst("allocator"),
}


def renew(text: str) -> str:
    """The page with what the log says now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{block(read('cpu'))}\n{rest[rest.index(END) :]}"


def block(log: Log) -> str:
    parts = [
        "## Where",
        *_machines(log),
        "## All steps",
        table(("the most bytes of a step", "steps", "equal", *ERRORS), _overall(log.records)),
        "## By network",
        table(
            ("network", "input", "steps", "tracker", "trace", "allocator, median", "allocator", "dispatch bias"),
            _networks(log.records),
        ),
        *_unmeasured(log.records),
        "## By setting",
        table(("setting", "steps", "tracker", "trace", "allocator, median", "allocator"), _settings(log.records)),
        "## By phase",
        table(("phase", "steps", "tracker", "trace", "allocator, median", "allocator"), _phases(log.records)),
        "## By role",
        table(("role at the worst moment of a phase", "moments", "equal", "furthest off, of the peak"), _roles(log)),
        "## The worst",
        table(("witness", "step", "predicted", "measured", "off"), _worst(log.records)),
        *cards_page.parts(table),
    ]
    return "\n\n".join(parts) + "\n"


ERRORS = ("mean", "median", "lowest", "highest")


def table(head: Line, rows: Iterable[Line]) -> str:
    """Names to the left, numbers to the right."""
    lines = [[str(cell) for cell in row] for row in rows]
    marks = ["--:" if all(_is_number(line[index]) for line in lines) else "---" for index in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [[str(cell) for cell in head], marks, *lines])


def _is_number(cell: str) -> bool:
    return cell[:1] in "+-" or (cell[:1].isdigit() and "×" not in cell)


def percent(error: float) -> str:
    return f"{100 * error:.3f} %"


def signed(error: float) -> str:
    return "0.000 %" if abs(error) < 5e-6 else f"{100 * error:+.3f} %"


def _machines(log: Log) -> Iterator[str]:
    for machine in dict.fromkeys(json.dumps(machine) for machine in log.machines):
        told: dict[str, Any] = json.loads(machine)
        yield (
            f"CPU: {told['cpu']} ({told['capability']}); torch {told['torch']}, Python {told['python']}, "
            f"{told['date']}. {len(log.records):,} steps in all."
        )
    for settings, reason in log.refused:
        yield f"Not run: {settings}: {reason}."


def _overall(records: Sequence[Record]) -> Iterator[Line]:
    for name, of in COMPARED.items():
        pairs = [of(record) for record in records]
        errors = [pair.error for pair in pairs]
        sizes = [abs(error) for error in errors]
        equal = sum(pair.predicted == pair.measured for pair in pairs)
        yield (
            name,
            len(pairs),
            equal,
            percent(fmean(sizes)),
            percent(median(sizes)),
            signed(min(errors)),
            signed(max(errors)),
        )


def _networks(records: Sequence[Record]) -> Iterator[Line]:
    groups: dict[tuple[str, str | None], list[Record]] = {}
    for record in records:
        groups.setdefault((record.settings.network, record.settings.input), []).append(record)
    for (network, size), members in sorted(groups.items(), key=lambda group: (group[0][0], group[0][1] or "")):
        bias = max(record.bias for record in members)
        yield (f"`{network}`", (size or "declared").replace("x", "×"), *_errors(members), percent(bias))


def unmeasured(records: Sequence[Record]) -> list[str]:
    """Shipped networks of which the log has no step."""
    measured = {record.settings.network for record in records}
    return [name for name in zoo.names() if name not in measured]


def _unmeasured(records: Sequence[Record]) -> Iterator[str]:
    names = unmeasured(records)
    if names:
        listed = fill(", ".join(f"`{name}`" for name in names), 120, break_on_hyphens=False)
        yield f"Shipped, and not measured yet ({len(names)}):\n{listed}."


def _settings(records: Sequence[Record]) -> Iterator[Line]:
    def optimizer(record: Record) -> str:
        return " ".join(filter(None, (record.settings.optimizer, record.settings.optimizer_impl)))

    def recompute(record: Record) -> str:
        return f"recompute {record.settings.recompute}"

    kinds: tuple[Callable[[Record], str], ...] = (
        lambda record: f"batch {record.settings.batch}",
        optimizer,
        lambda record: record.settings.precision,
        recompute,
        lambda record: f"threads: {record.settings.threads}",
    )
    for kind in kinds:
        for name in dict.fromkeys(kind(record) for record in records):
            yield (name, *_errors([record for record in records if kind(record) == name]))


def _errors(records: Sequence[Record]) -> Line:
    """Steps; the worst against the tracker and the trace; median and worst against the allocator."""
    sizes = {name: [abs(of(record).error) for record in records] for name, of in COMPARED.items()}
    tracker, trace, allocator = sizes.values()
    return (
        len(records),
        percent(max(tracker)),
        percent(max(trace)),
        percent(median(allocator)),
        percent(max(allocator)),
    )


def _phases(records: Sequence[Record]) -> Iterator[Line]:
    for name in dict.fromkeys(name for record in records for name in record.measured):
        sizes: dict[Witness, list[float]] = {}
        witnesses: tuple[Witness, ...] = ("tracker", "trace", "allocator")
        for witness in witnesses:
            sizes[witness] = [
                abs(getattr(record.predicted[name], witness) / getattr(record.measured[name], witness) - 1)
                for record in records
                if name in record.measured
            ]
        allocator = sizes["allocator"]
        yield (
            name,
            len(allocator),
            percent(max(sizes["tracker"])),
            percent(max(sizes["trace"])),
            percent(median(allocator)),
            percent(max(allocator)),
        )


def _roles(log: Log) -> Iterator[Line]:
    """Activations and temporaries also together: which of the two a copy is that goes with its layer is a word."""
    phases = [(record.predicted[name], record.measured[name]) for record in log.records for name in record.measured]
    sets = {role: (role,) for role in ROLES} | {"activations and temporaries": ("activations", "temporaries")}
    for name, roles in sets.items():
        columns = [ROLES.index(role) for role in roles]
        off = [
            abs(sum(ours.roles[column] - theirs.roles[column] for column in columns)) / theirs.tracker
            for ours, theirs in phases
        ]
        yield name.replace("_", " "), len(off), sum(each == 0 for each in off), percent(max(off))


def _worst(records: Sequence[Record]) -> Iterator[Line]:
    for name, of in COMPARED.items():
        ordered = sorted(records, key=lambda record: -abs(of(record).error))
        for record in ordered[:WORST]:
            pair = of(record)
            if pair.predicted != pair.measured:
                yield (
                    name.rpartition(", ")[2],
                    str(record.settings),
                    f"{pair.predicted:,}",
                    f"{pair.measured:,}",
                    signed(pair.error),
                )


def bands() -> str:
    """The file that ships: the lowest and highest relative error, rounded outwards. Of CPUs it is that of all steps in
    the log, of real cards that of nine in ten runs.
    """
    log = read("cpu")
    quantities: dict[str, Of] = {
        "peak_bytes": lambda record: record.peak_in_trace,
        "allocated_bytes": lambda record: record.worst("allocator"),
    }
    found = {name: _band([of(record).error for record in log.records]) for name, of in quantities.items()}
    made = {
        "made": "by python -m tests.generate from docs/measurements and tests/measurements; do not edit",
        "cpu": {"steps": len(log.records), **found},
        "cuda": {"steps": len(errors()), "allocated_bytes": _band(cards_page.nine_in_ten())},
    }
    return json.dumps(made, indent=2) + "\n"


def _band(errors: Sequence[float]) -> list[float]:
    return [floor(min(errors) * 1e5) / 1e5, ceil(max(errors) * 1e5) / 1e5]
