"""What a run is charged by: prices, powers and the carbon of a grid, each given or unknown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isfinite

from archcost.errors import ArchcostError, listing, nearest, shorten
from archcost.hardware import whole_name
from archcost.units import UNITS, parse_quantity

Amount = float | int | str
"""A number in the unit that is meant, or text with its unit: 2.5, "2.5 USD/h"."""

MOST = 10**9
"""Of each: about a thousand times what a whole hall of devices is charged, draws, or a kWh sets free."""

Given = Amount | Mapping[str, Amount] | None
"""One amount for all devices, or by the name of the device; None and a device without are unknown."""


def amount(value: object, dimension: str, meaning: str) -> float:
    """An amount as a number in the base unit. Raises ArchcostError for another unit, and for a negative amount."""
    number = _number(value, dimension, meaning) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number):
        raise _refused(meaning, dimension, value)
    if number < 0:
        raise ArchcostError(f"a negative {meaning}", expected=f"0 {dimension} or more", found=shorten(value))
    if number > MOST:
        raise ArchcostError(
            f"{meaning} is too large to be true", expected=f"at most {MOST:,} {dimension}", found=shorten(value)
        )
    return float(number)


def _number(text: str, dimension: str, meaning: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    read = parse_quantity(text.strip())
    if read is None:
        return None
    if read.unit not in UNITS[dimension]:
        known = tuple(UNITS[dimension])
        raise ArchcostError(
            f"{meaning} in a wrong unit",
            expected=f"a number, or one with a unit: {', '.join(known)}",
            found=shorten(text),
            hint=nearest(read.unit, known, count=1),
        )
    return float(read.amount(dimension))


def _refused(meaning: str, dimension: str, value: object) -> ArchcostError:
    return ArchcostError(
        f"{meaning} is no number",
        expected=f"a number of {dimension}, or one with a unit: {', '.join(UNITS[dimension])}",
        found=shorten(value),
    )


def by_device(given: Given, names: Collection[str], dimension: str, meaning: str) -> dict[str, float]:
    """The amounts by device, in short or whole; the name "" stands for all that are not named."""
    said = given if isinstance(given, Mapping) else {} if given is None else {"": given}
    amounts = {whole_name(name, names): value for name, value in said.items()}
    if len(amounts) < len(said):
        raise ArchcostError(f"two {meaning}s of one device", expected="one of each", found=listing(said))
    strange = [name for name in amounts if name and name not in names]
    if strange:
        raise ArchcostError(
            f"{meaning} of a device that is not asked for",
            expected=f"one of {listing(names)}",
            found=strange[0],
            hint=nearest(strange[0], names),
        )
    read = {name: amount(value, dimension, meaning) for name, value in amounts.items()}
    every = {name: read.get(name, read.get("")) for name in names}
    return {name: value for name, value in every.items() if value is not None}


def per_device(texts: Sequence[str]) -> dict[str, str]:
    """`2.5` is for all devices, `NAME=2.5` for one; the last of each counts."""
    pairs = [text.rpartition("=") for text in texts]
    return {name: value for name, _, value in pairs}
