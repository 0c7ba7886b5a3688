"""Numbers that are not known exactly, as text."""

from __future__ import annotations

from archcost.planning.intervals import Span


def with_band(span: Span, unit: str = "") -> str:
    """The most likely value with its band behind it, or what is known of its ends."""
    likely, low, high = (None if value is None else digits(value) for value in span)
    between = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}" if high else ""
    if likely is None:
        return f"{between}{unit}" if between else "?"
    return f"{likely}{unit} ({between})" if between else f"{likely}{unit}"


def digits(value: float) -> str:
    """A number with three digits, or without decimals."""
    if value >= 1e12:
        return f"{value:.3g}"
    if value >= 99.95 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
