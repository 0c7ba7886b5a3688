"""Which input positions a layer's output positions look at, axis by axis.

The rules from which costs/receptive_field.py composes receptive fields. Axes are the spatial ones
(axis 2 and on of a batched tensor), in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

Rational = int | Fraction
"""Integers as long as nothing is upsampled: most networks never meet a fraction."""


class Window(NamedTuple):
    """Output o looks at inputs [jump·o + low, jump·o + high], where they are integers.

    A convolution has jump = stride, low = −padding, high = dilation·(kernel − 1) − padding.
    """

    jump: Rational
    low: Rational
    high: Rational

    @classmethod
    def sliding(cls, kernel: int, stride: int, padding: int, dilation: int = 1) -> Window:
        return cls(stride, -padding, dilation * (kernel - 1) - padding)

    @classmethod
    def spreading(cls, kernel: int, stride: int, padding: int, dilation: int = 1) -> Window:
        """A transposed convolution: o = stride·i − padding + dilation·tap, solved for i."""
        reach = dilation * (kernel - 1)
        return cls(Fraction(1, stride), Fraction(padding - reach, stride), Fraction(padding, stride))


SAME = Window(1, 0, 0)


@dataclass(frozen=True, slots=True)
class Everything:
    """Every output position looks at all of the axis."""


WHOLE = Everything()

Rule = Window | Everything
Rules = tuple[Rule, ...]


def whole_last(rank: int) -> Rules:
    """Of a layer that mixes the last axis, which is a spatial one as soon as there are three."""
    return (*(SAME for _ in range(rank - 3)), WHOLE) if rank > 2 else ()
