"""`fit`: on which devices a network runs, the largest batch on each, and what binds there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archcost import hardware as profiles
from archcost.costs.run import Run
from archcost.costs.timeline import Timeline, timeline
from archcost.estimates.batches import Binding, Growth, Make, growth, largest_batch, threads_of
from archcost.estimates.demand import Demand, caches, torch_device, workspace
from archcost.estimates.estimate import DTYPES
from archcost.graph import build
from archcost.hardware.overheads import room
from archcost.hardware.profile import HardwareProfile
from archcost.keeping import Device
from archcost.presentable import Presentable
from archcost.spec import ModelSpec


@dataclass(frozen=True)
class DeviceFit:
    """One device: what the asked batch takes there, and the largest that fits.

    `problem` says why there is no answer; the rest is None then.
    """

    hardware: HardwareProfile
    grown: Growth | None = None
    demand: Demand | None = None
    max_batch: int | None = None
    problem: str | None = None

    @property
    def fits(self) -> bool:
        return self.demand is not None and self.demand.fits

    @property
    def headroom(self) -> int | None:
        """Bytes that are left beside what is allocated and the context; below zero what is missing."""
        if self.demand is None:
            return None
        context = 0 if self.hardware.context is None else int(self.hardware.context.amount)
        return self.hardware.memory.capacity - context - self.demand.allocated

    @cached_property
    def binding(self) -> Binding | None:
        """At the largest batch, or at one sample where not even that fits."""
        return None if self.grown is None else self.grown.binding(max(self.max_batch or 0, 1))

    def to_dict(self) -> dict[str, Any]:
        demand, binding = self.demand, self.binding
        return {
            "hardware": self.hardware.name,
            "problem": self.problem,
            "fits": self.fits,
            "max_batch": self.max_batch,
            "allocated_bytes": demand and demand.allocated,
            "reserved_bytes": demand and demand.reserved,
            "capacity_bytes": self.hardware.memory.capacity,
            "headroom_bytes": self.headroom,
            "binds_at": binding and binding.at,
            "binding": [
                {"owner": bound.owner, "what": bound.what, "bytes": bound.nbytes, "why": bound.why}
                for bound in (binding.tensors[:MOST_SHOWN] if binding else ())
            ],
        }


MOST_SHOWN = 5


@dataclass(frozen=True)
class Fit(Presentable):
    """All devices that were asked for. `to_dict()` is `archcost fit --format json`."""

    network: str
    batch: int
    run: Run
    devices: tuple[DeviceFit, ...]

    @property
    def fits(self) -> bool:
        """On some device."""
        return any(device.fits for device in self.devices)

    def to_dict(self) -> dict[str, Any]:
        run = self.run
        return {
            "schema": "archcost.fit/1",
            "network": self.network,
            "batch": self.batch,
            "mode": run.mode,
            "precision": run.precision,
            "optimizer": run.optimizer,
            "accumulation": run.accumulation,
            "recompute": run.recompute,
            "fits": self.fits,
            "devices": [device.to_dict() for device in self.devices],
        }


def fit(
    spec: ModelSpec,
    batch: int = 1,
    *,
    hardware: Sequence[str | HardwareProfile] = (),
    run: Run | None = None,
    **settings: Any,
) -> Fit:
    """A network on the devices named, or on all that ship. `settings` are those of Run.

    Raises ArchcostError for a wrong input. A device that has no rate for the precision is an error where it was named,
    and a row with its problem among all.
    """
    chosen = run or Run(**settings)
    named = [profiles.load(each) if isinstance(each, str) else each for each in hardware]
    if named:
        for profile in named:
            profile.rate(DTYPES[chosen.precision])
    devices = named or [profiles.load(name) for name in profiles.names()]
    return Fit(spec.name, batch, chosen, tuple(map(_Answers(spec, batch, chosen).on, devices)))


class _Answers:
    """Devices with the same room and the same libraries have the same answer, which is worked out once."""

    def __init__(self, spec: ModelSpec, batch: int, run: Run) -> None:
        self.spec, self.batch, self.run = spec, batch, run
        self.grown: dict[Device, Growth] = {}
        self.known: dict[tuple[object, ...], tuple[Demand, int]] = {}

    def on(self, profile: HardwareProfile) -> DeviceFit:
        dtype = DTYPES[self.run.precision]
        if dtype not in profile.rates.known():
            return DeviceFit(profile, problem=f"no rate for {dtype}")
        device = torch_device(profile)
        if device not in self.grown:
            self.grown[device] = growth(self._make(device))
        grown = self.grown[device]
        alike = (
            device,
            caches(profile),
            room(profile),
            workspace(grown.played, profile),
            profile.flash,
            threads_of(profile),
        )
        if alike not in self.known:
            self.known[alike] = grown.demand(self.batch, profile), largest_batch(grown, profile)
        return DeviceFit(profile, grown, *self.known[alike])

    def _make(self, device: Device) -> Make:
        def make(batch: int, threads: int | None) -> Timeline:
            return timeline(build(self.spec, batch), self.run, device, threads)

        return make
