"""Numbers as text, and back."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archcost.units import count, parse_printed, short


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (1000, "1,000"), (138357544, "138,357,544"), (None, "?")]
)
def test_count(value: int | None, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.00 k"),
        (61_706, "61.71 k"),
        (99_994, "99.99 k"),
        (99_995, "100.0 k"),
        (999_949, "999.9 k"),
        (999_950, "1.00 M"),
        (138_357_544, "138.4 M"),
        (15_470_264_320, "15.47 G"),
        (10**15, "1.00 P"),
        (10**18, "1.00 E"),
        (123_456 * 10**18, "123,456.0 E"),
    ],
)
def test_short(value: int, text: str) -> None:
    assert short(value) == text


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
