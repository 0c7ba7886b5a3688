"""Inference with torch.compile on three cards, fitted to timm's published benchmark.

    python -m tests.measurements.compiled --specs FOLDER [--write]

timm_compiled.csv holds the rows whose parameters are the network's own of huggingface/pytorch-image-models, results/,
at aa4b5850, benchmark-infer-*-pt291-*-dynamo.csv: by card and precision `batch:images a second`. FOLDER holds specs as
for tests.measurements.training.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

import archcost
from archcost.costs.kernels import kernels
from archcost.costs.timeline import timeline
from archcost.passes.run import Precision, Run
from archcost.terms.time_classes import Fuses
from tests.measurements.calibrations import Head, Result, command, fitted
from tests.measurements.fitting import Parts, Seen, family, parts

TABLE = Path(__file__).parent / "timm_compiled.csv"
FUSES: tuple[Fuses, ...] = ("attention", "elementwise")
SOURCE = """huggingface/pytorch-image-models, results/benchmark-infer-{run}-dynamo.csv at aa4b5850: torch.compile by its
defaults; fitted by tests/measurements/compiled.py"""

RUNS: Mapping[str, tuple[str, str, str]] = {
    "rtx-4090 amp-fp16": ("nvidia-rtx-4090", "amp-fp16", "amp-nchw-pt291-cu128-4090"),
    "rtx-5090 amp-fp16": ("nvidia-rtx-5090", "amp-fp16", "amp-nchw-pt291-cu130-5090"),
    "rtx-pro-6000 amp-fp16": ("nvidia-rtx-pro-6000-max-q", "amp-fp16", "amp-nchw-pt291-cu130-pro6000maxq"),
    "rtx-pro-6000 amp-bf16": ("nvidia-rtx-pro-6000-max-q", "amp-bf16", "amp_bf16-nchw-pt291-cu130-pro6000maxq"),
    "rtx-pro-6000 bf16": ("nvidia-rtx-pro-6000-max-q", "bf16", "bf16-nchw-pt291-cu130-pro6000maxq"),
}
"""By column of the table: device, precision, and the run that the source names."""

PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "compiled.md"
INTRODUCTION = """# Published inference of compiled networks on three cards

Made by `python -m tests.measurements.compiled --specs FOLDER --write`, with the calibrations that ship:
runs of timm's inference benchmark with torch.compile, of which those count whose parameters are the network's own. Each
network is predicted by constants that were fitted **without its family**."""


class Row(NamedTuple):
    network: str
    size: int
    column: str
    batch: int
    images_per_second: float

    @property
    def seconds(self) -> float:
        return self.batch / self.images_per_second


def rows() -> Iterator[Row]:
    with TABLE.open() as file:
        for row in csv.DictReader(file):
            for column in RUNS:
                batch, _, rate = row[column].partition(":")
                if rate:
                    yield Row(row["network"], int(row["size"]), column, int(batch), float(rate))


@cache
def parts_of(folder: Path, network: str, size: int, batch: int, precision: Precision) -> Parts | None:
    """None where there is no spec."""
    path = folder / f"{network}@{size}.yaml"
    if not path.exists():
        return None
    run = Run(mode="infer", precision=precision, optimizer="none")
    return parts(kernels(timeline(archcost.build(archcost.load(path), batch=batch), run, "cuda"), FUSES))


def results(folder: Path) -> Iterator[Result]:
    found = sorted(rows())
    every: dict[str, list[Seen]] = {column: [] for column in RUNS}
    for row in found:
        # Autocast's two dtypes move as many bytes.
        precision = RUNS[row.column][1].replace("amp-bf16", "amp-fp16")
        known = parts_of(folder, row.network, row.size, row.batch, cast("Precision", precision))
        if known is not None:
            every[row.column].append(Seen(family(row.network), known, row.seconds, f"{row.network} at {row.size}"))
    for column, (device, precision, name) in RUNS.items():
        source = SOURCE.format(run=name)
        yield fitted(Head(device, "compiled", "torch 2.9", precision, ("infer",), FUSES, source), every[column])


if __name__ == "__main__":
    command(__doc__, results, PAGE, INTRODUCTION)
