"""Small arithmetic: `$width * 2` in a spec, and the formulas that `explain` shows.

One language serves both: Python's `+ - * / // %`, parentheses, integers and names. It is parsed with
`ast` and never executed as Python. `/` must divide exactly; `//` rounds down. Specs also have the functions in
`FUNCTIONS`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

LONGEST = 300
LARGEST = 2**63


class FormulaError(ValueError):
    """The text is not in the language, a name is unbound, or a division is impossible."""


@cache
def parse(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise FormulaError(f"an expression of at most {LONGEST} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise FormulaError("integer arithmetic such as $width * 2") from None


@cache
def names(text: str) -> frozenset[str]:
    """The names a formula uses."""
    return frozenset(node.id for node in ast.walk(parse(text)) if isinstance(node, ast.Name)) - FUNCTIONS.keys()


def evaluate(text: str, values: Mapping[str, int | Fraction]) -> int:
    """The integer that `text` comes to. Raises FormulaError, whose message says what was expected."""
    result = _integer(exact(text, values))
    if abs(result) >= LARGEST:
        raise FormulaError("a result below 2^63")
    return result


def exact(text: str, values: Mapping[str, int | Fraction]) -> Fraction:
    """What `text` comes to, be it a fraction or beyond 2^63: operations grow with the batch without end."""
    return _value(parse(text), values)


def _integer(result: Fraction) -> int:
    if result.denominator != 1:
        found = f", not {result}" if abs(result.numerator) < LARGEST else ""
        raise FormulaError(f"a division without remainder{found}")
    return int(result)


def _value(node: ast.expr, values: Mapping[str, int | Fraction]) -> Fraction:
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            result = Fraction(number)
        case ast.Name(id=name):
            if name not in values:
                raise FormulaError(f"one of the names {', '.join(sorted(values)) or '(none)'}")
            result = Fraction(values[name])
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            result = -_value(operand, values)
        case ast.BinOp(left=left, op=op, right=right):
            result = _combine(op, _value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=[first, second], keywords=[]) if name in FUNCTIONS:
            result = FUNCTIONS[name](_value(first, values), _value(second, values))
        case _:
            raise FormulaError("integer arithmetic such as $width * 2")
    return result


def _combine(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    if isinstance(op, (ast.Div, ast.FloorDiv, ast.Mod)) and right == 0:
        raise FormulaError("a division by something other than zero")
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.FloorDiv():
            return Fraction(left // right)
        case ast.Mod():
            return left % right
        case _:
            raise FormulaError("only + - * / // and %")


def make_divisible(value: Fraction, divisor: Fraction) -> Fraction:
    """The multiple of `divisor` nearest to `value`, or the next one where that would lose more than a tenth.

    How MobileNets and EfficientNets round channels (`_make_divisible` in tensorflow/models and torchvision).
    """
    if divisor <= 0:
        raise FormulaError("a divisor above zero")
    nearest = max(divisor, (value + divisor / 2) // divisor * divisor)
    return nearest if 10 * nearest >= 9 * value else nearest + divisor


FUNCTIONS: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {"make_divisible": make_divisible}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of working: what is computed, by which formula, from which values, and why."""

    quantity: str
    formula: str
    values: Mapping[str, int | Fraction] = field(default_factory=dict[str, "int | Fraction"])
    note: str = ""

    @property
    def result(self) -> int:
        return _integer(exact(self.formula, self.values))
