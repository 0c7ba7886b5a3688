"""GPUs in float32: NeuSight's runs of transformers, and NVIDIA's of two convolutional networks on a V100.

What a GPU computes hides what it moves: of a product only FLOPs count, of all else only bytes. Backward is a group of
its own, which begins where forward is. The networks are transformers' (version of NeuSight's torch 2.1), which composes
attention of products, so that an answer has it composed too. Convolutions ran on one device: the others have its shares
of their data sheets, those of float32 (torch's cuDNN may compute in TF32, which none of these runs shows).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from math import log
from statistics import median
from typing import NamedTuple

import numpy as np

import archcost
from archcost import hardware
from archcost.costs.kernel import Kernel
from archcost.costs.kernels import StepKernels, kernels
from archcost.costs.timeline import timeline
from archcost.hardware.calibration import Calibration, Pace
from archcost.passes.run import Run as Settings
from archcost.spec.overrides import override
from archcost.terms.time_classes import CONTRACTIONS, TimeClass
from archcost.times import step_time
from tests.measurements.boards.fitting import Floats, Run, Shape, own, paces, shared, vector
from tests.measurements.boards.networks import Amounts, family, summed
from tests.measurements.boards.tables import FOLDER

SOURCE = (
    "sitar-lab/NeuSight, scripts/asplos/label at 6945927d, float32, attention composed; convolutions by their share on "
    "a V100: NVIDIA/DeepLearningExamples, PyTorch/Classification/ConvNets at 729963dd"
)

IMAGES = ("torchvision_resnet50", "resnext101_32x4d")

BEGIN = Shape(
    np.log([1.4, 1.0, 1.2, 2.0, 20.0, 1.0, 1.3, 1.0, 1.0, 1.0, 1.0, 1.0, 1.3, 1.3, 1.0]), np.log([1e-13, 2e-12, 1e-5])
)
"""Before any run is seen: recalled from how cuBLAS and cuDNN fare in float32."""

NEAR = 0.3

HOST = 1e-5
"""Seconds of a launch of eager torch, where no run shows it: none of these waits for the host."""

FEWEST = 16
"""Images in a batch, below which a V100 waits for its host."""


class Measured(NamedTuple):
    """One figure, of forward or of backward."""

    hardware: str
    network: str
    batch: int
    trains: bool
    is_backward: bool
    seconds: float


def every() -> Iterator[Measured]:
    with (FOLDER / "gpus.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            batch, trains = int(row["batch"]), row["mode"] == "train"
            for column, is_backward in (("forward_ms", False), ("backward_ms", True)):
                if row[column]:
                    seconds = float(row[column]) / 1e3
                    yield Measured(row["hardware"], row["network"], batch, trains, is_backward, seconds)


@cache
def step(network: str, batch: int, trains: bool) -> StepKernels:
    file = FOLDER / "networks" / f"{network}.yaml"
    shipped = {"torchvision_resnet50": "resnet50", "resnext101_32x4d": "resnext50_32x4d"}
    spec = archcost.load(str(file) if file.exists() else shipped[network])
    if network.startswith("resnext101"):
        spec = override(spec, ("depth3=23",), ())
    settings = Settings(mode="train", optimizer="none") if trains else Settings(mode="infer")
    return kernels(timeline(archcost.build(spec, batch), settings, "cuda"), ())


@cache
def amounts(network: str, batch: int, trains: bool, is_backward: bool) -> Amounts:
    found: list[Kernel] = []
    for layer in step(network, batch, trains).layers:
        found += (*layer.backward_input, *layer.backward_weight) if is_backward else layer.forward
    told = summed(found)
    nbytes = {kind: amount for kind, amount in told.nbytes.items() if kind not in CONTRACTIONS}
    return Amounts({kind: told.flops[kind] for kind in told.flops if kind in CONTRACTIONS}, nbytes, 0)


def says_of_kernels(row: Measured) -> bool:
    return row.network not in IMAGES or row.batch >= FEWEST


def run(row: Measured) -> Run:
    return Run(row.network, vector(amounts(row.network, row.batch, row.trains, row.is_backward)), row.seconds)


def seen(rows: Sequence[Measured], without: str | None) -> dict[str, list[Run]]:
    """By device; small batches of images wait for the host, and say nothing of kernels."""
    found: dict[str, list[Run]] = {}
    for row in rows:
        if family(row.network) != without and says_of_kernels(row):
            found.setdefault(row.hardware, []).append(run(row))
    return found


class Constants(NamedTuple):
    """Of all devices, forward and backward, and of a launch."""

    forward: dict[str, Floats]
    backward: dict[str, Floats]
    host: dict[str, float]


@cache
def fitted(without: str | None = None) -> Constants:
    """With a family of networks left out."""
    rows = list(every())
    forward = seen([row for row in rows if not row.is_backward], without)
    backward = seen([row for row in rows if row.is_backward], without)
    front = shared(list(forward.values()), BEGIN, NEAR)
    back = shared(list(backward.values()), front, NEAR)
    waiting: dict[str, list[float]] = {}
    for row in rows:
        if row.network in IMAGES and row.batch == 1 and family(row.network) != without:
            launches = len([None for layer in step(row.network, 1, False).layers for _ in layer.forward])
            waiting.setdefault(row.hardware, []).append(row.seconds / launches)
    return Constants(
        {device: own(runs, front) for device, runs in forward.items()},
        {device: own(runs, back) for device, runs in backward.items()},
        {device: median(seconds) for device, seconds in waiting.items()},
    )


def devices(without: str | None = None) -> dict[str, Calibration]:
    """Without bands and errors yet."""
    found = fitted(without)
    rows = list(every())
    calibrations: dict[str, Calibration] = {}
    for device, constants in found.forward.items():
        runs = [row for row in rows if row.hardware == device and not row.is_backward]
        back = found.backward.get(device)
        calibrations[device] = Calibration(
            device=device,
            engine="eager",
            version="torch 2.1",
            precision="fp32",
            modes=("infer",) if back is None else ("infer", "train"),
            status="public",
            source=SOURCE,
            runs=len(runs),
            families=len({family(row.network) for row in runs}),
            fuses=(),
            dispatch=found.host.get(device, HOST),
            classes=_classes(constants),
            backward={} if back is None else _classes(back),
            band=(0.5, 2.0),
        )
    return calibrations


def _classes(constants: Floats) -> dict[TimeClass, Pace]:
    found = {kind: Pace(rate=rate, bandwidth=bandwidth) for kind, (rate, bandwidth) in sorted(paces(constants).items())}
    return found | {"optimizer": found["elementwise"]}


class Step(NamedTuple):
    """One run: forward, and backward where it trains."""

    hardware: str
    network: str
    batch: int
    trains: bool
    seconds: float


def steps() -> list[Step]:
    """Forward alone, and whole steps."""
    found: dict[tuple[str, str, int, bool], float] = {}
    for row in every():
        key = row.hardware, row.network, row.batch, row.trains
        found[key] = found.get(key, 0.0) + row.seconds
    return [Step(*key, seconds) for key, seconds in found.items()]


def predicted(row: Step, found: Calibration) -> float:
    """Seconds, as `estimate` says."""
    settings = Settings(mode="train", optimizer="none") if row.trains else Settings(mode="infer")
    time = step_time(step(row.network, row.batch, row.trains), settings, hardware.load(row.hardware), row.batch, found)
    assert time is not None
    assert time.step is not None
    return time.step


def residuals() -> Iterator[tuple[Step, float]]:
    """log(measured / predicted) of each run, its family left out."""
    rows = steps()
    for left in sorted({family(row.network) for row in rows}):
        found = devices(left)
        for row in rows:
            known = found.get(row.hardware)
            if family(row.network) == left and known is not None and ("train" in known.modes or not row.trains):
                yield row, log(row.seconds / predicted(row, known))
