"""Numbers as text and back. Nobody else knows a prefix."""

from __future__ import annotations

import re
from fractions import Fraction

DECIMAL = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_PRINTED = re.compile(r"(\d+)(?:\.(\d+))? ?([kKMGBT]?)")


def count(value: int | None) -> str:
    """`138,357,544`; an unknown number is `?`."""
    return "?" if value is None else f"{value:,}"


def short(value: int) -> str:
    """Four digits and a decimal prefix: `15.47 G`. Below 10,000 the number itself."""
    if value < 10_000:
        return f"{value:,}"
    for prefix in ("k", "M", "G", "T", "P", "E"):
        scaled = value / DECIMAL[prefix]
        if scaled < 999.95 or prefix == "E":
            digits = 2 if scaled < 99.995 else 1
            return f"{scaled:,.{digits}f} {prefix}"
    raise AssertionError


def parse_printed(text: str) -> tuple[Fraction, Fraction] | None:
    """A figure as a paper prints it (`138 M`): its value, and the worth of its last digit. None if it is not one."""
    match = _PRINTED.fullmatch(text.strip().replace(",", ""))
    if match is None:
        return None
    whole, decimals, prefix = match.group(1), match.group(2) or "", match.group(3)
    unit = Fraction(DECIMAL[prefix], 10 ** len(decimals))
    return int(whole + decimals) * unit, unit
