"""What a budget says: `25.6M` parameters, `24 GiB`, `50 ms`, `1 %`. What could mean two things is refused.

Sizes carry their unit, since 24 GB and 24 GiB lie seven per cent apart; counts carry none, and the prefixes of the
decimal system: k, M, G (or B) and T.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Literal, NamedTuple

from archcost.errors import ArchcostError
from archcost.files.values import spell
from archcost.units import DECIMAL, UNITS, count, duration, parse_quantity, size

Kind = Literal["count", "bytes", "seconds", "batch", "verdict"]
Amount = int | float | str
"""A count, bytes, seconds, or the worst verdict that is allowed."""

MOST = 10**18
"""Of a count, and of bytes."""

_COUNT = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,20}(?:\.[0-9]{1,20})?) ?([kMGBT]?)")
_SHARE = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,6})?) ?%")
_NUMBER = re.compile(r"\s*([0-9][0-9,_]*(?:\.[0-9]+)?)\s*([A-Za-z]?)")

EXPECTED: dict[Kind, str] = {
    "count": "a count from 0: 25557032, or text with a prefix, 25.6M",
    "bytes": "a size with its unit: 24 GiB, or 24 GB where it is decimal",
    "seconds": "a time with its unit: 50 ms, 1.5 s",
    "batch": "a number of samples from 1: 64",
    "verdict": "true, which is safe, or tight, which may fail",
}


def read_amount(kind: Kind, value: object) -> Amount:
    """A limit as a file or a test gives it. Raises ArchcostError with the form that is right."""
    found = READERS[kind](value)
    if found is None:
        hint = _right_form(kind, value)
        raise ArchcostError("no such amount", expected=EXPECTED[kind], found=spell(value), hint=hint)
    return found


def _count(value: object) -> int | None:
    if type(value) is int:
        return value if 0 <= value <= MOST else None
    match = _COUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    number = Fraction(match.group(1).replace(",", "")) * DECIMAL[match.group(2)]
    return int(number) if number.denominator == 1 and number <= MOST else None


def _batch(value: object) -> int | None:
    return _count(value) or None


def _bytes(value: object) -> int | None:
    """Bytes, those of a fraction of one left out: no tensor has half of a byte."""
    found = _quantity(value, "B")
    return None if found is None or found > MOST else int(found)


def _seconds(value: object) -> float | None:
    found = _quantity(value, "s")
    return None if found is None else float(found)


def _quantity(value: object, dimension: str) -> Fraction | None:
    found = parse_quantity(value.strip()) if isinstance(value, str) else None
    if found is None or found.unit not in UNITS[dimension] or found.number < 0:
        return None
    return found.number * UNITS[dimension][found.unit]


def _verdict(value: object) -> str | None:
    if value is True:
        return "fits"
    return value if isinstance(value, str) and value in ("fits", "tight") else None


READERS: dict[Kind, Callable[[object], Amount | None]] = {
    "count": _count,
    "bytes": _bytes,
    "seconds": _seconds,
    "batch": _batch,
    "verdict": _verdict,
}


def _right_form(kind: Kind, value: object) -> str | None:
    """What was probably meant, in the form that is read."""
    match = _NUMBER.match(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    if match is None:
        return None
    number, prefix = match.group(1).replace("_", "").rstrip(","), match.group(2).upper()
    if kind == "bytes":
        prefix = prefix if prefix in ("K", "M", "G", "T") else ""
        return f'"{number} {prefix}iB"' if prefix else f'"{number} GiB", "{number} MiB" or "{number} B"'
    if kind == "seconds":
        return f'"{number} ms"' if prefix in ("", "M") else f'"{number} s"'
    if kind == "count" and isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) <= MOST else None
    if kind == "count" and prefix in ("K", "M", "G", "B", "T") and "," not in number:
        return f'"{number}{"k" if prefix == "K" else prefix}"'
    return None


class Tolerance(NamedTuple):
    """How far beyond a limit is still within it: a share of the limit, or an amount of its kind."""

    share: Fraction = Fraction(0)
    amount: int | float = 0

    def __str__(self) -> str:
        return f"{float(100 * self.share):g} %"


def read_tolerance(value: object, kind: Kind | None = None) -> Tolerance:
    """Without a kind it is one of several quantities, which can only be a share. Raises ArchcostError."""
    if kind == "verdict":
        raise ArchcostError("a verdict has no tolerance", expected="fits: tight, where that is enough")
    match = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        return Tolerance(share=Fraction(match.group(1)) / 100)
    found = READERS[kind](value) if kind else None
    if isinstance(found, int | float):
        return Tolerance(amount=found)
    expected = 'a share of the limit, "1 %"' + (f"; or {EXPECTED[kind]}" if kind else "")
    hint = f'"{value} %"' if type(value) in (int, float) else None
    raise ArchcostError("no such tolerance", expected=expected, found=spell(value), hint=hint)


def shown(kind: Kind, amount: Amount | None) -> str:
    """As a report shows it: `25,600,000`, `24.00 GiB`, `50 ms`."""
    if amount is None or isinstance(amount, str):
        return amount or "?"
    if kind == "bytes":
        return size(int(amount))
    return duration(float(amount)) if kind == "seconds" else count(int(amount))
