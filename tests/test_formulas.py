"""The small arithmetic of specs and of `explain`: what it comes to, and what it refuses."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archcost.terms.expressions import FormulaError, Step, evaluate, exact, names

VALUES = {"a": 7, "b": 2, "half": Fraction(1, 2)}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("2 + 3*5", 17),
        ("(2 + 3)*5", 25),
        ("a - b", 5),
        ("-a + 1", -6),
        ("- -a", 7),
        ("a//b", 3),  # rounds down
        ("-a//b", -4),  # down, not towards zero
        ("a % b", 1),
        ("(a + 1)/b", 4),
        ("a/b*2", 7),  # only the end must be an integer
        ("a*half + half", 4),
        ("  a  ", 7),
        ("(k*k*3 + 1)*64", 1792),
        ("9223372036854775807", 2**63 - 1),
        ("make_divisible(35, 8)", 32),  # 32 is nearer than 40
        ("make_divisible(36, 8)", 40),  # halfway goes up
        ("make_divisible(96/5, 8)", 24),  # 16 is nearest to 19.2, but less than 17.28
        ("make_divisible(88/5, 8)", 16),  # 16 is nearest to 17.6, and 15.84 would have done
        ("make_divisible(40*17/10, 8)", 72),  # 68 is halfway between 64 and 72
        ("make_divisible(1, 8)", 8),  # never none
        ("2*make_divisible(a, b + 1) + 1", 19),  # 6 is nearest to 7, but less than 6.3
    ],
)
def test_evaluate(text: str, result: int) -> None:
    value = evaluate(text, {**VALUES, "k": 3})
    assert (value, type(value)) == (result, int)


NOT_ARITHMETIC = "integer arithmetic such as $width * 2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a/b", "a division without remainder, not 7/2"),
        ("1/3 + 1/3", "a division without remainder, not 2/3"),
        ("*".join(["9223372036854775807"] * 9) + "/2", "a division without remainder"),  # its digits would fill a page
        ("c", "one of the names a, b, half"),
        ("a/0", "a division by something other than zero"),
        ("a//(b - 2)", "a division by something other than zero"),
        ("a % 0", "a division by something other than zero"),
        ("9223372036854775807 + 1", "a result below 2^63"),
        ("-9223372036854775807 - 1", "a result below 2^63"),
        ("a**b", "only + - * / // and %"),
        ("a << b", "only + - * / // and %"),
        ("a @ b", "only + - * / // and %"),
        ("a + " * 75 + "a", "an expression of at most 300 characters"),
        ("a.real", NOT_ARITHMETIC),
        ("a.__class__", NOT_ARITHMETIC),
        ("abs(a)", NOT_ARITHMETIC),
        ("make_divisible(a)", NOT_ARITHMETIC),
        ("make_divisible(a, 2, 3)", NOT_ARITHMETIC),
        ("make_divisible(a, divisor=2)", NOT_ARITHMETIC),
        ("make_divisible", "one of the names a, b, half"),
        ("make_divisible(a, 0)", "a divisor above zero"),
        ("make_divisible(a, -8)", "a divisor above zero"),
        ("__import__('os')", NOT_ARITHMETIC),
        ("[a][0]", NOT_ARITHMETIC),
        ("a if b else a", NOT_ARITHMETIC),
        ("a < b", NOT_ARITHMETIC),
        ("not a", NOT_ARITHMETIC),
        ("+a", NOT_ARITHMETIC),
        ("lambda: 1", NOT_ARITHMETIC),
        ("1.5", NOT_ARITHMETIC),
        ("1e3", NOT_ARITHMETIC),
        ("True + 1", NOT_ARITHMETIC),
        ("'7'", NOT_ARITHMETIC),
        ("", NOT_ARITHMETIC),
        ("a +", NOT_ARITHMETIC),
        ("a = 1", NOT_ARITHMETIC),
        ("a\x00", NOT_ARITHMETIC),
        ("(" * 150 + "a" + ")" * 149, NOT_ARITHMETIC),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        evaluate(text, VALUES)
    assert str(caught.value) == message


def test_unknown_name_where_none_is_declared() -> None:
    with pytest.raises(FormulaError, match=r"one of the names \(none\)"):
        evaluate("a", {})


def test_names() -> None:
    assert names("(k_H*k_W*C_in + 1)*C_out - k_H") == {"k_H", "k_W", "C_in", "C_out"}
    assert names("2*3") == frozenset()


def test_exact_keeps_fractions_and_large_results() -> None:
    assert exact("a/b", VALUES) == Fraction(7, 2)
    assert exact("9223372036854775807*2", {}) == 2 * (2**63 - 1)


def test_a_step_works_itself_out() -> None:
    step = Step("parameters", "(k*k*C_in + 1)*C_out", {"k": 3, "C_in": 3, "C_out": 64})
    assert step.result == 1792  # (3*3*3 + 1) * 64
    assert Step("MACs", "B*n", {"B": 2**40, "n": 2**40}).result == 2**80
