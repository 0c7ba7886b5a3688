"""Memory that real cards reported, beside what archcost says: two tables, and how far off it is.

- tests/measurements/segmentors.csv: mmsegmentation 0.30.0's metafiles, `torch.cuda.max_memory_allocated` in training on
  fixed crops, on four V100 by DistributedDataParallel, without cudnn.benchmark. Their GB are logged MiB divided by 1000
  or by 1024; the middle is taken.
- tests/measurements/adapters.csv: huggingface/peft, method_comparison/MetaMathQA/results at 5d602fdb:
  `torch.cuda.max_memory_reserved` of Llama-3.2-3B on one L40S, torch 2.13, batches of four, sequences of at most 768.

`python -m tests.measurements.cards_memory` works out anew what archcost says.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
SEGMENTORS, ADAPTERS = FOLDER / "segmentors.csv", FOLDER / "adapters.csv"
GB = 1012 * 2**20
"""Of mmsegmentation's metafiles: between 1000 and 1024 MiB."""


class Segmented(NamedTuple):
    head: str
    backbone: str
    height: int
    width: int
    classes: int
    batch: int
    precision: str
    published: float
    """GB of the metafile."""
    ours: int
    """Bytes: allocated with gradients kept, and as many once more for DistributedDataParallel's buckets."""

    @property
    def network(self) -> str:
        return f"{self.head}, {self.backbone}"

    @property
    def setting(self) -> str:
        return f"{self.height}×{self.width}, batch {self.batch}, {self.classes} classes, {self.precision}"

    @property
    def error(self) -> float:
        return self.ours / (self.published * GB) - 1


class Adapted(NamedTuple):
    method: str
    published: int
    """Bytes reserved."""
    ours: int
    """The same, at the longest sequences."""

    @property
    def error(self) -> float:
        return self.ours / self.published - 1


def segmented() -> tuple[Segmented, ...]:
    return tuple(
        Segmented(
            row["head"],
            row["backbone"],
            *(int(row[name]) for name in ("height", "width", "classes", "batch")),
            row["precision"],
            float(row["published"]),
            int(row["ours"]),
        )
        for row in _rows(SEGMENTORS)
    )


def adapted() -> tuple[Adapted, ...]:
    return tuple(Adapted(row["method"], int(row["published"]), int(row["ours"])) for row in _rows(ADAPTERS))


def errors() -> list[float]:
    """Of all runs."""
    return [each.error for each in (*segmented(), *adapted())]


def write(file: Path, rows: Iterable[Segmented | Adapted]) -> None:
    given = list(rows)
    lines = [",".join(given[0]._fields), *(",".join(map(str, row)) for row in given)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
