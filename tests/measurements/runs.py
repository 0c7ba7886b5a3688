"""docs/runs.md: published runs beside what is said of them here. `python -m tests.generate` writes its tables."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import archcost
from archcost import Run, hardware
from archcost.costs import cost
from archcost.importers.networks import load
from archcost.planning.intervals import Span
from archcost.planning.stepping import Step
from archcost.planning.workload import Workload, workload
from archcost.report.spans import with_band
from tests.documents import ROOT, refresh
from tests.measurements.page import table

PAGE = ROOT / "docs" / "runs.md"
HERE = Path(__file__).parent
BEGIN, END = "<!-- begin: made by python -m tests.generate -->\n", "<!-- end -->"

Row = dict[str, str]


def rows(name: str) -> list[Row]:
    """Of a table of this folder; lines that start with # are about it."""
    lines = (HERE / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@dataclass(frozen=True)
class Compared:
    """Hours of one device: published between two, and ours. `flops` are those of contractions of the whole run."""

    row: Row
    hours: Span
    status: str
    published: tuple[float, float]
    flops: int

    @property
    def beyond(self) -> float:
        """By what factor the published hours lie outside: above 1 beyond the upper end, below 1 under the lower."""
        low, high = self.hours.low, self.hours.high
        assert low is not None
        assert high is not None
        least, most = self.published
        return least / high if least > high else most / low if most < low else 1.0

    @property
    def mfu(self) -> tuple[float, float]:
        """What the published hours say: model FLOPs a second over the dense rate of the data sheet."""
        rate = hardware.load(self.row["device"]).rate(Run(precision=self.row["precision"]).matmul_dtype)  # pyright: ignore[reportArgumentType]
        least, most = (self.flops / (3600 * hours * rate) for hours in reversed(self.published))
        return least, most


def _settings(row: Row) -> tuple[archcost.ModelSpec, Run, int, Workload]:
    spec = load(row["network"], row["settings"].split(), row.get("input", "").split(), None)
    batch, accumulation = int(row.get("batch", 1)), int(row.get("accumulation", 1))
    settings: dict[str, Any] = {name: row[name] for name in ("precision", "optimizer") if name in row}
    length = {name: row[name] or None for name in ("dataset_size", "epochs", "tokens")}
    work = workload(spec, batch * accumulation, **length)
    return spec, Run(accumulation=accumulation, torch="2.13", **settings), batch, work


@cache
def compared() -> tuple[Compared, ...]:
    found: list[Compared] = []
    known: dict[object, tuple[Step, int]] = {}
    for row in rows("whole_runs"):
        spec, run, batch, work = _settings(row)
        key = *(row[name] for name in ("network", "settings", "input", "device")), run, batch
        if key not in known:
            time = archcost.estimate(spec, batch, hardware=row["device"], run=run).time
            assert time is not None
            known[key] = Step.of(time), cost(archcost.build(spec, batch)).flops.total.contraction
        step, contractions = known[key]
        hours, flops = step.seconds.times(work.steps / 3600), contractions * work.samples // batch
        published = float(row["hours_from"]), float(row["hours_to"])
        found.append(Compared(row, hours, step.status, published, flops))
    return tuple(found)


def renew(text: str) -> str:
    before, rest = refresh(text).split(BEGIN)
    return f"{before}{BEGIN}\n{block()}\n{rest[rest.index(END) :]}"


def block() -> str:
    inside = sum(each.beyond == 1 for each in compared())
    furthest = max(compared(), key=lambda each: max(each.beyond, 1 / each.beyond))
    summary = (
        f"Of {len(compared())} runs {inside} lie inside the band. The furthest is {furthest.row['name']}, "
        f"{_near(furthest.beyond)}."
    )
    head = ("run", "device", "published", "ours", "time is", "published is", "MFU by the published hours")
    flops = ("run", "published FLOPs", "ours", "ours / published", "source")
    return "\n\n".join(
        [
            "## Hours of one device",
            summary,
            table(head, _hours()),
            "Where they are from:",
            "\n".join(f"- {each.row['name']}: {_source(each.row)}." for each in compared()),
            "## FLOPs of a whole run",
            table(flops, _flops()),
        ]
    )


def _source(row: Row) -> str:
    return row["source"] + (f" ({row['note']})" if row["note"] else "")


def _hours() -> Iterator[Sequence[str]]:
    for each in compared():
        row = each.row
        least, most = (f"{100 * share:.0f}" for share in each.mfu)
        yield (
            row["name"],
            f"`{row['device']}`, {row['precision']}",
            " to ".join(dict.fromkeys(f"{hours:,.10g}" for hours in each.published)),
            with_band(each.hours),
            each.status,
            _near(each.beyond),
            " to ".join(dict.fromkeys((least, most))) + " %",
        )


def _near(beyond: float) -> str:
    if beyond == 1:
        return "inside"
    return f"{beyond:.2f} times the upper end" if beyond > 1 else f"{beyond:.2f} times the lower end"


def _flops() -> Iterator[Sequence[str]]:
    for row in rows("training_flops"):
        spec, _, _, work = _settings(row)
        ours = cost(archcost.build(spec)).flops.total.contraction * work.samples
        published = float(row["flops"])
        yield row["name"], f"{published:.3g}", f"{ours:.3g}", f"{ours / published:.2f}", row["source"]
