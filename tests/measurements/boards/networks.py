"""The networks that were run, and what an engine runs of them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import archcost
from archcost.costs.fused import fused
from archcost.costs.kernels import kernels
from archcost.costs.run import Run
from tests.measurements.boards.tables import FOLDER

Floats = NDArray[np.float64]

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
    "yolo_fastest_1_1": "yolo_fastest",
    "yolo_fastestv2": "yolo_fastest",
}
"""Of more than one network of the tables; each of the others is a family of its own."""


def family(network: str) -> str:
    return FAMILIES.get(network, network)


class Amounts(NamedTuple):
    """Of one inference of one sample: FLOPs and bytes by class, and launches."""

    flops: dict[str, float]
    nbytes: dict[str, float]
    launches: int


@cache
def amounts(network: str) -> Amounts:
    file = FOLDER / "networks" / f"{network}.yaml"
    spec = archcost.load(str(file) if file.exists() else SHIPPED.get(network, network))
    line = archcost.estimate(spec, hardware="generic-desktop-cpu", run=Run(mode="infer")).line
    flops: dict[str, float] = {}
    nbytes: dict[str, float] = {}
    launches = 0
    for layer in fused(kernels(line), line).layers:
        for kernel in layer.forward:
            flops[kernel.kind] = flops.get(kernel.kind, 0.0) + kernel.flops
            nbytes[kernel.kind] = nbytes.get(kernel.kind, 0.0) + kernel.nbytes
            launches += kernel.launches
    return Amounts(flops, nbytes, launches)
