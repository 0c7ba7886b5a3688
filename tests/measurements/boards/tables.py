"""The tables, read: one `Measured` a figure."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent

NCNN = "Tencent/ncnn, benchmark/README.md at a4d2ea1d"
OPENCV = "opencv/opencv_zoo, benchmark/README.md at 966be4cb"
TINY = "mlcommons/tiny_results_v0.7, v1.0, v1.1 and v1.2, closed division"


class Measured(NamedTuple):
    """One figure: seconds of an inference of one sample, and watts where energy was measured with it."""

    hardware: str
    engine: str
    threads: int
    network: str
    seconds: float
    watts: float | None
    source: str


def every() -> list[Measured]:
    return [*_latencies("ncnn.csv", NCNN), *_latencies("opencv.csv", OPENCV), *_tiny()]


def _latencies(file: str, source: str) -> Iterator[Measured]:
    """Milliseconds, a column a network: the mean of ncnn's loops, the best of OpenCV's (its means run on from one
    network of a kind to the next).
    """
    for row in _rows(file):
        hardware, engine, threads, line = (row.pop(key) for key in ("hardware", "engine", "threads", "line"))
        for network, text in row.items():
            if text:
                yield Measured(
                    hardware, engine, int(threads), network, float(text) / 1e3, None, f"{source}, line {line}"
                )


def _tiny() -> Iterator[Measured]:
    """Milliseconds and microjoules: a millijoule a second is a milliwatt."""
    for row in _rows("mlperf_tiny.csv"):
        for network, text in row.items():
            if not network.startswith("mlperf_tiny_") or not text:
                continue
            joules = row[f"{network.removeprefix('mlperf_tiny_')}_microjoules"]
            seconds = float(text) / 1e3
            watts = float(joules) / 1e6 / seconds if joules else None
            source = f"{TINY}, {row['round']} {row['submitter']}, {row['system']}"
            yield Measured(row["hardware"], "tiny-int8", 1, network, seconds, watts, source)


def _rows(file: str) -> Iterator[dict[str, str]]:
    with (FOLDER / file).open(newline="", encoding="utf-8") as stream:
        yield from csv.DictReader(stream)
