"""`fit`: on which devices a network runs, the largest batch, image or width on each, what binds there, and, of one
device on which it does not fit, what to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from archcost import hardware as profiles
from archcost.costs.choose_checkpoints import OverBudgetError
from archcost.errors import ArchcostError
from archcost.estimates.auto_recompute import is_automatic
from archcost.estimates.batches import Binding, Bound, Growth, growth, largest_tight, threads_of
from archcost.estimates.devices import caches, has_host, torch_device
from archcost.estimates.estimate import Estimate
from archcost.estimates.floor import no_batch_fits
from archcost.estimates.memory_demand import Demand, workspace
from archcost.estimates.verdict import Verdict, limits
from archcost.files.result import Result
from archcost.files.stage import tell_stage
from archcost.graph import ModelGraph, build
from archcost.hardware.calibration import Calibration
from archcost.hardware.overheads import room
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.planning.intervals import UNKNOWN, Span
from archcost.planning.money import Given, by_device
from archcost.planning.remedies import Remedies, remedies
from archcost.planning.sequences import AtLength
from archcost.planning.timing import Timing
from archcost.planning.trials import Trial, trial
from archcost.planning.vary import Largest, Varied, Word, batches, word
from archcost.spec import ModelSpec
from archcost.spec.given import Network, spec_of
from archcost.terms.autograd import Device
from archcost.times import StepTime, link
from archcost.times.choose import run_by
from archcost.units import size

MOST_SHOWN = 8
"""Of the tensors that live at the peak."""


@dataclass(frozen=True)
class DeviceFit:
    """One device: what the asked batch takes there, and the largest that fits.

    `problem` says why there is no answer; the rest is None then. `varied` is the largest side or width at the asked
    batch, where that was the question. `remedies` are worked out where one device was asked for and it does not fit
    safely.
    """

    hardware: HardwareProfile
    batch: int
    grown: Growth | None = None
    demand: Demand | None = None
    batches: Largest | None = None
    """None under `recompute: auto`: each batch would be a search of its own."""
    max_batch_tight: int | None = None
    """That is not certain to fail; None as above."""
    varied: Largest | None = None
    estimate: Estimate | None = None
    remedies: Remedies | None = None
    problem: str | None = None
    timed: StepTime | None = None
    """Of the asked batch, where there is no estimate."""
    price: float | None = None
    """USD for an hour, where it was given."""

    @property
    def time(self) -> StepTime | None:
        """The time of a step at the asked batch; None where there is no answer, or no rate for the precision."""
        return self.timed if self.estimate is None else self.estimate.time

    @property
    def cost(self) -> Span:
        """USD for a million samples in steps of the asked batch."""
        if self.price is None or self.time is None:
            return UNKNOWN
        return Span(self.time.step, *self.time.band).times(self.price / 3600 / self.batch * 1_000_000)

    @property
    def verdict(self) -> Verdict | None:
        return self.demand and self.demand.verdict

    @property
    def fits(self) -> bool:
        """Whether it is not certain to fail: `fits` or `tight`."""
        return self.verdict in ("fits", "tight")

    @property
    def max_batch(self) -> int | None:
        """That is safe. 0 when not even one sample is."""
        return self.batches and self.batches.value

    @property
    def largest(self) -> Largest | None:
        """The largest batch, image side or width that fits, whichever was asked for."""
        return self.varied or self.batches

    @property
    def headroom(self) -> int | None:
        """Bytes that a step may need beyond what it does and is still safe; below zero, those that are too many.

        Of a microcontroller whose flash is too small it is that which is told.
        """
        if self.demand is None:
            return None
        flash, stored = self.hardware.flash, self.demand.flash
        if flash is not None and stored > int(flash.amount):
            return int(flash.amount) - stored
        return limits(self.hardware).safe - self.demand.needed

    @property
    def bound_batch(self) -> int:
        """The batch of `binding`: the largest, where it is known and the asked one is safe, else that one."""
        return (self.max_batch or self.batch) if self.verdict == "fits" else self.batch

    @cached_property
    def binding(self) -> Binding | None:
        """The peak at batch `bound_batch`: where it is, and its tensors."""
        if self.grown is not None:
            return self.grown.binding(self.bound_batch)
        return None if self.estimate is None else _binding(self.estimate)

    def to_dict(self) -> dict[str, Any]:
        demand, binding, largest = self.demand, self.binding, self.largest
        return {
            "hardware": self.hardware.name,
            "problem": self.problem,
            "fits": self.fits,
            "verdict": self.verdict,
            "max_batch": self.max_batch,
            "max_batch_tight": self.max_batch_tight,
            "vary": largest and largest.to_dict(),
            "allocated_bytes": demand and demand.allocated,
            "reserved_bytes": demand and demand.reserved,
            "capacity_bytes": self.hardware.memory.capacity,
            "headroom_bytes": self.headroom,
            "binds_at": binding and binding.at,
            "binding_batch": self.bound_batch,
            "binding": [
                {"owner": bound.owner, "what": bound.what, "bytes": bound.nbytes, "why": bound.why}
                for bound in (binding.tensors[:MOST_SHOWN] if binding else ())
            ],
            **self._off_card(),
            "time": self.time and _time(self.time),
            "remedies": self.remedies and self.remedies.to_dict(),
            **self._charges(),
        }

    def _charges(self) -> dict[str, Any]:
        if self.price is None:
            return {}
        return {"usd_per_hour": self.price, "million_samples": self.cost.to_dict("usd")}

    def _off_card(self) -> dict[str, Any]:
        """What is offloaded, where the device has an estimate of its own."""
        found = None if self.estimate is None else self.estimate.line.offloaded
        return {} if found is None else {"offload": link.to_dict(found, self.hardware)}


def _time(time: StepTime) -> dict[str, Any]:
    """What a data sheet alone does not tell is left out."""
    told = time.to_dict()
    names = ("status", "engine", "step_seconds", "band", "samples_per_second", "mfu")
    return {name: told[name] for name in names if told[name] is not None}


def _binding(estimate: Estimate) -> Binding:
    tensors = [Bound(each.held.owner, each.held.what, each.held.nbytes, each.why) for each in estimate.line.alive]
    return Binding(estimate.peak, str(estimate.line.highest), tuple(tensors))


@dataclass(frozen=True, repr=False)
class Fit(Result):
    """All devices that were asked for. `to_dict()` is `archcost fit --format json`."""

    network: str
    batch: int
    run: Run
    vary: Word
    devices: tuple[DeviceFit, ...]
    title: str
    """Of the network."""
    differs: tuple[str, ...]
    """What a calibration that was given is of, where it is not of what runs here."""

    @property
    def headline(self) -> str:
        fitting = sum(device.verdict == "fits" for device in self.devices)
        return f"{self.network}, batch {self.batch:,}, fits on {fitting} of {len(self.devices)} devices"

    @property
    def fits(self) -> bool:
        """On some device."""
        return any(device.fits for device in self.devices)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Devices of which there is no answer, or no time, and layers that make every answer a lower bound."""
        graph = self.graph
        silent = [device.hardware.name for device in self.devices if device.problem is not None]
        timeless = [device for device in self.devices if device.problem is None and device.time is None]
        times = [f"{device.hardware.name}.time" for device in timeless]
        return (*silent, *times, *(graph.unknown if graph else ()))

    @property
    def graph(self) -> ModelGraph | None:
        """The network at the asked batch, if some device has an answer."""
        return next((device.estimate.line.graph for device in self.devices if device.estimate is not None), None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.fit/1",
            "network": self.network,
            "title": self.title,
            "batch": self.batch,
            **self.run.to_dict(),
            "vary": self.vary,
            "unknown": list(self.unknown),
            "fits": self.fits,
            "devices": [device.to_dict() for device in self.devices],
        }


def fit(
    spec: Network,
    batch: int = 1,
    *,
    hardware: str | HardwareProfile | Sequence[str | HardwareProfile] = (),
    vary: str = "batch",
    run: Run | None = None,
    engine: str | None = None,
    calibration: Calibration | None = None,
    at_length: AtLength | None = None,
    price: Given = None,
    **settings: Any,
) -> Fit:
    """A network on the devices named, on those that are common, or on `all` that ship.

    `settings` are those of Run, `engine` and `calibration` those of estimate: a calibration answers for its own device,
    and for whatever is asked for alone.

    `vary` is what the largest is sought of: `batch`, `input` (the image's side), `width` (percent of the hidden
    channels and features) or `sequence` (its length in tokens), the last three at the asked batch; `at_length` makes
    the network with a sequence of a length, where it was imported at one. `price` in USD/h, for all devices or by name,
    gives each its `cost` of a million samples. Of a device that has no rate for the precision, no time is known.
    Raises ArchcostError for a wrong input.
    """
    chosen, what = run_by(run or Run(**settings), engine), word(vary)
    named = profiles.profiles_of(hardware)
    if is_automatic(chosen) and not named:
        raise ArchcostError(
            "recompute: auto searches for the checkpoints of one device after another",
            expected="devices by name",
            found="those that are common",
            hint="--hardware",
        )
    spec = spec_of(spec)
    devices = named or profiles.asked_for(())
    prices = by_device(price, [device.name for device in devices], "USD/h", "price")
    timing = Timing(spec, batch, chosen, devices, engine, calibration)
    answers = _Answers(spec, batch, chosen, what, timing, at_length)
    found = (answers.in_full(named[0]),) if len(named) == 1 else tuple(map(answers.on, devices))
    found = tuple(replace(each, price=prices.get(each.hardware.name)) for each in found) if prices else found
    return Fit(spec.label, batch, chosen, what, found, spec.title or spec.name, timing.differs)


class _Answers:
    """Devices with the same room and the same libraries have the same answer, which is worked out once."""

    def __init__(
        self, spec: ModelSpec, batch: int, run: Run, vary: Word, timing: Timing, at_length: AtLength | None
    ) -> None:
        self.spec, self.batch, self.run, self.timing = spec, batch, run, timing
        self.varied = None if vary == "batch" else Varied(spec, batch, run, vary, at_length)
        self.grown: dict[Device, Growth] = {}
        self.known: dict[tuple[object, ...], tuple[Demand, Largest, int, Largest | None]] = {}
        build(spec, batch)  # refuses a batch that is none

    def on(self, profile: HardwareProfile) -> DeviceFit:
        tell_stage(profile.name)
        if is_automatic(self.run):
            return self._searched(profile)
        if self.run.offloaded and not has_host(profile):
            return DeviceFit(profile, self.batch, problem="nothing can be offloaded: its memory is the host's")
        grown = self._growth(torch_device(profile))
        alike = (
            torch_device(profile),
            caches(profile),
            room(profile),
            workspace(grown.played, profile),
            profile.flash,
            threads_of(profile),
        )
        if alike not in self.known:
            varied = self.varied and self.varied.on(profile)
            most = batches(grown, profile, False)
            tight = largest_tight(grown, profile, most.value)
            self.known[alike] = grown.demand(self.batch, profile), most, tight, varied
        return DeviceFit(profile, self.batch, grown, *self.known[alike], timed=self.timing.on(profile))

    def in_full(self, profile: HardwareProfile) -> DeviceFit:
        """The answer for one device, with its estimate, and remedies where it does not fit. Raises OverBudgetError."""
        line, needs = trial(build(self.spec, self.batch), self.run, profile)
        none_fits = not is_automatic(self.run) and no_batch_fits(line, profile)
        grown = None if is_automatic(self.run) or none_fits else self._growth(torch_device(profile))
        most = self._none(profile, needs) if none_fits else grown and batches(grown, profile, True)
        return DeviceFit(
            profile,
            self.batch,
            grown,
            needs,
            most,
            largest_tight(grown, profile, most.value) if grown and most else most and 0,
            self.varied and self.varied.on(profile),
            Estimate(line, profile, needs, self.timing.chosen(profile), grown),
            None if needs.is_safe else remedies(self.spec, self.batch, self.run, profile, Trial(line, needs)),
        )

    def _none(self, profile: HardwareProfile, needs: Demand) -> Largest:
        """Not one sample, of whatever batch those are the needs."""
        one = needs if self.batch == 1 else trial(build(self.spec, 1), self.run, profile).demand
        return Largest("batch", 0, None, 1, one.allocated, None)

    def _searched(self, profile: HardwareProfile) -> DeviceFit:
        try:
            return self.in_full(profile)
        except OverBudgetError as error:
            return DeviceFit(profile, self.batch, problem=f"{error.problem}; {size(error.least)} at the least")

    def _growth(self, device: Device) -> Growth:
        if device not in self.grown:
            self.grown[device] = growth(self.spec, self.run, device)
        return self.grown[device]
