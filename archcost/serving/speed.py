"""How long serving takes: the kernels of its two steps under the roofs of a device, by the rules of any step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from archcost.costs.kernels import LayerKernels, StepKernels, kernels
from archcost.graph import ModelGraph
from archcost.hardware.profile import HardwareProfile
from archcost.serving.memory import CACHE_BYTES, CacheDtype, StepMemory
from archcost.tensors import DTYPE_BYTES
from archcost.times import StepTime, step_time
from archcost.times.choose import Chosen


class Spell(NamedTuple):
    """Seconds: the most likely where runs are known, and between which they lie."""

    likely: float | None
    low: float
    high: float

    @property
    def band(self) -> list[float]:
        return [self.low, self.high]


class Rate(NamedTuple):
    """Tokens a second in so many sequences at once, likewise, and what they wait for."""

    sequences: int
    likely: float | None
    low: float
    high: float
    roof: str

    def to_dict(self) -> dict[str, Any]:
        band = [self.low, self.high]
        return {
            "concurrency": self.sequences,
            "tokens_per_second": self.likely,
            "band": band,
            "roof": self.roof,
        }


@dataclass(frozen=True)
class Speed:
    """The times of a network's steps on a device."""

    memory: StepMemory
    hardware: HardwareProfile
    chosen: Chosen
    cache: CacheDtype

    def first(self, prompt: int) -> StepTime | None:
        """Of a prompt alone, to its first token; None where the device has no rate for the dtype."""
        return self._time(self.memory.steps.prefill(prompt), self.memory.steps.times_at(prompt), 1)

    def token(self, past: int, sequences: int) -> StepTime | None:
        """Of one token of each sequence after so many."""
        steps = self.memory.steps
        return self._time(steps.decode(past, sequences), steps.times_at(1), sequences)

    def rate(self, past: int, sequences: int) -> Rate | None:
        """Tokens a second while all are written to."""
        found = self.token(past, sequences)
        if found is None:
            return None
        spell = spell_of(found)
        likely = None if spell.likely is None else sequences / spell.likely
        return Rate(sequences, likely, sequences / spell.high, sequences / spell.low, roof_of(found))

    def _time(self, graph: ModelGraph, times: Mapping[str, int], sequences: int) -> StepTime | None:
        line = self.memory.line(graph)
        short = kernels(line, self.chosen.fuses)
        whole = replace(short, layers=tuple(self._layers(short, times)))
        notes = self.chosen.notes
        return step_time(whole, line.run, self.hardware, sequences, self.chosen.calibration, notes)

    def _layers(self, short: StepKernels, times: Mapping[str, int]) -> list[LayerKernels]:
        """All layers, each as often as it stands in the network; attention reads what the cache's dtype makes of it."""
        narrow = CACHE_BYTES[self.cache] / DTYPE_BYTES[self.memory.run.weight_dtype or "float32"]
        found: list[LayerKernels] = []
        for layer in short.layers:
            read = layer
            if narrow != 1 and any(kernel.kind == "attention" for kernel in layer.forward):
                forward = [kernel._replace(nbytes=round(kernel.nbytes * narrow)) for kernel in layer.forward]
                read = layer._replace(forward=tuple(forward))
            name = layer.name.partition(" (")[0]
            found += [read] * times.get(name, times.get(name.rpartition(".cache")[0], 1))
        return found


def spell_of(time: StepTime) -> Spell:
    return Spell(time.step, *time.band)


def roof_of(time: StepTime) -> str:
    """What its forward pass waits for."""
    return time.phases[0].roof
