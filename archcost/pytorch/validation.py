"""Times of networks, estimated and measured: the lines of a log, and how far the estimates are off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple

Pass = Literal["forward", "step"]
Method = Literal["classes", "layers"]
"""From constants of classes, or from each distinct layer of the network timed once."""

METHODS: tuple[Method, ...] = ("classes", "layers")


class Predicted(NamedTuple):
    """Seconds, and the band of nine in ten."""

    seconds: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Record:
    """`forward` is a pass of inference, `step` one of training. `drift` is how much longer layers of the calibration
    took beside this network than when it was made: estimates are held against the measured time over it.
    """

    network: str
    input: str | None
    batch: int
    what: Pass
    measured: float
    drift: float
    classes: Predicted
    layers: Predicted

    @property
    def undrifted(self) -> float:
        """Seconds, as if the machine had been as fast as when it was calibrated."""
        return self.measured / self.drift

    def error(self, by: Method) -> float:
        """Relative; above 0 where too much was estimated. Layers were timed beside the network, and need no drift."""
        predicted = getattr(self, by).seconds
        return predicted / (self.undrifted if by == "classes" else self.measured) - 1

    def is_inside(self, by: Method) -> bool:
        predicted, took = getattr(self, by), self.undrifted if by == "classes" else self.measured
        return predicted.low <= took <= predicted.high


def to_json(record: Record) -> str:
    fields = {name: getattr(record, name) for name in Record.__dataclass_fields__}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(frozen=True, slots=True)
class Log:
    """The machines, and what was measured on them."""

    machines: tuple[dict[str, Any], ...]
    records: tuple[Record, ...]


def read(file: Path) -> Log:
    """The log of a file; of a network, batch and pass that was measured several times the last."""
    machines: list[dict[str, Any]] = []
    records: dict[tuple[str, str | None, int, str], Record] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        entry = json.loads(line)
        if "network" not in entry:
            machines.append(entry)
            continue
        predicted = {by: Predicted(*entry.pop(by)) for by in METHODS}
        record = Record(**entry, classes=predicted["classes"], layers=predicted["layers"])
        records[record.network, record.input, record.batch, record.what] = record
    return Log(tuple(machines), tuple(records.values()))


class Summary(NamedTuple):
    """Median, 90th percentile and maximum of the errors, and the share of measured times inside their bands."""

    passes: int
    median: float
    p90: float
    worst: float
    inside: float


def summary(records: Sequence[Record], by: Method) -> Summary:
    errors = sorted(abs(record.error(by)) for record in records)
    inside = sum(record.is_inside(by) for record in records)
    tenth = errors[min(len(errors) - 1, int(0.9 * len(errors)))]
    return Summary(len(errors), median(errors), tenth, errors[-1], inside / len(errors))


def summary_table(records: Iterable[Record]) -> str:
    """A table by kind of estimate and pass."""
    every = list(records)
    lines = [f"{'':22}{'passes':>8}{'median':>9}{'90th':>9}{'worst':>9}{'inside':>9}"]
    for by in METHODS:
        for what in ("forward", "step"):
            of_kind = [record for record in every if record.what == what]
            if of_kind:
                found = summary(of_kind, by)
                numbers = "".join(f"{100 * number:8.1f}%" for number in found[1:])
                lines.append(f"{by + ', ' + what:22}{found.passes:8}{numbers}")
    return "\n".join(lines)
