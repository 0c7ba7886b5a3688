"""Steps of training on an RTX 3090, fitted to timm's published benchmark.

    python -m tests.measurements.training --specs FOLDER [--write]

timm_train.csv holds the rows whose parameters are the network's own of huggingface/pytorch-image-models, results/, at
aa4b5850, benchmark-train-amp-{nchw,nhwc}-pt112-cu113-rtx3090.csv: milliseconds of a step with autocast in float16,
SGD with momentum, cross entropy and no checkpoints, at the largest batch that fitted. FOLDER holds specs as
`archcost import` writes them, NETWORK@SIZE.yaml, and NETWORK@SIZE.composed.yaml where attention written out differs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import archcost
from archcost import ModelSpec
from archcost.costs.kernels import kernels
from archcost.costs.timeline import timeline
from archcost.passes.run import Run
from tests.measurements.calibrations import Head, Result, command, fitted
from tests.measurements.fitting import Seen, family, parts

TABLE = Path(__file__).parent / "timm_train.csv"
DEVICE = "nvidia-rtx-3090"
SOURCE = """huggingface/pytorch-image-models, results/benchmark-train-amp-{layout}-pt112-cu113-rtx3090.csv at aa4b5850:
steps of SGD with momentum, cross entropy, cudnn.benchmark; fitted by tests/measurements/training.py"""
DISPATCH = 20e-6
"""Seconds of the host for a launch, which no step of the table waits for: the one that comes nearest, efficientnet_l2
with one image, allows 31 us. NVIDIA's latencies of one image in eager torch are 39 to 59 us a launch on older hosts
(DeepLearningExamples, PyTorch/Classification/ConvNets at 729963dd: resnet50 10.4 ms, resnext101-32x4d 18.0 ms on a
V100, efficientnet-b0 9.3 ms on an A100).
"""
ENGINES = {"nchw": "eager", "nhwc": "eager-nhwc"}

PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "training.md"
INTRODUCTION = """# Published steps of training on an RTX 3090

Made by `python -m tests.measurements.training --specs FOLDER --write`, with the calibrations that ship:
steps of timm's training benchmark, of which those count whose parameters are the network's own. Each
network is predicted by constants that were fitted **without its family**."""


class Row(NamedTuple):
    network: str
    size: int
    layout: str
    batch: int
    seconds: float


def rows() -> Iterator[Row]:
    with TABLE.open() as file:
        for row in csv.DictReader(file):
            for layout in ENGINES:
                if row[f"{layout}_batch"]:
                    yield Row(
                        row["network"],
                        int(row["size"]),
                        layout,
                        int(row[f"{layout}_batch"]),
                        float(row[f"{layout}_ms"]) / 1000,
                    )


def run(layout: str) -> Run:
    """Torch 1.12 went through the parameters one by one."""
    return Run(
        mode="train",
        precision="amp-fp16",
        optimizer="sgd-momentum",
        optimizer_impl="loop",
        channels_last=layout == "nhwc",
    )


@cache
def spec_of(folder: Path, network: str, size: int) -> ModelSpec | None:
    names = (f"{network}@{size}.composed.yaml", f"{network}@{size}.yaml")
    return next((archcost.load(folder / name) for name in names if (folder / name).exists()), None)


def seen(row: Row, spec: ModelSpec) -> Seen:
    line = timeline(archcost.build(spec, batch=row.batch), run(row.layout), "cuda")
    return Seen(family(row.network), parts(kernels(line, ())), row.seconds, f"{row.network} at {row.size}")


def results(folder: Path) -> Iterator[Result]:
    found = list(rows())
    for layout, engine in ENGINES.items():
        specs = [(row, spec_of(folder, row.network, row.size)) for row in found if row.layout == layout]
        runs = [seen(row, spec) for row, spec in specs if spec is not None]
        source = SOURCE.format(layout=layout)
        head = Head(DEVICE, engine, "torch 1.12", "amp-fp16", ("train",), (), source, DISPATCH)
        yield fitted(head, runs)


if __name__ == "__main__":
    command(__doc__, results, PAGE, INTRODUCTION)
