"""What is known of the time of a step: its phases, its layers, what they wait for, and what all that rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from archcost.files.result import Result
from archcost.hardware.calibration import Calibration
from archcost.terms.time_classes import TimeClass
from archcost.times.roof import Roof

Status = Literal["bound", "public", "calibrated"]

DATA_SHEET = "data sheet"


class Part(NamedTuple):
    """Forward of a layer, or half of its backward, run once: what it does, how long, and what it waits for."""

    flops: int
    nbytes: int
    launches: int
    seconds: float
    roof: Roof

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte that is read or written; None where there is none."""
        return self.flops / self.nbytes if self.nbytes else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "flops": self.flops,
            "bytes": self.nbytes,
            "intensity": self.intensity,
            "launches": self.launches,
            "seconds": self.seconds,
            "roof": self.roof,
        }


PARTS = ("forward", "backward_input", "backward_weight")


class LayerTime(NamedTuple):
    """Seconds of one layer in a step, what is run again included, and what most of them wait for."""

    name: str
    kind: TimeClass
    roof: Roof
    forward: float
    backward_input: float
    backward_weight: float
    parts: tuple[Part, Part, Part]
    """Forward and the halves of backward, each run once. With recomputation and accumulation they run more often."""

    @property
    def seconds(self) -> float:
        return self.forward + self.backward_input + self.backward_weight

    @property
    def backward(self) -> float:
        return self.backward_input + self.backward_weight

    @property
    def launches(self) -> int:
        return sum([part.launches for part in self.parts])

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "roof": self.roof,
            "seconds": self.seconds,
            **{f"{name}_seconds": getattr(self, name) for name in PARTS},
        }

    def working(self) -> dict[str, Any]:
        """The layer's time with its FLOPs, bytes and roof, for each part of the step."""
        parts = zip(PARTS, self.parts, strict=True)
        return {**self.to_dict(), **{name: part.to_dict() for name, part in parts if part.launches}}


PhaseName = Literal["forward", "backward", "optimizer"]


class PhaseTime(NamedTuple):
    """Forward, backward or the optimizer. `seconds` are typical ones, between `least` and `most` of a data sheet.

    `least` and `most` are None of a calibration, whose band is that of whole steps.
    """

    name: PhaseName
    seconds: float
    least: float | None
    most: float | None
    roof: Roof
    """What most of it waits for: `dispatch` where the host takes longer than the kernels."""


@dataclass(frozen=True, repr=False)
class StepTime(Result):
    """Seconds. `typical` is one number for those who compare layers; with the status `bound` it is no forecast, and
    `step`, `forward`, `backward` and `optimizer` are None.
    """

    status: Status
    engine: str
    samples: int
    """Of one step: of all batches whose gradients it adds up."""
    typical: float
    forward: float | None
    backward: float | None
    optimizer: float | None
    band: tuple[float, float]
    phases: tuple[PhaseTime, ...]
    by_layer: Callable[[], Iterable[LayerTime]] = field(repr=False, compare=False)
    flops: int
    """Contractions of one step, those of recomputation left out: what `mfu` is of."""
    peak: float | None
    """FLOP/s of the data sheet in the run's precision."""
    launches: int
    dispatch: float
    """Seconds of the host for all launches."""
    unknown: tuple[str, ...] = ()
    """Layers of which nobody knows how long they take: every sum is a lower bound."""
    notes: tuple[str, ...] = ()
    calibration: Calibration | None = None
    energy: float | None = None
    """Joules, where power was measured with the runs."""

    @cached_property
    def layers(self) -> tuple[LayerTime, ...]:
        """The layers that run kernels, one by one. Made when asked for, since sums are made over equal layers."""
        return tuple(self.by_layer())

    """What it rests on, where it is not a data sheet."""

    @property
    def headline(self) -> str:
        low, high = self.band
        return f"a step of {self.samples:,} samples, {self.status}: {low:.3g} to {high:.3g} s"

    @property
    def step(self) -> float | None:
        if self.forward is None or self.backward is None or self.optimizer is None:
            return None
        return self.forward + self.backward + self.optimizer

    @property
    def samples_per_second(self) -> float | None:
        return self.samples / self.step if self.step else None

    @property
    def mfu(self) -> float | None:
        """Model FLOPs utilisation: contractions a second over the data sheet's dense rate (Chowdhery et al. 2022)."""
        return self.flops / self.step / self.peak if self.step and self.peak else None

    @property
    def trains(self) -> bool:
        """Whether anything of it is backward."""
        return any(layer.backward for layer in self.layers)

    def slowest(self, count: int = 3) -> tuple[LayerTime, ...]:
        return tuple(sorted(self.layers, key=lambda layer: -layer.seconds)[:count])

    def to_dict(self) -> dict[str, Any]:
        return {
            "step_seconds": self.step,
            "forward_seconds": self.forward,
            "backward_seconds": self.backward,
            "optimizer_seconds": self.optimizer,
            "typical_seconds": self.typical,
            "samples_per_second": self.samples_per_second,
            "mfu": self.mfu,
            "status": self.status,
            "engine": self.engine,
            "band": list(self.band),
            "launches": self.launches,
            "phases": [_phase(phase) for phase in self.phases],
            "slowest": [layer.to_dict() for layer in self.slowest()],
            "unknown_layers": list(self.unknown),
            "notes": list(self.notes),
            **({} if self.energy is None else {"energy_joules": self.energy}),
            **({} if self.calibration is None else {"basis": _basis(self.calibration)}),
        }


def _phase(phase: PhaseTime) -> dict[str, Any]:
    band = {} if phase.least is None else {"band": [phase.least, phase.most]}
    return {"name": phase.name, "seconds": phase.seconds, **band, "roof": phase.roof}


def _basis(found: Calibration) -> dict[str, Any]:
    errors = {} if found.errors is None else {"median_error": found.errors.median, "p90_error": found.errors.p90}
    return {"runs": found.runs, "families": found.families, "source": found.source, **errors}


NUMBERS = (
    "step_seconds",
    "forward_seconds",
    "backward_seconds",
    "optimizer_seconds",
    "typical_seconds",
    "samples_per_second",
    "mfu",
    "status",
    "engine",
    "band",
    "launches",
)
"""Keys that are null where there is no time at all, and those that a data sheet leaves null."""


def unknown_numbers(time: StepTime | None) -> tuple[str, ...]:
    """Keys of `to_dict()` that are null because nobody knows."""
    told = {} if time is None else time.to_dict()
    return tuple([name for name in NUMBERS if told.get(name) is None])


def to_dict(time: StepTime | None, notes: tuple[str, ...]) -> dict[str, Any]:
    """The JSON of a step's time. Without a time it has the same keys, and notes say why."""
    if time is not None:
        return time.to_dict()
    return {
        **dict.fromkeys(NUMBERS),
        "phases": [],
        "slowest": [],
        "unknown_layers": [],
        "notes": list(notes),
    }
