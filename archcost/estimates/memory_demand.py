"""What a step asks of a device: from the bytes of tensors to the numbers that the device shows.

On NVIDIA's and AMD's GPUs three numbers have three names. `allocated` are blocks of torch's caching allocator, with the
library's workspaces among them (`torch.cuda.max_memory_allocated`); `reserved` are the segments that it cuts them from
(`max_memory_reserved`); the driver shows those and the context. Elsewhere tensors are allocated as they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from archcost.costs.timeline import Timeline, highest
from archcost.estimates.devices import caches
from archcost.estimates.verdict import Verdict, limits
from archcost.hardware.allocator import FREE, Simulated, simulate
from archcost.hardware.overheads import room
from archcost.hardware.profile import HardwareProfile


@dataclass(frozen=True, slots=True)
class Played:
    """A timeline in the parts that a device sees: before the first step, optimizer state, and the step itself."""

    resident: tuple[int, ...]
    state: tuple[int, ...]
    step: tuple[int, ...]
    update: int
    """Where in the step the optimizer begins, which makes its state in the first."""

    weights: tuple[int, ...]
    products: int
    """Threads that multiply matrices: forward, and in training autograd's."""
    replaced: tuple[tuple[int, int], ...]
    """What the module has kept since the step before, and what this step keeps instead of it."""

    @classmethod
    def of(cls, line: Timeline) -> Played:
        begin = line.marks[1].event
        goes = {~each for each in line.events[begin:] if each < 0}.difference(line.events[begin:])
        before = line.events[:begin]
        state = tuple([each for each in before if line.storages[each].role == "optimizer_state"])
        updates = [mark.event for mark in line.marks if mark.phase in ("optimizer", "after")]
        blas = any(node.layer.card.blas for node in line.graph.nodes)
        return cls(
            tuple([each for each in before if line.storages[each].role != "optimizer_state"]),
            state,
            line.events[begin:],
            updates[0] - begin,
            tuple([each for each in before if line.storages[each].role in ("weights", "buffers")]),
            (2 if line.run.trains else 1) if blas else 0,
            tuple([(old, line.copies[old]) for old in sorted(goes) if old in line.copies]),
        )


class Caching(NamedTuple):
    """What an allocator is asked for: bytes by storage, those of the library of matrix products for every thread, and
    how many there are.
    """

    played: Played
    sizes: tuple[int, ...]
    library: int
    room: int


@dataclass(frozen=True)
class Demand:
    """Bytes at the worst moment. `needed` is what the verdict is of: tensors and libraries' workspaces, before an
    allocator rounds them; `flash` is that of a microcontroller.
    """

    needed: int
    verdict: Verdict
    flash: int = 0
    caching: Caching | None = None
    """Bytes of the allocator's segments; None where no allocator caches."""

    @property
    def is_safe(self) -> bool:
        return self.verdict == "fits"

    @property
    def allocated(self) -> int:
        return self.needed if self.caching is None else self._blocks[0]

    @property
    def reserved(self) -> int | None:
        """Bytes of the allocator's segments; None where no allocator caches."""
        return None if self.caching is None else self._blocks[1]

    @cached_property
    def _blocks(self) -> tuple[int, int]:
        """Allocated and reserved: the allocator is played when somebody asks, as no verdict rests on it."""
        assert self.caching is not None
        return _cached(*self.caching)


def workspace(played: Played, profile: HardwareProfile) -> int:
    """Bytes of the library of matrix products, for every thread that uses it."""
    return played.products * _library(profile)


def _library(profile: HardwareProfile) -> int:
    return 0 if profile.workspace is None else int(profile.workspace.amount)


def demand(played: Played, sizes: Sequence[int], profile: HardwareProfile, trains: bool) -> Demand:
    """The demand of a step whose storages have these sizes, workspaces included."""
    before = (*played.resident, *played.state)
    peak, _ = highest((*before, *played.step), sizes)
    if caches(profile):
        needed = peak + workspace(played, profile)
        caching = Caching(played, tuple(sizes), _library(profile), room(profile))
        return Demand(needed, limits(profile).verdict(needed), 0, caching)
    if profile.flash is not None and not trains:
        stored = sum([sizes[each] for each in played.weights])
        fits = peak - stored <= profile.memory.capacity and stored <= int(profile.flash.amount)
        return Demand(peak - stored, "fits" if fits else "does not fit", stored)
    return Demand(peak, limits(profile).verdict(peak))


def _cached(played: Played, sizes: tuple[int, ...], library: int, room: int) -> tuple[int, int]:
    """Allocated and reserved by torch's allocator; where the device is too small for that, by one without end."""
    free = _unbounded(played, sizes, library)
    if free.reserved <= room:
        return free.allocated, free.reserved
    bound = simulate(changes(played, sizes, library), room)
    return (bound.allocated, bound.reserved) if bound.fits else (free.allocated, free.reserved)


@lru_cache(maxsize=4)
def _unbounded(played: Played, sizes: tuple[int, ...], library: int) -> Simulated:
    """On a device of any size; the same for many of those that `fit` asks about."""
    return simulate(changes(played, sizes, library))


def changes(played: Played, sizes: Sequence[int], library: int) -> list[tuple[int, int]]:
    """The allocations from the first tensor on: the first step, in which the optimizer makes its state, and later ones.

    `library` are the bytes that the library of matrix products takes for each thread that uses it.
    """
    libraries = [library] * played.products
    step = _play(played.step, sizes)
    return [
        *_play(played.resident, sizes),
        *((len(sizes) + index, nbytes) for index, nbytes in enumerate(libraries)),
        *step[: played.update],
        *_play(played.state, sizes),
        *step[played.update :],
        *_once_more(played, step, len(sizes) + len(libraries)),
    ]


def _once_more(played: Played, step: list[tuple[int, int]], free: int) -> list[tuple[int, int]]:
    """The second step lets go of what the first has kept, and keeps its own under numbers that are free."""
    if not played.replaced:
        return step
    names = {new: free + index for index, (_, new) in enumerate(played.replaced)} | dict(played.replaced)
    return [(names.get(key, key), nbytes) for key, nbytes in step]


def _play(events: Sequence[int], sizes: Sequence[int]) -> list[tuple[int, int]]:
    """The allocations as plain pairs, which are made in half the time; `fit` makes them for many batches."""
    return [(each, sizes[each]) if each >= 0 else (~each, FREE) for each in events]
