"""Whether a step fits: a verdict of three, by the bytes that it needs and two limits of the device.

A GPU's memory runs out before tensors fill it. The allocator leaves gaps between them, and cuDNN takes workspaces that
nobody knows before. How much that is was seen on real cards, which ran some steps and refused others
(docs/measurements.md): below `safe` nothing was refused but for a few, above `most` nothing ran but for a few. What
lies between may fail. Both are shares of the memory beside the driver's context.

Where no allocator caches, both limits are the memory itself.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from archcost.estimates.devices import caches
from archcost.hardware.overheads import room
from archcost.hardware.profile import HardwareProfile

Verdict = Literal["fits", "tight", "does not fit"]

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""The better ones first."""

_FILE = Path(__file__).with_name("limits.json")


class Limits(NamedTuple):
    """Bytes that a step may need: of tensors, and of the workspaces that libraries keep."""

    safe: int
    most: int

    def verdict(self, needed: int) -> Verdict:
        if needed <= self.safe:
            return "fits"
        return "tight" if needed <= self.most else "does not fit"


class Shares(NamedTuple):
    """Shares of the memory beside the context, by the steps that real cards ran and refused (tests/measurements)."""

    safe: float
    most: float


def limits(profile: HardwareProfile) -> Limits:
    """The two limits of a device, in bytes."""
    free = room(profile)
    if not caches(profile):
        return Limits(free, free)
    seen = shares()
    return Limits(int(free * seen.safe), int(free * seen.most))


@cache
def shares() -> Shares:
    told = json.loads(_FILE.read_text(encoding="utf-8"))
    return Shares(told["safe"], told["most"])
