"""A number that is not known exactly: the most likely value, and between which two it lies."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple


class Span(NamedTuple):
    """`likely` is None where only bounds are known; an end is None where nothing is known of it."""

    likely: float | None
    low: float | None
    high: float | None

    def times(self, factor: float) -> Span:
        """`factor` is not negative."""
        return Span(*[None if value is None else value * factor for value in self])

    @property
    def at_most(self) -> Span:
        """What is left of it where the factor was an upper bound."""
        return Span(None, None, self.high)

    @property
    def middle(self) -> float | None:
        """The value to sort by: the likely one, else the geometric mean of the bounds, else the one known."""
        if self.likely is not None:
            return self.likely
        if self.low is None or self.high is None:
            return self.low if self.high is None else self.high
        return sqrt(self.low * self.high)

    def to_dict(self, name: str) -> dict[str, Any]:
        return {name: self.likely, "band": None if self.low is self.high is None else [self.low, self.high]}


UNKNOWN = Span(None, None, None)
