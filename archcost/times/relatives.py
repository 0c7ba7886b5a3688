"""A device without runs: the constants of its nearest relatives, scaled by what the data sheets say of each.

A relative runs the same engine in the same precision. Nearest are devices of the same architecture and line, then of
the same architecture, then of the same vendor, then, of CPUs and microcontrollers, any; cards of few watts have none
but such. Of those that are equally near, the few that are most alike in rate by the data sheet are taken; each class
gets the geometric mean of the shares of their data sheets that they reach. The band is that of the relatives, wider by
what devices that were left out and predicted like this were further off (docs/calibrations.md has how far).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import exp, log

from archcost.costs.kernel import Kernel
from archcost.errors import listing
from archcost.hardware import library
from archcost.hardware.calibration import Calibration, Pace
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.terms.time_classes import CONTRACTIONS, TimeClass
from archcost.times.bound import low_power
from archcost.times.roof import peak_rate

WIDER = (1.35, 1.4, 2.0, 2.0)
"""By how near they are, as `_distance` has it: what the band's ends are further apart, each way."""

MOST = 5
"""Devices."""

IN_16_BITS = ("float16", "bfloat16")

Load = Callable[[str], HardwareProfile]


def from_relatives(
    profile: HardwareProfile, run: Run, known: Iterable[Calibration], load: Load = library.load
) -> tuple[Calibration, str] | None:
    """A calibration for the profile, and a sentence that says of whom it is; None where nobody is related.

    `known` are calibrations of one engine, precision and mode.
    """
    rates = profile.rates.known()
    lacks = run.matmul_dtype in IN_16_BITS and run.matmul_dtype not in rates
    if profile.memory.bandwidth is None or "float32" not in rates or lacks:  # nothing to scale by
        return None
    distance, relatives = _nearest(profile, known, load)
    if not relatives:
        return None
    alike = sorted([each.device for each in relatives])
    devices = listing(alike)
    scaled = [_scaled(each, load(each.device), profile, run) for each in relatives]
    wider = WIDER[distance]
    found = relatives[0].model_copy(
        update={
            "device": profile.name,
            "borrowed": tuple(alike),
            "source": f"constants of {devices}, scaled by data sheets",
            "runs": sum([each.runs for each in relatives]),
            "families": max([each.families for each in relatives]),
            "dispatch": sum([each.dispatch for each in scaled]) / len(scaled),
            "classes": _mean([each.classes for each in scaled]),
            "backward": _mean([each.backward for each in scaled]),
            "band": (
                min([each.band[0] for each in relatives]) / wider,
                max([each.band[1] for each in relatives]) * wider,
            ),
            "optimizers": {},
            "errors": None,
            "relatives": None,
            "power": None,
        }
    )
    return found, f"no runs of {profile.name} are known: constants of {devices}, scaled by data sheets"


def _nearest(profile: HardwareProfile, known: Iterable[Calibration], load: Load) -> tuple[int, list[Calibration]]:
    """How far they are, and the newest calibration of each of the nearest; at most MOST devices, the most alike."""
    newest = {each.device: each for each in sorted(known, key=lambda found: found.release)}
    near: dict[int, list[Calibration]] = {}
    for each in newest.values():
        distance = _distance(profile, load(each.device))
        if distance is not None and each.device != profile.timed_as:
            near.setdefault(distance, []).append(each)
    distance = min(near, default=0)
    nearest = near.get(distance, [])
    alike = sorted([each.device for each in nearest], key=lambda device: _log_ratio(profile, load(device)))[:MOST]
    return distance, [each for each in nearest if each.device in alike]


def _distance(profile: HardwareProfile, other: HardwareProfile) -> int | None:
    if _family(profile) != _family(other) or _low_power(profile) != _low_power(other):
        return None
    if profile.architecture and profile.architecture == other.architecture:
        return 0 if profile.line == other.line else 1
    if profile.vendor == other.vendor:
        return 2
    return None if _family(profile) in ("gpu", "tpu") else 3


def _low_power(profile: HardwareProfile) -> bool:
    """Whether it is a card of few watts, whose clocks sag where it is busy for long."""
    return _family(profile) == "gpu" and low_power(profile)


def _log_ratio(profile: HardwareProfile, other: HardwareProfile) -> float:
    """The distance of two devices: |log| of the ratio of their rates by the data sheets."""
    rates = [each.rates.float32 for each in (profile, other)]
    return abs(log(rates[0].amount / rates[1].amount)) if rates[0] and rates[1] else 0.0


def _family(profile: HardwareProfile) -> str:
    """A system on a chip is here what its profile has the rates of: its cores, or a GPU that has matrix units."""
    if profile.kind != "soc":
        return profile.kind
    return "gpu" if profile.processors and profile.processors.value.endswith("SM") else "cpu"


def _scaled(found: Calibration, relative: HardwareProfile, profile: HardwareProfile, run: Run) -> Calibration:
    cores = _cores(relative) / _cores(profile) if found.threads == 1 else 1.0
    moves = profile.memory.rate / relative.memory.rate

    def pace(kind: TimeClass, its: Pace) -> Pace:
        computes = _ratio(kind, found, relative, profile, run) * cores
        return Pace(
            rate=its.rate and its.rate * computes,
            bandwidth=its.bandwidth and its.bandwidth * (computes if found.threads == 1 else moves),
            floor=its.floor,
            reread=its.reread and its.reread * moves,
        )

    update = {
        "classes": {kind: pace(kind, its) for kind, its in found.classes.items()},
        "backward": {kind: pace(kind, its) for kind, its in found.backward.items()},
    }
    return found.model_copy(update=update)


def _cores(profile: HardwareProfile) -> float:
    return float(profile.processors.amount) if profile.processors else 1.0


def _ratio(kind: TimeClass, found: Calibration, relative: HardwareProfile, profile: HardwareProfile, run: Run) -> float:
    """The ratio of the devices' rates by the data sheets, in the fastest dtype that both have."""
    dtypes = ["int8"] if "int8" in found.engine else []
    dtypes += ["float16", "float32"] if found.chooses_dtypes else [run.matmul_dtype, "float32"]
    if kind not in CONTRACTIONS:
        dtypes = ["float32"]
    for dtype in dtypes:
        kernel = Kernel(kind, 0, 0, dtype)
        rates = [peak_rate(kernel, each, run.precision == "tf32") for each in (profile, relative)]
        if rates[0] and rates[1]:
            return rates[0] / rates[1]
    return 1.0


def _mean(tables: Sequence[Mapping[TimeClass, Pace]]) -> dict[TimeClass, Pace]:
    """Class by class, of those that have it."""
    kinds: dict[TimeClass, None] = {kind: None for table in tables for kind in table}
    return {kind: _mean_pace([table[kind] for table in tables if kind in table]) for kind in kinds}


def _mean_pace(paces: Sequence[Pace]) -> Pace:
    return Pace(
        rate=_geometric([pace.rate for pace in paces if pace.rate]),
        bandwidth=_geometric([pace.bandwidth for pace in paces if pace.bandwidth]),
        floor=sum([pace.floor for pace in paces]) / len(paces),
        reread=_geometric([pace.reread for pace in paces if pace.reread]),
    )


def _geometric(values: Sequence[float]) -> float | None:
    return exp(sum(map(log, values)) / len(values)) if values else None
