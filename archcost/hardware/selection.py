"""Some of the devices: by words of their names, vendor, kind and memory; and their order in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from archcost.errors import ArchcostError, listing, nearest, shorten
from archcost.hardware.profile import HardwareProfile, Kind
from archcost.units import UNITS, parse_quantity

KINDS: tuple[str, ...] = get_args(Kind)

Order = Literal["name", "memory", "bandwidth", "year", "float32", "bfloat16", "float16", "int8"]
ORDERS: tuple[str, ...] = get_args(Order)


def selected(
    profiles: Sequence[HardwareProfile],
    words: Sequence[str] = (),
    *,
    vendor: str | None = None,
    kind: str | None = None,
    min_memory: str | None = None,
) -> tuple[HardwareProfile, ...]:
    """Those whose name, title, vendor, kind or architecture has every word, of a vendor and a kind, with at least so
    much nominal memory. Raises ArchcostError where a word is of no device, and where none is left.
    """
    left = tuple(profiles)
    for word in words:
        left = _kept(left, [word.lower() in _text(each) for each in left], f"no device has {shorten(word)} in its name")
    if vendor is not None:
        _require_one_of("vendor", vendor, {each.vendor for each in profiles})
        left = _kept(left, [each.vendor.lower() == vendor.lower() for each in left], f"no such device is of {vendor}")
    if kind is not None:
        _require_one_of("kind", kind, KINDS)
        left = _kept(left, [each.kind == kind.lower() for each in left], f"no such device is a {kind}")
    if min_memory is not None:
        least = _bytes(min_memory)
        enough = [each.memory.nominal.amount >= least for each in left]
        left = _kept(left, enough, f"no such device has {min_memory} of memory")
    return left


def ordered(profiles: Sequence[HardwareProfile], by: str) -> tuple[HardwareProfile, ...]:
    """By name, or the largest or newest first; those without the figure last. Raises
    ArchcostError for no such order.
    """
    _require_one_of("order", by, ORDERS)
    if by == "name":
        return tuple(sorted(profiles, key=lambda profile: profile.name))
    return tuple(sorted(profiles, key=lambda profile: (-_figure(profile, by), profile.name)))


def _figure(profile: HardwareProfile, name: str) -> float:
    if name == "memory":
        return profile.memory.nominal.amount
    if name == "bandwidth":
        return profile.memory.bandwidth.amount if profile.memory.bandwidth else 0
    if name == "year":
        return profile.year or 0
    rate = profile.rates.known().get(name)
    return 0 if rate is None else rate.amount


def _text(profile: HardwareProfile) -> str:
    words = (profile.name, profile.title, profile.vendor, profile.kind, profile.architecture or "")
    return " ".join(words).lower()


def _kept(profiles: tuple[HardwareProfile, ...], which: Sequence[bool], problem: str) -> tuple[HardwareProfile, ...]:
    left = tuple(profile for profile, is_kept in zip(profiles, which, strict=True) if is_kept)
    if not left:
        names = listing([profile.name for profile in profiles], 5)
        raise ArchcostError(problem, expected=f"one of {names}", hint="archcost hardware list")
    return left


def _require_one_of(what: str, word: str, known: Sequence[str] | set[str]) -> None:
    if word.lower() not in {each.lower() for each in known}:
        choices = sorted(known) if isinstance(known, set) else known
        by_lower = {each.lower(): each for each in choices}
        near = nearest(word.lower(), by_lower)
        raise ArchcostError(
            f"no {what} {shorten(word)}", expected=f"one of {listing(choices)}", found=shorten(word), hint=near
        )


def _bytes(text: str) -> float:
    read = parse_quantity(text.strip())
    if read is None or read.unit not in UNITS["B"] or read.number < 0:
        number = text.strip()
        is_bare = number.replace(".", "", 1).isdigit()
        raise ArchcostError(
            "the least memory is no amount of bytes",
            expected=f"a number and a unit: {', '.join(UNITS['B'])}",
            found=shorten(text),
            hint=f"{number}GiB" if is_bare and len(number) < 20 else "24GiB",
        )
    return read.amount("B")
