"""What a budget's amounts may look like, and what is said of those that could mean two things."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archcost.errors import ArchcostError
from archcost.guarding.amounts import Amount, Kind, Tolerance, read_amount, read_tolerance

READ: list[tuple[Kind, object, Amount]] = [
    ("count", 61706, 61706),
    ("count", 0, 0),
    ("count", "25.6M", 25_600_000),
    ("count", "25,557,032", 25_557_032),
    ("count", "61.706k", 61_706),
    ("count", "4.1 G", 4_100_000_000),
    ("count", "7B", 7_000_000_000),
    ("bytes", "24 GiB", 24 * 2**30),
    ("bytes", "24GB", 24 * 10**9),
    ("bytes", "8192 B", 8192),
    ("bytes", "1.3 KiB", 1331),  # 1331.2
    ("seconds", "50 ms", 0.05),
    ("seconds", "1.5 s", 1.5),
    ("batch", 64, 64),
    ("verdict", True, "fits"),
    ("verdict", "tight", "tight"),
]

# what is written, and what is tried instead of it
REFUSED: list[tuple[Kind, object, str | None]] = [
    ("count", -1, None),
    ("count", True, None),
    ("count", "25.6m", '"25.6M"'),
    ("count", "25.6 million", '"25.6M"'),
    ("count", "25.6MB", '"25.6M"'),
    ("count", 25.6e6, "25600000"),
    ("count", 0.5, None),
    ("count", float("inf"), None),
    ("count", "25,6M", None),
    ("count", "1.23456k", '"1.23456k"'),  # 1234.56: no whole number
    ("count", "many", None),
    ("count", None, None),
    ("count", [1], None),
    ("count", 10**40, None),
    ("bytes", 24, '"24 GiB", "24 MiB" or "24 B"'),
    ("bytes", "24", '"24 GiB", "24 MiB" or "24 B"'),
    ("bytes", "24G", '"24 GiB"'),
    ("bytes", "24 gb", '"24 GiB"'),
    ("bytes", "24 Gib", '"24 GiB"'),
    ("bytes", "-1 GiB", None),
    ("bytes", "24 GB/s", '"24 GiB"'),
    ("bytes", True, None),
    ("seconds", 50, '"50 ms"'),
    ("seconds", "50 msec", '"50 ms"'),
    ("seconds", "-1 s", None),
    ("batch", 0, None),
    ("batch", -4, None),
    ("verdict", False, None),
    ("verdict", "does not fit", None),
]


@pytest.mark.parametrize(("kind", "value", "amount"), READ)
def test_amounts(kind: Kind, value: object, amount: Amount) -> None:
    assert read_amount(kind, value) == amount


@pytest.mark.parametrize(("kind", "value", "hint"), REFUSED)
def test_what_is_sloppy_is_refused_with_the_right_form(kind: Kind, value: object, hint: str | None) -> None:
    with pytest.raises(ArchcostError) as caught:
        read_amount(kind, value)
    assert (caught.value.problem, caught.value.hint) == ("no such amount", hint)
    assert caught.value.expected


def test_tolerances() -> None:
    assert read_tolerance("1 %") == Tolerance(share=Fraction(1, 100))
    assert read_tolerance("0.5%", "count") == Tolerance(share=Fraction(1, 200))
    assert read_tolerance("10k", "count") == Tolerance(amount=10_000)
    assert read_tolerance("100 MiB", "bytes") == Tolerance(amount=100 * 2**20)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(None, "10k"), (None, 1), (None, True), ("count", "-1 %"), ("bytes", 5), ("verdict", "1 %"), ("seconds", "1 B")],
)
def test_what_is_no_tolerance(kind: Kind | None, value: object) -> None:
    with pytest.raises(ArchcostError, match="tolerance"):
        read_tolerance(value, kind)
