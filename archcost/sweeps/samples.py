"""A number of samples that is followed through a rule: for which other batches the rule's answer is the same line.

The rules of a CPU's kernels are integers compared and added, with a case here and a larger of two there. Worked out
with `Samples` in the place of the batch, they give a + b·N and the batches for which every comparison comes out as it
did. What is no line, as a size in whole blocks, holds for that one batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

Number = int | float | Fraction

NEAR = 1e-9
"""So near to a tie, relative to the batch, numbers with rounding do not decide."""


@dataclass(slots=True)
class Span:
    """The batches around `at` for which all that was compared so far comes out the same."""

    at: int
    lowest: int
    highest: int

    @property
    def is_single(self) -> bool:
        return self.lowest == self.highest == self.at

    def close(self) -> None:
        self.lowest = self.highest = self.at


class Samples:
    """base + slope·N, at the batch of its span and those around it."""

    __slots__ = ("base", "slope", "span")

    def __init__(self, span: Span, base: Number = 0, slope: Number = 1) -> None:
        self.span = span
        self.base = base
        self.slope = slope

    @property
    def value(self) -> Number:
        """The number at the batch itself."""
        return self.base + self.slope * self.span.at

    def __add__(self, other: Samples | Number) -> Samples:
        return Samples(self.span, self.base + _base(other), self.slope + _slope(other))

    __radd__ = __add__

    def __neg__(self) -> Samples:
        return Samples(self.span, -self.base, -self.slope)

    def __sub__(self, other: Samples | Number) -> Samples:
        return self + -other

    def __rsub__(self, other: Samples | Number) -> Samples:
        return -self + other

    def __mul__(self, other: Samples | Number) -> Samples | Number:
        if not isinstance(other, Samples):
            return Samples(self.span, self.base * other, self.slope * other)
        if self.slope and other.slope:
            return self._closed(self.value * other.value)
        return self * other.base if not other.slope else other * self.base

    __rmul__ = __mul__

    def __truediv__(self, other: Samples | Number) -> Samples | Number:
        if isinstance(other, Samples):
            return self._closed(self.value / other.value)
        return self * (Fraction(1, other) if isinstance(other, int) else 1 / other)

    def __rtruediv__(self, other: Number) -> Number:
        return self._closed(other / self.value)

    def __floordiv__(self, other: Samples | Number) -> Samples | Number:
        if isinstance(other, Samples):
            if not self.base and not other.base and self.slope % other.slope == 0:
                return self.slope // other.slope
            return self._closed(self.value // other.value)
        if self.slope % other == 0:
            return Samples(self.span, self.base // other, self.slope // other)
        return self._closed(self.value // other)

    def __rfloordiv__(self, other: Number) -> Number:
        return self._closed(other // self.value)

    def __mod__(self, other: Number) -> Number:
        return self.base % other if self.slope % other == 0 else self._closed(self.value % other)

    def __lt__(self, other: Samples | Number) -> bool:
        return self._side(other) < 0

    def __le__(self, other: Samples | Number) -> bool:
        return self._side(other) <= 0

    def __gt__(self, other: Samples | Number) -> bool:
        return self._side(other) > 0

    def __ge__(self, other: Samples | Number) -> bool:
        return self._side(other) >= 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Samples | int | float | Fraction):
            return NotImplemented
        return self._side(other) == 0

    __hash__ = None  # type: ignore[assignment]

    def __index__(self) -> int:
        return int(self._closed(self.value))

    def __float__(self) -> float:
        return float(self._closed(self.value))

    def _closed(self, value: Number) -> Number:
        self.span.close()
        return value

    def _side(self, other: Samples | Number) -> int:
        """The sign of what this is more than the other, at the batch and throughout the span, which is narrowed to the
        side of the batch at which the two are equal.
        """
        base, slope = self.base - _base(other), self.slope - _slope(other)
        if slope == 0:
            return (base > 0) - (base < 0)
        is_rounded = isinstance(base, float) or isinstance(slope, float)
        tie = -base / slope if is_rounded else -Fraction(base) / Fraction(slope)
        near = NEAR * (1 + abs(tie)) if is_rounded else 0
        span = self.span
        if abs(span.at - tie) <= near:
            span.close()
            return 0
        if span.at < tie:
            if tie - near <= span.highest:
                span.highest = ceil(tie - near) - 1
            return -1 if slope > 0 else 1
        if tie + near >= span.lowest:
            span.lowest = floor(tie + near) + 1
        return 1 if slope > 0 else -1


def _base(number: Samples | Number) -> Number:
    return number.base if isinstance(number, Samples) else number


def _slope(number: Samples | Number) -> Number:
    return number.slope if isinstance(number, Samples) else 0
