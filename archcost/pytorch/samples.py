"""The calls that were timed so far, in a file beside the calibration: what is interrupted goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from archcost.hardware.calibration import Measured
from archcost.hardware.calibration_file import partial
from archcost.pytorch.machine import Machine
from archcost.pytorch.timing import Sample


class Samples:
    """Timed rounds of calls by key, in a file of lines, so that an interruption costs no more than one call."""

    def __init__(self, output: Path, machine: Machine) -> None:
        self.path = partial(output)
        self.header = json.dumps(machine._asdict())
        self.rounds: dict[str, list[list[Sample]]] = {}
        self._read()

    def _read(self) -> None:
        """What another machine, release or thread count has left is none of this one's."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        if not lines or lines[0] != self.header:
            return
        for line in lines[1:]:
            entry = _entry(line)
            if entry is not None:
                self.rounds.setdefault(entry[0], []).append(entry[1])

    def add(self, key: str, samples: list[Sample]) -> None:
        is_new = not self.rounds
        self.rounds.setdefault(key, []).append(samples)
        with self.path.open("w" if is_new else "a", encoding="utf-8") as file:
            file.write((self.header + "\n" if is_new else "") + json.dumps([key, samples]) + "\n")

    def measured(self) -> Mapping[str, Measured]:
        return {key: summed_up([each for samples in rounds for each in samples]) for key, rounds in self.rounds.items()}


def _entry(line: str) -> tuple[str, list[Sample]] | None:
    """The entry of a line; None of one that was not written to its end."""
    try:
        key, samples = json.loads(line)
        return key, [Sample(*sample) for sample in samples]
    except (ValueError, TypeError):
        return None


def summed_up(samples: list[Sample]) -> Measured:
    """The medians of the faster halves: other programs only ever make a call slower. The spread is that of forward's
    faster half, or of backward's where it is larger.
    """
    forward, first = _typical([sample.forward for sample in samples])
    backward, second = _typical([sample.backward for sample in samples if sample.backward is not None])
    return Measured(forward, backward, max(first, second))


def _typical(seconds: list[float]) -> tuple[float, float]:
    if not seconds:
        return 0.0, 0.0
    faster = sorted(seconds)[: (len(seconds) + 1) // 2]
    middle = median(faster)
    return middle, (faster[-1] - faster[0]) / middle if middle else 0.0
