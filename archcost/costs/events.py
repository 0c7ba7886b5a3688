"""What happens in a step, written down as it is played: storages that come and go, and in which phase."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from archcost.costs.cpu_call import Call, Direction
from archcost.costs.program import Held

Phase = Literal["before", "forward", "recompute", "backward", "optimizer", "after"]


class Mark(NamedTuple):
    """From that event on the step is in this phase, at this operation (by its number, where it is one)."""

    event: int
    phase: Phase
    name: str
    op: int | None = None


class KernelRun(NamedTuple):
    """One pass of a layer's kernels."""

    call: Call
    direction: Direction


def by_mark(marks: Sequence[Mark], events: Sequence[int]) -> Iterator[tuple[Mark, Sequence[int]]]:
    """Every mark with the events up to the next."""
    ends = [mark.event for mark in marks[1:]] + [len(events)]
    return ((mark, events[mark.event : end]) for mark, end in zip(marks, ends, strict=True))


@dataclass(slots=True)
class Tape:
    """What happened: an event is the number of a storage that comes, or ~number of one that goes."""

    storages: list[Held]
    refs: list[int]
    events: list[int] = field(default_factory=list[int])
    marks: list[Mark] = field(default_factory=list[Mark])
    kernels: dict[int, KernelRun] = field(default_factory=dict[int, "KernelRun"])
    """By storage, whose kernels allocate it for themselves."""
    copies: dict[int, int] = field(default_factory=dict[int, int])
    """Of a storage that is computed again, the first."""

    def mark(self, phase: Phase, name: str, op: int | None = None) -> None:
        last = self.marks[-1] if self.marks else None
        if last is None or last.op != op or last.name != name or last.phase != phase:
            self.marks.append(Mark(len(self.events), phase, name, op))

    def new(self, held: Held, refs: int = 1) -> int:
        number = len(self.storages)
        self.storages.append(held)
        self.refs.append(refs)
        self.events.append(number)
        return number

    def come(self, held: Iterable[Held]) -> range:
        """The same for several."""
        first = len(self.storages)
        self.storages += held
        numbers = range(first, len(self.storages))
        self.refs += [1] * len(numbers)
        self.events += numbers
        return numbers

    def again(self, storage: int) -> int:
        """Another storage like it, which has not come yet."""
        self.storages.append(self.storages[storage])
        self.refs.append(0)
        self.copies[len(self.storages) - 1] = storage
        return len(self.storages) - 1

    def is_part(self, storage: int) -> None:
        """Added to another, it does not stay as a parameter's gradient."""
        held = self.storages[storage]
        if held.role == "gradients":
            self.storages[storage] = held._replace(role="temporaries")

    def release(self, storage: int) -> None:
        self.refs[storage] -= 1
        if self.refs[storage] == 0:
            self.events.append(~storage)

    def let_go(self, storages: Iterable[int]) -> None:
        """One hand less on each."""
        refs, events = self.refs, self.events
        for storage in storages:
            refs[storage] -= 1
            if refs[storage] == 0:
                events.append(~storage)

    def brief(self, held: Iterable[Held]) -> None:
        """Come together, and go at once."""
        self.events += [~number for number in self.come(held)]
