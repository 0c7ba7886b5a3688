"""Numbers as text, and back."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archcost.units import binary_unit, count, parse_printed, parse_quantity, show_in, size


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (1000, "1,000"), (138357544, "138,357,544"), (None, "?")]
)
def test_count(value: int | None, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(
    ("text", "value", "last_digit"),
    [
        ("138 M", 138 * 10**6, 10**6),
        ("138M", 138 * 10**6, 10**6),
        (" 7.98 M ", 7_980_000, 10_000),
        ("60,965,224", 60_965_224, 1),
        ("3.8G", 3_800_000_000, 10**8),
        ("1.5 B", 1_500_000_000, 10**8),
        ("62k", 62_000, 1000),
        ("0.5", Fraction(1, 2), Fraction(1, 10)),
    ],
)
def test_parse_printed(text: str, value: int | Fraction, last_digit: int | Fraction) -> None:
    assert parse_printed(text) == (value, last_digit)


@pytest.mark.parametrize("text", ["", "M", "about 138 M", "-1", "1e6", "138 X", "1.2.3", "138 million"])
def test_not_a_printed_figure(text: str) -> None:
    assert parse_printed(text) is None


@pytest.mark.parametrize(
    ("text", "dimension", "amount"),
    [
        ("1008 GB/s", "B/s", 1_008_000_000_000),
        ("56.25 GB/s", "B/s", 56_250_000_000),
        ("39.5 GiB", "B", 42_412_802_048),  # 39.5 * 1024 * 1024 * 1024
        ("24GiB", "B", 25_769_803_776),
        ("300 MB", "B", 300_000_000),
        ("82.6 TFLOP/s", "FLOP/s", 82_600_000_000_000),
        ("864 MOP/s", "OP/s", 864_000_000),
        ("300 mW", "W", 0.3),
        ("16 SM", "processors", 16),
        ("-3 W", "W", -3),
    ],
)
def test_quantities(text: str, dimension: str, amount: float) -> None:
    read = parse_quantity(text)
    assert read is not None
    assert read.amount(dimension) == amount
    assert type(read.amount(dimension)) is type(amount)


@pytest.mark.parametrize(
    "text", ["", "24", "GB", "nan GB", "1e3 GB", "1,008 GB/s", "٣ GB", "24  GB", "1.2.3 GB", "9" * 99 + " B"]
)
def test_not_a_quantity(text: str) -> None:
    assert parse_quantity(text) is None


def test_a_number_in_the_unit_asked_for() -> None:
    assert show_in(165_200_000_000_000, "TFLOP/s", "FLOP/s") == "165.2"
    assert show_in(432_000_000, "TFLOP/s", "FLOP/s") == "0.000432"
    assert show_in(2**30, "GiB", "B") == "1"


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.00 KiB"),
        (1032, "1.01 KiB"),  # 1.0078
        (138_357_544 * 4, "527.79 MiB"),
        (24 * 2**30, "24.00 GiB"),
        (5 * 2**50, "5,120.00 TiB"),
    ],
)
def test_sizes(nbytes: int, text: str) -> None:
    assert size(nbytes) == text


def test_a_size_in_the_unit_of_another() -> None:
    assert size(2**20, binary_unit(3 * 2**30)) == "0.00 GiB"
    assert size(2**29, "GiB") == "0.50 GiB"
