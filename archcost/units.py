"""Numbers as text and back. Nobody else knows a prefix."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

DECIMAL = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_PRINTED = re.compile(r"(\d+)(?:\.(\d+))? ?([kKMGBT]?)")


def count(value: int | None) -> str:
    """`138,357,544`; an unknown number is `?`."""
    return "?" if value is None else f"{value:,}"


def lower_bound(value: int) -> str:
    """`>= 138,357,544`."""
    return f">= {count(value)}"


def binary_unit(nbytes: int) -> str:
    """The largest of B, KiB, MiB, GiB and TiB of which there is one at least."""
    return next((unit for unit in ("TiB", "GiB", "MiB", "KiB") if abs(nbytes) >= UNITS["B"][unit]), "B")


def size(nbytes: int, unit: str | None = None) -> str:
    """`4.23 GiB`, to two decimals; of bytes none."""
    unit = unit or binary_unit(nbytes)
    return f"{nbytes:,} B" if unit == "B" else f"{nbytes / UNITS['B'][unit].numerator:,.2f} {unit}"


def parse_printed(text: str) -> tuple[Fraction, Fraction] | None:
    """A figure as a paper prints it (`138 M`): its value, and the worth of its last digit. None if it is not one."""
    match = _PRINTED.fullmatch(text.strip().replace(",", ""))
    if match is None:
        return None
    whole, decimals, prefix = match.group(1), match.group(2) or "", match.group(3)
    unit = Fraction(DECIMAL[prefix], 10 ** len(decimals))
    return int(whole + decimals) * unit, unit


def duration(seconds: float) -> str:
    """`12.3 ms`: three digits in the largest of ns, us, ms and s of which there is one at least."""
    return _three_digits(seconds, "s")


def joules(energy: float) -> str:
    """`12.3 mJ`, likewise."""
    return _three_digits(energy, "J")


def _three_digits(amount: float, dimension: str) -> str:
    units = UNITS[dimension]
    unit = next((name for name in reversed(units) if abs(amount) >= float(units[name])), next(iter(units)))
    return f"{float(format(float(amount / units[unit]), '.3g')):,g} {unit}"


UNITS: dict[str, dict[str, Fraction]] = {
    "B": {
        **{f"{prefix}B": Fraction(1000**power) for power, prefix in enumerate(("", "k", "M", "G", "T"))},
        **{f"{prefix}iB": Fraction(1024**power) for power, prefix in enumerate(("K", "M", "G", "T"), 1)},
    },
    "B/s": {f"{prefix}B/s": Fraction(1000**power) for power, prefix in enumerate(("k", "M", "G", "T", "P"), 1)},
    "FLOP/s": {f"{prefix}FLOP/s": Fraction(1000**power) for power, prefix in enumerate(("M", "G", "T", "P"), 2)},
    "OP/s": {f"{prefix}OP/s": Fraction(1000**power) for power, prefix in enumerate(("M", "G", "T", "P"), 2)},
    "bit": {"bit": Fraction(1)},
    "bit/s": {"Mbit/s": Fraction(10**6), "Gbit/s": Fraction(10**9)},
    "s": {"ns": Fraction(1, 10**9), "us": Fraction(1, 10**6), "ms": Fraction(1, 1000), "s": Fraction(1)},
    "J": {"uJ": Fraction(1, 10**6), "mJ": Fraction(1, 1000), "J": Fraction(1)},
    "W": {"mW": Fraction(1, 1000), "W": Fraction(1), "kW": Fraction(1000)},
    "USD": {"USD": Fraction(1)},
    "USD/h": {"USD/h": Fraction(1)},
    "g/kWh": {"g/kWh": Fraction(1), "kg/kWh": Fraction(1000)},
    "processors": dict.fromkeys(("SM", "SMX", "CU", "core", "cores", "TensorCore", "TensorCores"), Fraction(1)),
}
"""What a quantity may be written in, and what that is worth in the unit that names the row."""

_QUANTITY = re.compile(r"([-+]?[0-9]+(?:\.[0-9]+)?) ?([A-Za-z][A-Za-z/]*)")


class Quantity(NamedTuple):
    """A number and its unit as written: `1008 GB/s`. Whether the unit is one of `UNITS` is not said."""

    number: Fraction
    unit: str

    def amount(self, dimension: str) -> int | float:
        """The amount in the base unit (bytes, FLOP/s), an int where it is whole. Raises KeyError for a wrong unit."""
        exact = self.number * UNITS[dimension][self.unit]
        return exact.numerator if exact.denominator == 1 else float(exact)


def parse_quantity(text: str) -> Quantity | None:
    """A quantity from its text; None if that is no number and word."""
    match = _QUANTITY.fullmatch(text) if len(text) <= 60 else None
    return Quantity(Fraction(match.group(1)), match.group(2)) if match else None


def show_in(amount: float, unit: str, dimension: str) -> str:
    """A number in the unit asked for, without it, to six digits: 165.2 for TFLOP/s."""
    return f"{float(Fraction(amount) / UNITS[dimension][unit]):.6g}"
