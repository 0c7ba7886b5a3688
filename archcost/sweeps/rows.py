"""The rows of one run on one device: what `estimate` says of each batch, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from archcost.costs.timeline import Timeline, timeline
from archcost.estimates.batches import Growth, growth, threads_of
from archcost.estimates.devices import caches, require_host, torch_device
from archcost.estimates.estimate import Estimate
from archcost.estimates.memory_demand import Played, demand, workspace
from archcost.estimates.verdict import VERDICTS
from archcost.graph import build
from archcost.hardware.profile import HardwareProfile
from archcost.passes.optimizer import method
from archcost.passes.run import Run
from archcost.spec import ModelSpec
from archcost.sweeps import memory
from archcost.sweeps.envelope import Integers
from archcost.sweeps.kernel_lines import GrowingStep, growing
from archcost.sweeps.seconds import Floats, Times, model_flops, times
from archcost.terms.autograd import Device
from archcost.terms.time_classes import Fuses
from archcost.times.choose import Chosen
from archcost.times.step import peak


class Rows(NamedTuple):
    """The columns of a run on a device, by batch; NaN is not known."""

    peak_bytes: Integers
    needed_bytes: Integers
    verdict: NDArray[np.int8]
    """Places in VERDICTS."""
    allocated_bytes: Integers | None
    """None where it was not asked for: an allocator that caches is played for each batch."""
    step_seconds: Floats
    band_low_seconds: Floats
    band_high_seconds: Floats
    samples_per_second: Floats
    mfu: Floats


class Answers:
    """Answers for a network at ascending batches. What devices share is computed once."""

    def __init__(self, spec: ModelSpec, batches: Integers, allocator: bool) -> None:
        self.spec, self.batches, self.allocator = spec, batches, allocator
        self.growths: dict[tuple[Run, Device], Growth] = {}
        self.steps: dict[tuple[Run, Device, tuple[Fuses, ...]], GrowingStep | None] = {}
        self.peaks: dict[tuple[Run, Device], Integers] = {}
        self.requested: dict[tuple[Run, Device, int | None], Integers] = {}
        self.lines: dict[tuple[Run, Device, int | None, int], Timeline] = {}

    def on(self, run: Run, profile: HardwareProfile, chosen: Chosen) -> Rows:
        """One sample is played by itself: layers may keep or copy other tensors than of several."""
        require_host(run, profile)
        several = self.batches[self.batches > 1]
        measured = chosen.calibration is not None and chosen.calibration.operators  # of layers at certain batches
        moves = run.offloaded or "paged" in method(run.optimizer).options  # at each batch other bytes
        alone = measured or moves
        step = self._step(run, torch_device(profile), chosen.fuses) if len(several) and not alone else None
        if step is None:
            return self._one_by_one(self.batches, run, profile, chosen)
        together = self._together(several, run, profile, chosen, step)
        if len(several) == len(self.batches):
            return together
        return _joined(self._one_by_one(self.batches[:1], run, profile, chosen), together)

    def _step(self, run: Run, device: Device, fuses: tuple[Fuses, ...]) -> GrowingStep | None:
        """The step as lines in the batch; None where something in it is no line."""
        if (run, device) not in self.growths:
            self.growths[run, device] = growth(self.spec, run, device)
        if (run, device, fuses) not in self.steps:
            grown = self.growths[run, device]
            even = self.spec.has_batch and not grown.uneven
            self.steps[run, device, fuses] = growing(grown.lines, fuses) if even else None
        return self.steps[run, device, fuses]

    def _together(
        self, batches: Integers, run: Run, profile: HardwareProfile, chosen: Chosen, step: GrowingStep
    ) -> Rows:
        key = (run, torch_device(profile))
        grown = self.growths[key]
        if key not in self.peaks:
            self.peaks[key] = memory.peaks(grown, batches)
        needed = self._needed(batches, run, profile, grown)
        samples = run.accumulation if run.trains else 1
        unknown = np.full(len(batches), np.nan)
        found = times(step, run, profile, chosen.calibration, batches) or Times(unknown, unknown, unknown)
        chooses = chosen.calibration is not None and chosen.calibration.chooses_dtypes
        rate = None if chooses else peak(run, profile)
        mfu = model_flops(step, batches) / found.step / rate if rate else unknown
        return Rows(
            self.peaks[key],
            needed,
            memory.verdicts(needed, grown, profile),
            self._allocated(needed, batches, profile, grown),
            *found,
            batches * samples / found.step,
            mfu,
        )

    def _needed(self, batches: Integers, run: Run, profile: HardwareProfile, grown: Growth) -> Integers:
        key = (run, torch_device(profile), threads_of(profile))
        if key not in self.requested:
            self.requested[key] = memory.requested(grown, key[2], batches)
        library = workspace(grown.played, profile) if caches(profile) else 0
        return self.requested[key] + library - memory.stored(grown, profile)

    def _allocated(
        self, needed: Integers, batches: Integers, profile: HardwareProfile, grown: Growth
    ) -> Integers | None:
        if not caches(profile):
            return needed
        if not self.allocator:
            return None
        return np.array([grown.demand(batch, profile).allocated for batch in batches.tolist()], np.int64)

    def _one_by_one(self, batches: Integers, run: Run, profile: HardwareProfile, chosen: Chosen) -> Rows:
        asked = self.allocator or not caches(profile)
        found = [self._estimate(batch, run, profile, chosen) for batch in batches.tolist()]
        known = [each.time for each in found]
        return Rows(
            np.array([each.peak for each in found], np.int64),
            np.array([each.demand.needed for each in found], np.int64),
            np.array([VERDICTS.index(each.verdict) for each in found], np.int8),
            np.array([each.demand.allocated for each in found], np.int64) if asked else None,
            _floats([each and each.step for each in known]),
            _floats([each and each.band[0] for each in known]),
            _floats([each and each.band[1] for each in known]),
            _floats([each and each.samples_per_second for each in known]),
            _floats([each and each.mfu for each in known]),
        )

    def _estimate(self, batch: int, run: Run, profile: HardwareProfile, chosen: Chosen) -> Estimate:
        key = (run, torch_device(profile), threads_of(profile), batch)
        if key not in self.lines:
            self.lines[key] = timeline(build(self.spec, batch), *key[:3])
        line = self.lines[key]
        return Estimate(line, profile, demand(Played.of(line), line.requested, profile, run.trains), chosen)


def _joined(first: Rows, then: Rows) -> Rows:
    both = zip(first, then, strict=True)
    columns = [None if one is None or other is None else np.concatenate([one, other]) for one, other in both]
    return Rows(*cast("list[Any]", columns))


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], np.float64)
