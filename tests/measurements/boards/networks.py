"""The networks that were run, and what an engine runs of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import archcost
from archcost import hardware
from archcost.costs.kernel import Kernel
from archcost.costs.kernels import StepKernels, kernels
from archcost.costs.timeline import timeline
from archcost.hardware.calibration import Calibration
from archcost.passes.run import Run
from archcost.terms.time_classes import Fuses, TimeClass
from archcost.times import step_time
from archcost.times.roof import stretches
from tests.measurements.boards.tables import FOLDER

Floats = NDArray[np.float64]

FUSES: tuple[Fuses, ...] = ("attention", "weights")
"""What engines for small devices make one kernel of."""

SHIPPED = {
    "mobilenet": "mobilenet_v1",
    "vgg16": "vgg_d",
    "torchvision_resnet50": "resnet50",
}
"""Those of the tables that a shipped network is, layer for layer."""

FAMILIES = {
    "mobilenet_yolo": "mobilenet",
    "mobilenet_v1": "mobilenet",
    "mobilenet_v2": "mobilenet",
    "mobilenetv2_yolov3": "mobilenet",
    "resnet18": "resnet",
    "resnet50": "resnet",
    "torchvision_resnet50": "resnet",
    "resnext101_32x4d": "resnext",
    "hf_gpt2_large": "gpt",
    "hf_gpt3_27": "gpt",
    "hf_gpt3_xl": "gpt",
    "yolo_fastest_1_1": "yolo_fastest",
    "yolo_fastestv2": "yolo_fastest",
}
"""Of more than one network of the tables; each of the others is a family of its own."""


def family(network: str) -> str:
    return FAMILIES.get(network, network)


class Amounts(NamedTuple):
    """Of one inference of one sample: FLOPs and bytes by class, and launches."""

    flops: dict[TimeClass, float]
    nbytes: dict[TimeClass, float]
    launches: int


@cache
def step(network: str) -> StepKernels:
    """What an engine that fuses runs of one sample."""
    file = FOLDER / "networks" / f"{network}.yaml"
    spec = archcost.load(str(file) if file.exists() else SHIPPED.get(network, network))
    return kernels(timeline(archcost.build(spec), Run(mode="infer"), "cpu", 1), FUSES)


def predicted(network: str, found: Calibration) -> float:
    """Seconds, as `estimate` says."""
    time = step_time(step(network), Run(mode="infer"), hardware.load(found.device), 1, found)
    assert time is not None
    assert time.step is not None
    return time.step


@cache
def amounts(network: str) -> Amounts:
    return summed([kernel for layer in step(network).layers for kernel in layer.forward])


def summed(kernels: Iterable[Kernel]) -> Amounts:
    flops: dict[TimeClass, float] = {}
    nbytes: dict[TimeClass, float] = {}
    launches = 0
    for kernel in kernels:
        by_flops, by_bytes = stretches(kernel)
        flops[kernel.kind] = flops.get(kernel.kind, 0.0) + kernel.flops * by_flops
        nbytes[kernel.kind] = nbytes.get(kernel.kind, 0.0) + kernel.nbytes * by_bytes
        launches += kernel.launches
    return Amounts(flops, nbytes, launches)
