"""Devices that share a shape, and errors on families of networks that a fit has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from archcost import hardware
from tests.measurements.boards.fitting import NAMES, Floats, Run, Shape, own, seconds, shared, vector
from tests.measurements.boards.networks import amounts, family
from tests.measurements.boards.tables import Measured

WITHOUT_WINOGRAD = Shape(
    np.log([1.0, 1.0, 1.0, 1.5, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 1.0]), np.log([5e-9, 1e-9, 1e-5])
)
"""Where a microcontroller begins: one product after the other, in 8 bits, out of an SRAM that keeps up."""

assert len(WITHOUT_WINOGRAD.shape) == len(NAMES)

PARENTS = {
    "ncnn, halves": "ncnn",
    "ncnn-int8": "ncnn",
    "ncnn-int8, halves": "ncnn, halves",
    "ncnn-int8, x86": "ncnn, x86",
    "ncnn-vulkan": "ncnn, halves",
    "opencv": "ncnn",
}
"""Groups of few networks begin where another is, and stay near it."""

NEAR = 0.3


class Device(NamedTuple):
    """One device with one engine; a single thread of several is an engine of its own."""

    hardware: str
    engine: str
    threads: int


Group = Mapping[Device, Sequence[Measured]]


def groups(rows: Sequence[Measured]) -> dict[str, dict[Device, list[Measured]]]:
    """By what the cores of a device are: those that compute in 16 bits run other code."""
    found: dict[str, dict[Device, list[Measured]]] = {}
    for row in rows:
        profile = hardware.load(row.hardware)
        assert profile.processors is not None
        alone = row.threads == 1 and profile.processors.amount > 1 and row.engine.startswith("ncnn")
        is_cpu = row.engine in ("ncnn", "ncnn-int8")
        engine = f"{row.engine}-1-thread" if alone and is_cpu else row.engine
        name = row.engine
        if is_cpu and profile.vendor in ("Intel", "AMD"):
            name += ", x86"
        elif is_cpu and profile.rates.float16:
            name += ", halves"
        threads = row.threads if is_cpu or row.engine == "opencv" else 1
        found.setdefault(name, {}).setdefault(Device(row.hardware, engine, threads), []).append(row)
    return found


def runs(rows: Sequence[Measured], without: str | None = None) -> list[Run]:
    return [
        Run(row.network, vector(amounts(row.network)), row.seconds) for row in rows if family(row.network) != without
    ]


class Fits:
    """Shapes of all groups, and of all but one family, each fitted once."""

    def __init__(self, every: Mapping[str, Group]) -> None:
        self.every = every
        self.known: dict[tuple[str, str | None], Shape] = {}

    def shape(self, group: str, without: str | None = None) -> Shape:
        if (group, without) not in self.known:
            parent = PARENTS.get(group)
            begin = self.shape(parent, without) if parent else WITHOUT_WINOGRAD if group == "tiny-int8" else None
            seen = [found for rows in self.every[group].values() if (found := runs(rows, without))]
            self.known[group, without] = shared(seen, begin, NEAR if begin else 1.0)
        return self.known[group, without]

    def constants(self, group: str, device: Device, without: str | None = None) -> Floats | None:
        """None where nothing else ran on the device."""
        seen = runs(self.every[group][device], without)
        return own(seen, self.shape(group, without)) if seen else None

    def residuals(self, group: str) -> Iterator[tuple[Device, Measured, float]]:
        """log(measured / predicted) of each run, its family left out."""
        for left in sorted({family(row.network) for rows in self.every[group].values() for row in rows}):
            for device, rows in self.every[group].items():
                constants = self.constants(group, device, left)
                for row in rows:
                    if constants is not None and family(row.network) == left:
                        yield device, row, float(np.log(row.seconds / seconds(constants, vector(amounts(row.network)))))
