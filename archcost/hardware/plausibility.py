"""What cannot be: figures of a profile that contradict physics, each other, or devices of the same make.

A rate sold with 2:4 sparsity is twice the dense one. Entered as dense, it shows against its neighbours: on all
devices known, matrix units run float16 twice as fast as tf32, as fast as bfloat16, and half as fast as float8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from archcost.errors import nearest
from archcost.files.values import Path
from archcost.hardware.figures import FloatRate
from archcost.hardware.memory_types import LIMITS
from archcost.hardware.profile import HardwareProfile
from archcost.units import show_in

ROUNDING = 0.01
"""A printed figure may be that much above what it was rounded from."""

NEAR = 0.06
"""Ratios of printed rates: B200's tf32 is printed as 1100 where float16 has 2250."""

FASTER_THAN_PEERS = 1.5
"""Devices of one architecture and line have the same ratio of matrix to vector rates; a sparse rate doubles it."""

BETWEEN_LINES = 2
"""Lines of one architecture differ by that much: GeForce runs half of what the same chip does in a data centre."""


class Refusal(NamedTuple):
    """What is impossible, and where."""

    path: Path
    problem: str
    expected: str
    found: str
    hint: str | None = None


def by_itself(profile: HardwareProfile) -> Refusal | None:
    """The first impossible thing that the profile shows by itself."""
    checks: tuple[Callable[[HardwareProfile], Iterator[Refusal]], ...] = (
        _stated, _sources, _memory, _bandwidth, _flash, _reserves, _sparse, _ratios, _order, _spreads,
    )  # fmt: skip
    return next((refusal for check in checks for refusal in check(profile)), None)


def _stated(profile: HardwareProfile) -> Iterator[Refusal]:
    """Only what has no file may leave these open."""
    needed = (
        (("year",), profile.year, "2022"),
        (("memory", "type"), profile.memory.type, "{value: GDDR6X, source: page}"),
        (("memory", "bandwidth"), profile.memory.bandwidth, "{value: 1008 GB/s, source: page}"),
    )
    for path, value, example in needed:
        if value is None:
            yield Refusal(path, "not stated", f"such as {example}", "nothing")


def _sources(profile: HardwareProfile) -> Iterator[Refusal]:
    for path, figure in profile.figures():
        if figure.source not in profile.sources:
            yield Refusal(
                (*path.split("."), "source"),
                "unknown source",
                f"a key of sources: {', '.join(profile.sources)}",
                figure.source,
                nearest(figure.source, profile.sources),
            )


def _memory(profile: HardwareProfile) -> Iterator[Refusal]:
    nominal, usable = profile.memory.nominal, profile.memory.usable
    if usable and usable.amount > nominal.amount:
        yield Refusal(("memory", "usable"), "more than there is", f"at most the nominal {nominal.value}", usable.value)
    if profile.cache and profile.cache.amount >= nominal.amount:
        yield Refusal(("cache",), "a cache larger than its memory", f"less than {nominal.value}", profile.cache.value)


def _bandwidth(profile: HardwareProfile) -> Iterator[Refusal]:
    """Bus × data rate where both are given; what is not given, is the most that the type of memory ever had."""
    memory = profile.memory
    if memory.type is None or memory.bandwidth is None:
        return
    kind = memory.type.value
    limit = LIMITS.get(kind)
    if memory.data_rate and limit and memory.data_rate.amount > limit.data_rate * (1 + ROUNDING):
        fastest = f"at most {show_in(limit.data_rate, 'Gbit/s', 'bit/s')} Gbit/s, the fastest {kind}"
        yield Refusal(
            ("memory", "data_rate"), f"faster than {kind}", f"{fastest}; {limit.source}", memory.data_rate.value
        )
    pins = memory.bus.amount if memory.bus else limit.bus if limit else None
    bits = memory.data_rate.amount if memory.data_rate else limit.data_rate if limit else None
    if pins is None or bits is None or memory.bandwidth.amount <= pins * bits / 8 * (1 + ROUNDING):
        return
    most = show_in(round(pins * bits / 8), "GB/s", "B/s")
    pin = f"{show_in(bits, 'Gbit/s', 'bit/s')} Gbit/s a pin"
    says = f"; {limit.source}" if limit and not (memory.bus and memory.data_rate) else ""
    yield Refusal(
        ("memory", "bandwidth"),
        f"more than {kind if says else 'the bus'} can give",
        f"at most {most} GB/s: {pins:,} bit × {pin}{says}",
        memory.bandwidth.value,
        None if memory.bus else "the type that the device has; or memory.bus, if it has more pins than any before",
    )


def _flash(profile: HardwareProfile) -> Iterator[Refusal]:
    is_small = profile.kind == "microcontroller"
    if is_small and profile.flash is None:
        yield Refusal(
            ("kind",), "a microcontroller without flash", "flash: where weights live; memory is its SRAM", "no flash"
        )
    if profile.flash and not is_small:
        yield Refusal(("flash",), "flash apart", "flash in a microcontroller only", f"flash in a {profile.kind}")


def _reserves(profile: HardwareProfile) -> Iterator[Refusal]:
    for field, reserve in (("context", profile.context), ("workspace", profile.workspace)):
        if reserve and reserve.amount >= profile.memory.capacity:
            yield Refusal(
                (field,), "leaves no memory", f"less than the memory, {profile.memory.nominal.value}", reserve.value
            )


def _sparse(profile: HardwareProfile) -> Iterator[Refusal]:
    """Sparse figures where they are given: twice the dense ones, on a device that has them."""
    for dtype, rate in profile.rates.known().items():
        sparse = rate.sparse_amount
        if sparse is None:
            continue
        if profile.sparsity is None or profile.sparsity.value == "none":
            yield Refusal(
                ("rates", dtype, "sparse"),
                "a sparse rate without sparsity",
                'sparsity: {value: "2:4", …}',
                f"sparse: {rate.sparse}",
            )
        if not _is_about(sparse / rate.amount, 2):
            yield Refusal(
                ("rates", dtype, "value"),
                "not the dense rate" if sparse <= rate.amount else "dense and sparse do not go together",
                f"half of the sparse rate, {rate.sparse}",
                rate.value,
                "value: is the dense rate, sparse: the one with 2:4 sparsity",
            )


def _is_about(ratio: float, whole: float) -> bool:
    return abs(ratio / whole - 1) <= NEAR


class Pair(NamedTuple):
    """Two dtypes with sums of the same kind: ratios of their rates that devices have, and that none has."""

    slower: str
    faster: str
    usual: str
    too_little: tuple[float, ...]
    too_much: tuple[float, ...]
    is_sparse_only: bool = False
    """Without sparsity, units are known that run both at one rate."""


PAIRS = (
    Pair("tf32", "float16", "2 × tf32", (1,), (4,)),
    Pair("tf32", "bfloat16", "2 × tf32", (1,), (4,)),
    Pair("bfloat16", "float16", "as much as bfloat16", (0.5,), (2,)),
    Pair("float16", "float8", "2 × float16", (1,), (4,), is_sparse_only=True),
    Pair("bfloat16", "float8", "2 × bfloat16", (1,), (4,), is_sparse_only=True),
    Pair("float16", "int8", "2 or 4 × float16", (1,), (8,), is_sparse_only=True),
    Pair("bfloat16", "int8", "2 or 4 × bfloat16", (1,), (8,), is_sparse_only=True),
)


def _ratios(profile: HardwareProfile) -> Iterator[Refusal]:
    rates = profile.rates.known()
    has_sparsity = profile.sparsity is not None and profile.sparsity.value != "none"
    for pair in PAIRS:
        slower, faster = rates.get(pair.slower), rates.get(pair.faster)
        if slower is None or faster is None or not _sums_alike(slower, faster):
            continue
        ratio = faster.amount / slower.amount
        is_too_much = any(_is_about(ratio, wrong) for wrong in pair.too_much)
        is_too_little = any(_is_about(ratio, wrong) for wrong in pair.too_little)
        if is_too_much or (is_too_little and (has_sparsity or not pair.is_sparse_only)):
            doubtful = pair.faster if is_too_much else pair.slower
            yield Refusal(
                ("rates", doubtful, "value"),
                "looks like a sparse rate entered as dense",
                f"{pair.faster} {pair.usual}",
                f"{pair.faster} {faster.value}, {ratio:.3g} × the {slower.value} of {pair.slower}",
                f"value: {_half(rates[doubtful])}, sparse: {rates[doubtful].value}",
            )


def _half(rate: FloatRate) -> str:
    written = rate.quantity(rate.value)
    return f"{float(written.number / 2):.6g} {written.unit}"


def _sums_alike(one: FloatRate, other: FloatRate) -> bool:
    """Units that sum in float16 run at twice the rate on some devices."""
    return "float16" not in (one.accumulate, other.accumulate)


def _order(profile: HardwareProfile) -> Iterator[Refusal]:
    """A wider type is never faster."""
    rates = profile.rates.known()
    for wide, narrow in (("float64", "float32"), ("float32", "tf32")):
        if wide in rates and narrow in rates and rates[wide].amount > rates[narrow].amount * (1 + NEAR):
            yield Refusal(
                ("rates", wide, "value"),
                f"faster than {narrow}",
                f"at most {rates[narrow].value}",
                rates[wide].value,
            )


def _spreads(profile: HardwareProfile) -> Iterator[Refusal]:
    seen = profile.seen
    spreads = {("seen", "stream"): seen.stream}
    if seen.matmul:
        spreads |= {("seen", "matmul", dtype): value for dtype, value in seen.matmul}
    for path, spread in spreads.items():
        if spread and list(spread.value) != sorted(spread.value):
            yield Refusal(
                (*path, "value"),
                "percentiles out of order",
                "10th, 50th and 90th, rising",
                ", ".join(f"{share:g}" for share in spread.value),
            )


def against_peers(profile: HardwareProfile, peers: Sequence[HardwareProfile]) -> Refusal | None:
    """Matrix rates beside the vector rate, held against devices of the same architecture (and line, where given)."""
    base = profile.rates.float32
    alike, faster_at_most = _peers_of(profile, peers)
    if base is None:
        return None
    for dtype, rate in profile.rates.known().items():
        ratios = [
            (there.amount / peer.rates.float32.amount * faster, peer.name)
            for peer in alike
            if peer.rates.float32 and (there := peer.rates.known().get(dtype)) and (faster := _faster_sums(rate, there))
        ]
        own = rate.amount / base.amount
        if not ratios or own <= max(ratios)[0] * faster_at_most:
            continue
        most, name = max(ratios)
        dense = f"{show_in(most * base.amount, 'TFLOP/s', 'FLOP/s')} T{rate.dimension}"
        return Refusal(
            ("rates", dtype, "value"),
            "looks like a sparse rate entered as dense",
            f"about {most:.3g} × float32, as {name} has: {dense}",
            f"{rate.value}, {own:.3g} × float32",
            f"value: {_half(rate)}, sparse: {rate.value}"
            + ("; or accumulate: float16, if it sums so" if dtype == "float16" else ""),
        )
    return None


def _faster_sums(rate: FloatRate, peer: FloatRate) -> int:
    """By how much sums in float16 may make a rate higher than sums in float32; 0 where they cannot be compared."""
    if rate.accumulate == peer.accumulate:
        return 1
    return 2 if rate.accumulate == "float16" else 0


def _peers_of(profile: HardwareProfile, peers: Sequence[HardwareProfile]) -> tuple[list[HardwareProfile], float]:
    """Devices of the same architecture, of the same line where there are such; how much faster one may be than they."""
    if profile.architecture is None:
        return [], 1
    same = [peer for peer in peers if _same(peer.architecture, profile.architecture)]
    in_line = [peer for peer in same if profile.line is None or _same(peer.line, profile.line)]
    return (in_line, FASTER_THAN_PEERS) if in_line else (same, FASTER_THAN_PEERS * BETWEEN_LINES)


def _same(one: str | None, other: str | None) -> bool:
    return (one or "").lower() == (other or "").lower()
