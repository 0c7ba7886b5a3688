"""Training on a device of which only inference is known: backward as much longer than forward as on another device.

Forward takes the device's own constants, but for what evaluation does otherwise: a batch norm works out statistics, and
what no inference has. Those, and backward, are the other device's, as shares of what the data sheets say of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archcost.hardware import library
from archcost.hardware.calibration import Calibration, Pace
from archcost.hardware.profile import HardwareProfile
from archcost.terms.time_classes import BROADER, TimeClass

OTHERWISE: frozenset[TimeClass] = frozenset(["batch norm", "dropout", "optimizer"])
"""Classes whose forward, where there is one, is another one in training."""

WIDER = 1.35
"""By how much the ends of the band are further apart, each way: as for a relative of the same line (relatives)."""


def from_inference(
    profile: HardwareProfile, inference: Calibration, trained: Iterable[Calibration]
) -> tuple[Calibration, str] | None:
    """A calibration for training, and a sentence that says of what it is; None where no device has trained so.

    `trained` are calibrations of the same engine and precision, of which the one of the nearest device is taken.
    """
    others = [(each, library.load(each.device)) for each in trained]
    alike = [pair for pair in others if pair[1].kind == profile.kind and pair[1].vendor == profile.vendor]
    if not alike:
        return None
    other, sheet = min(alike, key=lambda pair: abs((pair[1].year or 0) - (profile.year or 0)))
    moves = profile.memory.rate / sheet.memory.rate
    forward: dict[TimeClass, Pace] = dict(inference.classes)
    for kind in OTHERWISE & other.classes.keys():
        pace = other.classes[kind]
        forward[kind] = pace.model_copy(update={"bandwidth": pace.bandwidth and pace.bandwidth * moves})
    backward: dict[TimeClass, Pace] = {
        kind: _slower(kind, forward, other) for kind in other.backward if _pace(forward, kind)
    }
    low = min(inference.band[0], other.band[0]) / WIDER
    high = max(inference.band[1], other.band[1]) * WIDER
    found = inference.model_copy(
        update={
            "modes": ("train",),
            "source": f"forward: {inference.source}; backward beside forward: {other.source}",
            "classes": forward,
            "backward": backward,
            "band": (low, high),
            "errors": None,
        }
    )
    note = f"no training on {profile.name} is known: forward by its own inference, backward as much longer as on"
    return found, f"{note} {other.device}; the band is {WIDER:g} times as wide to both sides as either's"


def _pace(paces: Mapping[TimeClass, Pace], kind: TimeClass) -> Pace | None:
    return paces.get(kind) or paces.get(BROADER.get(kind, kind))


def _slower(kind: TimeClass, forward: Mapping[TimeClass, Pace], other: Calibration) -> Pace:
    """Forward's pace, times what the other device's backward is of its forward."""
    own, before, after = _pace(forward, kind), _pace(other.classes, kind), other.backward[kind]
    assert own is not None
    if before is None:
        return own
    return own.model_copy(
        update={
            "rate": _times(own.rate, after.rate, before.rate),
            "bandwidth": _times(own.bandwidth, after.bandwidth, before.bandwidth),
        }
    )


def _times(value: float | None, after: float | None, before: float | None) -> float | None:
    return value * after / before if value and after and before else value
