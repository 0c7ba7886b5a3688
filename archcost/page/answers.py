"""What the library answers of one network for the page: asked once, and shared by all that is shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archcost.costs import ModelCost, cost
from archcost.estimates import Estimate, estimate
from archcost.graph import build
from archcost.hardware.calibration import Calibration, shipped
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.planning.fit import DeviceFit, Fit, fit
from archcost.report.explain import Explanation, explain
from archcost.spec import ModelSpec
from archcost.times.choose import DEFAULT

MOST_REMEDIES = 3
"""Devices that were named and on which the step is not safe, of which remedies are looked for."""

MOST_OFFERED = 100
"""Devices of the controls; each takes some thousands of bytes of the page."""

RECENT = 5
"""Years before the newest device, of what is called recent."""


@dataclass(frozen=True)
class Answer:
    """One network on all devices, and in full on the one that charts are of."""

    cost: ModelCost
    working: Explanation
    fit: Fit
    chosen: DeviceFit
    """The device that charts are of."""
    estimate: Estimate | None
    """There; None where there is no answer."""
    remedied: tuple[DeviceFit, ...]
    """Devices on which the step is not safe, with what helps there."""

    @property
    def spec(self) -> ModelSpec:
        return self.cost.graph.spec

    @property
    def name(self) -> str:
        return self.cost.network


def answers(
    specs: Sequence[ModelSpec],
    batch: int,
    hardware: Sequence[HardwareProfile],
    run: Run,
    engine: str | None,
    calibration: Calibration | None,
) -> tuple[Answer, ...]:
    """Each network on the devices named, or on all that ship. Raises ArchcostError for a wrong input."""
    costs = [cost(build(spec, batch)) for spec in specs]
    fits = [fit(spec, batch, hardware=hardware, run=run, engine=engine, calibration=calibration) for spec in specs]
    place = _first(fits) if hardware else _smallest(fits)
    found: list[Answer] = []
    for spec, costed, one in zip(specs, costs, fits, strict=True):
        chosen = one.devices[place]
        own = [each for each in one.devices if each.problem is None and each.verdict != "fits"]
        short = own[:MOST_REMEDIES] if hardware else _nearest(own)
        on = _estimate(spec, chosen, one, engine, calibration)
        in_full = tuple([_in_full(spec, device, one) for device in short])
        found.append(Answer(costed, explain(costed), one, chosen, on, in_full))
    return tuple(found)


def offered(found: Sequence[Answer], named: Sequence[HardwareProfile]) -> list[HardwareProfile]:
    """The devices of the page's controls, the one that charts are of first: those that were named; of all that ship,
    or of very many, those with runs, and the fastest recent GPU of each size of memory.
    """
    first = found[0].chosen.hardware
    profiles = [device.hardware for device in found[0].fit.devices]
    if not named or len(profiles) > MOST_OFFERED:
        fastest: dict[int, str] = {}
        for profile in sorted(_recent_cards(profiles), key=_bandwidth):
            fastest[int(profile.memory.nominal.amount)] = profile.name
        names = _with_runs() | set(fastest.values())
        profiles = [profile for profile in profiles if profile.name in names]
    return [first, *[profile for profile in profiles if profile.name != first.name]]


def _with_runs() -> set[str]:
    """Names of devices of which runs are known, with the engine that times are of by default."""
    return {each.device for each in shipped() if each.engine == DEFAULT}


def _recent_cards(profiles: Sequence[HardwareProfile]) -> list[HardwareProfile]:
    newest = max([profile.year or 0 for profile in profiles])
    return [profile for profile in profiles if profile.kind == "gpu" and (profile.year or 0) >= newest - RECENT]


def _bandwidth(profile: HardwareProfile) -> float:
    return 0.0 if profile.memory.bandwidth is None else float(profile.memory.bandwidth.amount)


def _first(fits: Sequence[Fit]) -> int:
    """The place of the first device of which there is an answer for every network."""
    known = [place for place in range(len(fits[0].devices)) if all(fit.devices[place].problem is None for fit in fits)]
    return known[0] if known else 0


def _smallest(fits: Sequence[Fit]) -> int:
    """The place of the GPU of the least memory on which all networks are safe, of the recent ones with runs; where
    there is none, of the most.
    """
    devices = fits[0].devices
    known = {each.name for each in _recent_cards([each.hardware for each in devices])} & _with_runs()
    cards = [place for place, device in enumerate(devices) if device.hardware.name in known]
    cards.sort(key=lambda place: _capacity(devices[place]))
    safe = (place for place in cards if all(fit.devices[place].verdict == "fits" for fit in fits))
    return next(safe, cards[-1])


def _nearest(short: Sequence[DeviceFit]) -> list[DeviceFit]:
    """The largest GPU among those that are too small."""
    cards = [device for device in short if device.hardware.kind == "gpu"]
    return [max(cards, key=_capacity)] if cards else []


def _capacity(device: DeviceFit) -> tuple[int, str]:
    return device.hardware.memory.capacity, device.hardware.name


def _estimate(
    spec: ModelSpec, on: DeviceFit, found: Fit, engine: str | None, calibration: Calibration | None
) -> Estimate | None:
    if on.estimate is not None or on.problem is not None:
        return on.estimate
    own = calibration if calibration and calibration.device == on.hardware.name else None
    one = estimate(spec, found.batch, hardware=on.hardware, run=found.run, engine=engine, calibration=own)
    return replace(one, shared=on.grown)


def _in_full(spec: ModelSpec, device: DeviceFit, found: Fit) -> DeviceFit:
    if device.estimate is not None:
        return device
    return fit(spec, found.batch, hardware=device.hardware, run=found.run).devices[0]
