"""The largest value that fits, where some values are no network at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isqrt
from typing import NamedTuple

from archcost.errors import SpecError
from archcost.planning.trials import Trial

MOST_LOOKED_AT = 64
"""Values on either side of one that the network's shapes refuse. Five halvings with joins take every 32nd side."""

Try = Callable[[int], Trial]


class Found(NamedTuple):
    """`value` fits (0: none does), `beyond` does not: the next larger one that the network's shapes take.

    `refused` is what they say to the values between the two, or, without `beyond`, to larger ones.
    """

    value: int
    trial: Trial | None
    beyond: int | None
    trial_beyond: Trial | None
    refused: str | None


def largest(start: int, most: int, room: int, attempt: Try) -> Found:
    """Between 1 and `most`, from `start` on. Takes it that what does not fit, fits no larger."""
    return _Search(room, attempt).between(start, most)


class _Search:
    def __init__(self, room: int, attempt: Try) -> None:
        self.room, self.attempt = room, attempt
        self.known: dict[int, Trial] = {}
        self.refused: dict[int, str] = {}

    def between(self, start: int, most: int) -> Found:
        first = self._near(start, 0, most + 1)
        if first is None:
            return Found(0, None, None, None, self.refused[start])
        fits, fails = self._bracket(first, most)
        halve = False
        while fails is not None and fails - fits > 1:
            middle = (fits + fails) // 2 if halve or not fits else self._guess(fits, fails)
            found = self._near(middle, fits, fails)
            if found is None:
                break
            fits, fails = (found, fails) if self._fits(found) else (fits, found)
            halve = not halve
        if fails is None:
            self._taken(fits + 1)  # which may be no network, and says why
        beyond = None if fails is None else self.known[fails]
        return Found(fits, self.known.get(fits), fails, beyond, self.refused.get(fits + 1))

    def _bracket(self, start: int, most: int) -> tuple[int, int | None]:
        """A value that fits, or 0, and one that does not, or None."""
        if not self._fits(start):
            fails = start
            while (lower := self._near(fails // 2, 0, fails)) is not None:
                if self._fits(lower):
                    return lower, fails
                fails = lower
            return 0, fails
        fits = start
        while (higher := self._near(min(2 * fits, most), fits, min(4 * fits, most + 1))) is not None:
            if not self._fits(higher):
                return fits, higher
            fits = higher
        return fits, None

    def _guess(self, fits: int, fails: int) -> int:
        """The value at which memory would be full if it grew with the square of the value."""
        least, most = self.known[fits].demand.needed, self.known[fails].demand.needed
        share = min(max(self.room - least, 0), most - least) / (most - least) if most > least else 0.5
        return min(max(isqrt(int(fits**2 + share * (fails**2 - fits**2))), fits + 1), fails - 1)

    def _near(self, value: int, low: int, high: int) -> int | None:
        """The nearest value strictly between the two that is a network, looked for downwards first."""
        for each in _around(value, low, high):
            if self._taken(each):
                return each
        return None

    def _taken(self, value: int) -> bool:
        if value not in self.known and value not in self.refused:
            try:
                self.known[value] = self.attempt(value)
            except SpecError as error:
                self.refused[value] = f"{error.layer}: {error.problem}" if error.layer else error.problem
        return value in self.known

    def _fits(self, value: int) -> bool:
        return self._taken(value) and self.known[value].fits


def _around(value: int, low: int, high: int) -> Iterator[int]:
    yield from range(value, max(low, value - MOST_LOOKED_AT), -1)
    yield from range(value + 1, min(high, value + MOST_LOOKED_AT))
