"""Formulas as they are written, with letters and with numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archcost.report.formula import LATEX, letters, numbers, value

CASES = [
    ("(k_H*k_W*C_in + 1)*C_out", "(k_H·k_W·C_in + 1)·C_out", r"(k_{H} \cdot k_{W} \cdot C_{in} + 1) \cdot C_{out}"),
    ("(H + 2*p - k)//s + 1", "⌊(H + 2·p − k)/s⌋ + 1", r"\left\lfloor \frac{H + 2 \cdot p - k}{s} \right\rfloor + 1"),
    ("a//(b*c)", "⌊a/(b·c)⌋", r"\left\lfloor \frac{a}{b \cdot c} \right\rfloor"),
    ("(a + b)//1", "⌊a + b⌋", r"\left\lfloor a + b \right\rfloor"),
    ("C*(a/b)", "C·a/b", r"C \cdot \frac{a}{b}"),
    ("(a/b + 1)*c", "(a/b + 1)·c", r"\left( \frac{a}{b} + 1 \right) \cdot c"),
    ("a - (b - c)", "a − (b − c)", "a - (b - c)"),
    ("(a - b) - c", "a − b − c", "a - b - c"),
    ("a + (b - c)", "a + b − c", "a + b - c"),
    ("a % b", "a mod b", r"a \bmod b"),
    ("-(a + b)*c", "(−(a + b))·c", r"(-(a + b)) \cdot c"),
    ("-a + b", "(−a) + b", "(-a) + b"),
    ("2*MACs", "2·MACs", r"2 \cdot \mathrm{MACs}"),
]


@pytest.mark.parametrize(("formula", "text", "latex"), CASES)
def test_letters(formula: str, text: str, latex: str) -> None:
    assert (letters(formula), letters(formula, LATEX)) == (text, latex)


def test_numbers_are_put_in_with_separators() -> None:
    values = {"k": 3, "C_in": 1024, "C_out": 64}
    assert numbers("(k*k*C_in + 1)*C_out", values) == "(3·3·1,024 + 1)·64"
    assert numbers("C_in*k", values, LATEX) == r"1{,}024 \cdot 3"


def test_negative_numbers_and_fractions_keep_their_meaning() -> None:
    assert numbers("a*b - c", {"a": -1, "b": Fraction(1, 2), "c": -3}) == "(−1)·1/2 − (−3)"
    assert numbers("a*b", {"a": 2, "b": Fraction(-1, 2)}, LATEX) == r"2 \cdot \left( -\frac{1}{2} \right)"
    assert numbers("a/b", {"a": 2, "b": Fraction(1, 2)}) == "2/(1/2)"


@pytest.mark.parametrize(("number", "text"), [(1792, "1,792"), (-5, "−5"), (Fraction(3, 2), "3/2")])
def test_value(number: int | Fraction, text: str) -> None:
    assert value(number) == text
