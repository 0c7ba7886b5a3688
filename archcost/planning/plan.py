"""`plan`: a whole run on each of several devices: steps, hours, energy, money, carbon, and storage of checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, Literal, get_args

from archcost import hardware as profiles
from archcost.costs import cost
from archcost.costs.choose_checkpoints import OverBudgetError
from archcost.errors import ArchcostError, listing, nearest, shorten
from archcost.estimates.estimate import Estimate
from archcost.estimates.verdict import Verdict
from archcost.files.result import Result
from archcost.files.stage import tell_stage
from archcost.graph import ModelGraph, build
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.planning.intervals import UNKNOWN, Span
from archcost.planning.money import Given, amount, by_device
from archcost.planning.remedies import Remedy, remedies
from archcost.planning.stepping import Step, all_reduce, checkpoint_bytes, gradient_bytes, overlapped
from archcost.planning.trials import Lines, Trial
from archcost.planning.workload import Workload, positive, workload
from archcost.spec import ModelSpec
from archcost.spec.given import Network, spec_of
from archcost.times.choose import choose, run_by
from archcost.units import size

Order = Literal["time", "cost"]


@dataclass(frozen=True)
class Charges:
    """What an hour of one device, its power and the energy are charged; None is unknown.

    `watts` are what it draws. Where only its TDP is known, `is_bound` says that it draws no more than that.
    """

    usd_per_hour: float | None
    watts: float | None
    is_bound: bool
    grams_per_kilowatt_hour: float | None


@dataclass(frozen=True)
class DeviceRun:
    """The run on `count` devices of one kind. `problem` says why there is no answer.

    `estimate` is the step that is run: the one that was asked for or, where that does not fit, the one after the
    cheapest remedy. None where nothing fits.
    """

    hardware: HardwareProfile
    count: int
    workload: Workload
    keep: int
    charges: Charges
    fits: bool = False
    remedy: Remedy | None = None
    estimate: Estimate | None = None
    step: Step | None = None
    """By itself on one device; None where its time is not known."""
    problem: str | None = None

    @property
    def runs(self) -> bool:
        return self.estimate is not None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of the step as it was asked for."""
        if self.problem is not None:
            return None
        return self.estimate.verdict if self.fits and self.estimate is not None else "does not fit"

    @cached_property
    def reducing(self) -> float | None:
        """Seconds in which the gradients of a step are added up, by themselves."""
        if self.estimate is None:
            return None
        return all_reduce(gradient_bytes(self.estimate), self.count, self.hardware)

    @property
    def seconds(self) -> Span:
        """Seconds of a step, as an interval."""
        return UNKNOWN if self.step is None else overlapped(self.step, self.reducing)

    @property
    def hours(self) -> Span:
        return self.seconds.times(self.workload.steps / 3600)

    @property
    def device_hours(self) -> Span:
        return self.hours.times(self.count)

    @property
    def energy(self) -> Span:
        """The energy of the devices alone, in kWh."""
        if self.charges.watts is None:
            return UNKNOWN
        drawn = self.device_hours.times(self.charges.watts / 1000)
        return drawn.at_most if self.charges.is_bound else drawn

    @property
    def cost(self) -> Span:
        """The price of the run, in USD."""
        price = self.charges.usd_per_hour
        return UNKNOWN if price is None else self.device_hours.times(price)

    @property
    def carbon(self) -> Span:
        """The carbon of the run, in kg of CO2."""
        grams = self.charges.grams_per_kilowatt_hour
        return UNKNOWN if grams is None else self.energy.times(grams / 1000)

    @property
    def checkpoint(self) -> int:
        """Bytes of one; a run that does not train makes none."""
        if self.estimate is None or not self.estimate.run.trains:
            return 0
        return checkpoint_bytes(self.estimate)

    def to_dict(self) -> dict[str, Any]:
        head = {"hardware": self.hardware.name, "problem": self.problem, "fits": self.fits, "verdict": self.verdict}
        remedy = {"remedy": self.remedy and self.remedy.to_dict()}
        if self.estimate is None:
            return {**head, **remedy, **dict.fromkeys(SECTIONS)}
        return {**head, **remedy, **self._sections(self.estimate)}

    def _sections(self, estimate: Estimate) -> dict[str, Any]:
        charges, step = self.charges, self.step
        return {
            "micro_batch": estimate.batch,
            "accumulation": estimate.run.accumulation,
            "time": {
                **self.hours.to_dict("hours"),
                "device_hours": self.device_hours.likely,
                "step_seconds": self.seconds.likely,
                "communication_seconds": self.reducing,
                "status": step and step.status,
                "engine": step and step.engine,
                "notes": list(step.notes) if step else [],
            },
            "energy": {
                **self.energy.to_dict("kilowatt_hours"),
                "watts": charges.watts,
                "watts_are": None if charges.watts is None else "an upper bound" if charges.is_bound else "given",
            },
            "cost": {**self.cost.to_dict("usd"), "usd_per_device_hour": charges.usd_per_hour},
            "carbon": {**self.carbon.to_dict("kilograms"), "grams_per_kilowatt_hour": charges.grams_per_kilowatt_hour},
            "checkpoints": {"bytes": self.checkpoint, "kept": self.keep, "kept_bytes": self.checkpoint * self.keep},
        }


NESTED = ("time", "energy", "cost", "carbon", "checkpoints")
SECTIONS = ("micro_batch", "accumulation", *NESTED)
"""Keys of a device, null where nothing fits."""


@dataclass(frozen=True, repr=False)
class Plan(Result):
    """A run on each device, in the order asked for. `to_dict()` is `archcost plan --format json`.

    `flops` are those of contractions, forward and backward, of all samples; nothing that is done twice is among them.
    """

    network: str
    batch: int
    run: Run
    count: int
    workload: Workload
    flops: int
    order: Order
    graph: ModelGraph
    searched: bool
    """Whether a change was looked for where it does not fit."""
    devices: tuple[DeviceRun, ...]

    @property
    def headline(self) -> str:
        running = sum(device.runs for device in self.devices)
        return f"{self.network}, batch {self.batch:,}, runs on {running} of {len(self.devices)} devices"

    @property
    def runs(self) -> bool:
        """On some device, as asked or with its remedy."""
        return any(device.runs for device in self.devices)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Every number that is null, by its device and key, devices without an answer, and layers nobody knows."""
        return (*(name for device in self.devices for name in _unknown(device)), *self.graph.unknown)

    @property
    def differs(self) -> tuple[str, ...]:
        """What a calibration that was given is of, where it is not of what runs here."""
        estimates = [device.estimate for device in self.devices if device.estimate is not None]
        return tuple([text for estimate in estimates for text in estimate.chosen.differs])

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.plan/1",
            "network": self.network,
            "title": self.graph.spec.title or self.graph.name,
            "batch": self.batch,
            **self.run.to_dict(),
            "count": self.count,
            **self.workload.to_dict(),
            "flops": self.flops,
            "order": self.order,
            "unknown": list(self.unknown),
            "devices": [device.to_dict() for device in self.devices],
        }


def _unknown(device: DeviceRun) -> Iterator[str]:
    name = device.hardware.name
    if device.problem is not None:
        yield name
    if device.estimate is None:
        return
    told = device.to_dict()
    for section in NESTED:
        for key, value in told[section].items():
            if value is None or (key == "band" and None in value):
                yield f"{name}.{section}.{key}"


def plan(
    spec: Network,
    batch: int = 1,
    *,
    hardware: str | HardwareProfile | Sequence[str | HardwareProfile] = (),
    dataset_size: int | str | None = None,
    epochs: int | str | None = None,
    tokens: int | str | None = None,
    count: int = 1,
    price: Given = None,
    power: Given = None,
    carbon: float | str | None = None,
    keep: int = 1,
    order: str = "time",
    run: Run | None = None,
    engine: str | None = None,
    calibration: Calibration | None = None,
    **settings: Any,
) -> Plan:
    """A whole run on the devices named, or on those that are common: a data set so many times, or so many tokens.

    `batch` are the samples of a pass over all `count` devices, which have equal parts of it. `price` is in USD an hour
    and device, `power` in W a device, `carbon` in g of CO2 a kWh; price and power may be given by name of the device.
    `keep` is how many checkpoints are there at a time. `order` is `time` or `cost`. `engine` and `calibration` are
    those of `estimate`, other settings those of Run. A remedy is looked for on the devices that are named. Raises
    ArchcostError for a wrong input.
    """
    spec, chosen = spec_of(spec), run_by(run or Run(**settings), engine)
    devices = _devices(hardware, calibration)
    names = [profile.name for profile in devices]
    prices = by_device(price, names, "USD/h", "price")
    powers = by_device(power, names, "W", "power")
    grams = None if carbon is None else amount(carbon, "g/kWh", "carbon intensity")

    sorting, part = _order(order), _batch_share(spec, batch, positive(count, "devices"))
    graph = build(spec, part)
    work = workload(spec, batch * chosen.accumulation, dataset_size, epochs, tokens)
    flops = cost(graph).flops
    counted = (flops.total if chosen.trains else flops.forward).contraction * work.samples // part

    kept, is_named = positive(keep, "checkpoints to keep"), bool(hardware)
    runner = _Runner(spec, part, chosen, count, work, kept, is_named, len(devices) == 1, engine, calibration)
    found = [runner.on(profile, _charges(profile, prices, powers, grams)) for profile in devices]
    ordered = tuple(sorted(found, key=lambda device: _sort_key(device, sorting)))
    return Plan(spec.label, batch, chosen, count, work, counted, sorting, graph, is_named, ordered)


def _devices(hardware: object, calibration: Calibration | None) -> list[HardwareProfile]:
    """Those named, or the common ones. Raises ArchcostError for one named twice, and a calibration of none of them."""
    devices = profiles.asked_for(hardware)
    names = [profile.name for profile in devices]
    if calibration is not None and len(devices) > 1 and calibration.device not in names:
        raise ArchcostError(
            "the calibration is of a device that is not asked for",
            expected=f"one of {listing(names)}",
            found=calibration.device,
        )
    return devices


def _order(word: str) -> Order:
    for known in get_args(Order):
        if word == known:
            return known
    raise ArchcostError(
        "what to order by is not known",
        expected=", ".join(get_args(Order)),
        found=shorten(word),
        hint=nearest(word, get_args(Order)),
    )


def _batch_share(spec: ModelSpec, batch: int, count: int) -> int:
    """The part of the batch that one of `count` devices has. Raises ArchcostError where it does not divide."""
    if count == 1 or type(batch) is not int or batch < 1:
        return batch  # what is no batch is refused when the network is built
    if batch % count:
        raise ArchcostError(
            f"{spec.name}: a batch that is not shared out evenly",
            expected=f"a multiple of the {count:,} devices",
            found=f"{batch:,}",
            hint=f"--batch {max(1, round(batch / count)) * count}",
        )
    return batch // count


def _charges(
    profile: HardwareProfile, prices: dict[str, float], powers: dict[str, float], grams: float | None
) -> Charges:
    given = powers.get(profile.name)
    watts = float(profile.tdp.amount) if given is None and profile.tdp is not None else given
    return Charges(prices.get(profile.name), watts, given is None and watts is not None, grams)


def _sort_key(device: DeviceRun, order: Order) -> tuple[float, ...]:
    """What is not known comes last, and what does not run behind it."""
    hours, dollars = (inf if span.middle is None else span.middle for span in (device.hours, device.cost))
    first = (dollars, hours) if order == "cost" else (hours, dollars)
    return (device.problem is not None, not device.runs, *first)


def _is_of(calibration: Calibration | None, profile: HardwareProfile) -> bool:
    return calibration is not None and calibration.device == profile.name


@dataclass(frozen=True)
class _Runner:
    """Devices of one kind share the timeline of the step."""

    spec: ModelSpec
    part: int
    run: Run
    count: int
    work: Workload
    keep: int
    remedied: bool
    alone: bool
    """On one device, of which a calibration is whatever it says; of several it is that of the device it names."""
    engine: str | None
    calibration: Calibration | None

    @cached_property
    def lines(self) -> Lines:
        return Lines(lambda batch: build(self.spec, batch), self.run)

    def on(self, profile: HardwareProfile, charges: Charges) -> DeviceRun:
        tell_stage(profile.name)
        head = profile, self.count, self.work, self.keep, charges
        try:
            trial = self.lines.on(self.part, profile)
        except OverBudgetError as error:
            return DeviceRun(*head, problem=f"{error.problem}; {size(error.least)} at the least")
        if trial.demand.verdict != "does not fit":
            return DeviceRun(*head, True, None, *self._estimated(trial, profile))
        found = remedies(self.spec, self.part, self.run, profile).cheapest if self.remedied else None
        if found is None:
            return DeviceRun(*head)
        return DeviceRun(*head, False, found, *self._estimated(found.trial, profile))

    def _estimated(self, trial: Trial, profile: HardwareProfile) -> tuple[Estimate, Step | None]:
        run, own = trial.line.run, self.calibration if self.alone or _is_of(self.calibration, profile) else None
        if run.precision != self.run.precision:  # a remedy's, of which the calibration says nothing
            own = None
        chosen = choose(profile, run, self.engine, own)
        estimate = Estimate(trial.line, profile, trial.demand, chosen)
        return estimate, None if estimate.time is None else Step.of(estimate.time)
