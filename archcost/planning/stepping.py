"""The time of one step on several devices, each of which has its part of the batch and all of the weights."""

from __future__ import annotations

from typing import NamedTuple

from archcost.estimates.estimate import Estimate
from archcost.hardware.profile import HardwareProfile
from archcost.planning.intervals import Span
from archcost.times import StepTime


class Step(NamedTuple):
    """Seconds of one step on one device by itself, and of its backward; the rest is the estimate's."""

    seconds: Span
    backward: float | None
    status: str
    engine: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, time: StepTime) -> Step:
        """Layers of which nobody knows what they do take time, too: then only the lower end holds."""
        low, high = time.band
        seconds = Span(None, low, None) if time.unknown else Span(time.step, low, high)
        return cls(seconds, time.backward, time.status, time.engine, time.notes)


def all_reduce(nbytes: int, count: int, profile: HardwareProfile) -> float | None:
    """Seconds in which `count` devices in a ring add up gradients of so many bytes each; None where no link is known.

    Each sends 2·(count − 1)/count times the bytes (Patarasu and Yuan 2009): over its link to peers, else to the host.
    """
    if count == 1:
        return 0.0
    link = profile.links.peer or profile.links.host
    return None if link is None else 2 * (count - 1) / count * nbytes / link.amount


def overlapped(step: Step, reducing: float | None) -> Span:
    """Of a step whose gradients are added up meanwhile.

    At best nothing of that shows, at worst all of it; most likely what is left of it behind backward.
    """
    likely, low, high = step.seconds
    if reducing is None:
        return Span(None, low, None)
    shown = None if step.backward is None else max(0.0, reducing - step.backward)
    return Span(
        None if likely is None or shown is None else likely + shown,
        low,
        None if high is None else high + reducing,
    )


def gradient_bytes(estimate: Estimate) -> int:
    return _bytes(estimate, "gradients")


def checkpoint_bytes(estimate: Estimate) -> int:
    """Weights, buffers and the optimizer's state, as torch saves them, on the device and off it."""
    line, away = estimate.line, estimate.line.offloaded
    kept = [line.storages[each] for each in line.program.resident]
    before = line.events[: line.marks[1].event]
    state = [line.storages[each] for each in before if line.storages[each].role == "optimizer_state"]
    on_device = sum([held.nbytes for held in (*kept, *state) if held.role != "inputs"])
    return on_device + (0 if away is None else away.kept("optimizer_state"))


def _bytes(estimate: Estimate, role: str) -> int:
    return sum([held.nbytes for held in estimate.line.storages if held.role == role])
