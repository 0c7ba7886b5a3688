"""The log of measured steps: docs/measurements/DEVICE.jsonl, one JSON object a line.

A line with `torch` says where and with what the lines after it were measured. Every other is one step: settings,
the peak that the formulas give, and by phase, predicted and then measured, the most bytes that the tracker saw, that
the trace of an unwatched step has in tensors, and that the allocator held; then the roles of the tracker's worst
moment, in the order of ROLES.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

FOLDER = Path(__file__).parents[2] / "docs" / "measurements"
ROLES = ("weights", "gradients", "optimizer_state", "buffers", "inputs", "activations", "temporaries")


Witness = Literal["tracker", "trace", "allocator"]


class Settings(NamedTuple):
    """One run. `input` None is the size that the network declares; `threads` are the CPU's."""

    network: str
    input: str | None
    batch: int
    optimizer: str
    optimizer_impl: str | None
    precision: str
    recompute: str
    threads: int = 1

    def __str__(self) -> str:
        size = f" at {self.input}" if self.input else ""
        optimizer = " ".join(filter(None, (self.optimizer, self.optimizer_impl)))
        recompute = ", blocks recomputed" if self.recompute == "blocks" else ""
        threads = f", {self.threads} threads" if self.threads > 1 else ""
        return f"{self.network}{size}, batch {self.batch}, {optimizer}, {self.precision}{recompute}{threads}"


class Pair(NamedTuple):
    """Bytes."""

    predicted: int
    measured: int

    @property
    def error(self) -> float:
        """Relative; above 0 where too much was predicted."""
        return self.predicted / self.measured - 1


class PhaseRecord(NamedTuple):
    """The most bytes of one phase."""

    tracker: int
    trace: int
    allocator: int
    roles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One step. `peak` is what `estimate` calls peak_bytes; `predicted` and `measured` are by phase."""

    settings: Settings
    peak: int
    predicted: dict[str, PhaseRecord]
    measured: dict[str, PhaseRecord]

    def worst(self, witness: Witness) -> Pair:
        """The peaks of the step, whichever phases they fall on."""
        sides = (self.predicted, self.measured)
        return Pair(*(max(getattr(phase, witness) for phase in side.values()) for side in sides))

    @property
    def peak_in_trace(self) -> Pair:
        """The formulas' peak of tensors alone beside that of the unwatched trace."""
        return Pair(self.peak, self.worst("trace").measured)

    @property
    def bias(self) -> float:
        """By how much the peak under a dispatch mode is higher than without one, by the formulas."""
        return self.worst("tracker").predicted / self.peak - 1


@dataclass(frozen=True, slots=True)
class Log:
    machines: tuple[dict[str, Any], ...]
    records: tuple[Record, ...]
    refused: tuple[tuple[Settings, str], ...]


def to_json(record: Record) -> str:
    phases = {name: [record.predicted[name], record.measured[name]] for name in record.measured}
    return _line({**record.settings._asdict(), "peak": record.peak, "phases": phases})


def refusal_to_json(settings: Settings, reason: str) -> str:
    return _line({**settings._asdict(), "refused": reason})


def machine_to_json(machine: dict[str, Any]) -> str:
    return _line(machine)


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"


def read(device: str) -> Log:
    """What was measured there; nothing where there is no log."""
    file = FOLDER / f"{device}.jsonl"
    entries = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    steps = [entry for entry in entries if "network" in entry]
    return Log(
        tuple(entry for entry in entries if "torch" in entry),
        tuple(_record(entry) for entry in steps if "phases" in entry),
        tuple((_settings(entry), entry["refused"]) for entry in steps if "refused" in entry),
    )


def _settings(entry: dict[str, Any]) -> Settings:
    return Settings(**{field: entry[field] for field in Settings._fields})


def _record(entry: dict[str, Any]) -> Record:
    predicted, measured = (
        {name: PhaseRecord(*phase[:3], tuple(phase[3])) for name, phase in side.items()}
        for side in (
            {name: pair[0] for name, pair in entry["phases"].items()},
            {name: pair[1] for name, pair in entry["phases"].items()},
        )
    )
    return Record(_settings(entry), entry["peak"], predicted, measured)
