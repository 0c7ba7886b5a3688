"""The way between card and host: seconds of what is offloaded, as bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archcost.costs.offloaded import Offloaded
from archcost.errors import listing
from archcost.hardware.profile import HardwareProfile
from archcost.times.result import StepTime
from archcost.units import duration, size


def link_rate(profile: HardwareProfile) -> float | None:
    """Bytes a second between card and host in one direction; None where the profile has no such figure."""
    host = profile.links.host
    return None if host is None else float(host.amount)


def link_seconds(found: Offloaded, profile: HardwareProfile) -> tuple[float, float] | None:
    """Of a step's moves, both ways at once and one after the other; None where nobody knows the link."""
    rate = link_rate(profile)
    if rate is None:
        return None
    there, back = sum(found.to_host.values()), sum(found.to_card.values())
    return max(there, back) / rate, (there + back) / rate


def missing(found: Offloaded, profile: HardwareProfile) -> tuple[str, ...]:
    """Why nobody knows how long a step takes."""
    reasons: list[str] = []
    if link_rate(profile) is None:
        reasons.append(f"{profile.name} has no figure for its link to the host")
    if found.steps_on_host:
        reasons.append("the optimizer's step is the host's, whose speed is not known")
    if found.read or found.written:
        disk = f"{size(found.read)} are read from the host's disk and {size(found.written)} written"
        reasons.append(f"{disk}, at no known rate")
    return tuple(reasons)


def with_link(bound: StepTime, found: Offloaded, profile: HardwareProfile) -> StepTime:
    """A step's bounds with its moves: at best behind the kernels, at worst one after the other. What is paged may not
    move at all. The link is known.
    """
    seconds = link_seconds(found, profile)
    assert seconds is not None
    low, high = bound.band
    moves = bool(found.to_host or found.to_card)
    least = 0.0 if set(found.to_card) == {"optimizer_state"} else seconds[0]
    text = f"what moves takes the link {_between(seconds)}"
    return replace(
        bound,
        band=(max(low, least), high + seconds[1]),
        typical=max(bound.typical, least),
        notes=(*bound.notes, *((text,) if moves else ())),
    )


def to_dict(found: Offloaded, profile: HardwareProfile) -> dict[str, Any]:
    """What is offloaded, with the link that it moves over; null is not known."""
    seconds = link_seconds(found, profile)
    link = {"bytes_per_second": link_rate(profile), "seconds": None if seconds is None else list(seconds)}
    return {**found.to_dict(), "link": link}


def sentence(found: Offloaded, profile: HardwareProfile) -> str:
    """What moves, and how long that takes."""
    there, back = (size(sum(way.values())) for way in (found.to_host, found.to_card))
    seconds = link_seconds(found, profile)
    takes = "for how long is not known" if seconds is None else _between(seconds)
    return listing([f"{there} to the host", f"{back} to the card"]) + f" over the link a step: {takes}"


def _between(seconds: tuple[float, float]) -> str:
    low, high = map(duration, seconds)
    return low if low == high else f"{low} to {high}"
