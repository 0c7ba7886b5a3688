"""A timeline's worst moments by phase: of tensors, and of all that is asked of the allocator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from archcost.costs.events import by_mark
from archcost.costs.program import Role
from archcost.costs.timeline import Timeline

PhaseName = Literal["forward", "backward", "optimizer"]

_PHASE_OF: Mapping[str, PhaseName] = {
    "forward": "forward",
    "recompute": "backward",
    "backward": "backward",
    "optimizer": "optimizer",
}


class PhasePeak(NamedTuple):
    """The most bytes that live in a phase, its beginning included; the roles at the first moment of it."""

    name: PhaseName
    peak: int
    roles: Mapping[Role, int]


def by_phase(line: Timeline) -> tuple[PhasePeak, ...]:
    """The peak of tensors in each phase, in order. Recomputation belongs to backward."""
    worst: dict[PhaseName, PhasePeak] = {}
    for moment, name in zip(line.moments, _phase_of_marks(line), strict=True):
        if name is not None and (name not in worst or moment.peak > worst[name].peak):
            worst[name] = PhasePeak(name, moment.peak, moment.by_role)
    return tuple(worst.values())


def requested_by_phase(line: Timeline) -> dict[PhaseName, int]:
    """The peak of each phase in all that is asked of the allocator, kernels' own memory included."""
    sizes = line.requested
    worst: dict[PhaseName, int] = {}
    live = 0
    for (_, events), name in zip(by_mark(line.marks, line.events), _phase_of_marks(line), strict=True):
        most = live
        for event in events:
            live += sizes[event] if event >= 0 else -sizes[~event]
            most = max(most, live)
        if name is not None:
            worst[name] = max(worst.get(name, 0), most)
    return worst


def _phase_of_marks(line: Timeline) -> Iterator[PhaseName | None]:
    """An optimizer that makes nothing still has its moment: the one at which the step is over. One that steps in
    backward is a part of it.
    """
    run = line.run
    within = run.optimizer_in_backward
    steps = run.trains and run.optimizer != "none" and bool(line.program.parameters) and not within
    for mark in line.marks:
        phase = "optimizer" if mark.phase == "after" and steps else _PHASE_OF.get(mark.phase)
        yield "backward" if phase == "optimizer" and within else phase
