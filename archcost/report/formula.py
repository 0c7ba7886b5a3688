"""Formulas as they are written: the tree of `terms.expressions` → text and LaTeX, with letters or with numbers."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple, Protocol

from archcost.terms.expressions import parse
from archcost.units import count

Values = Mapping[str, int | Fraction]

NEGATIVE, SUM, PRODUCT, ATOM = range(4)


class Written(NamedTuple):
    """A part of a formula, and how tightly its outermost operator binds: what binds looser needs parentheses."""

    text: str
    binding: int


class Style(Protocol):
    """How numbers, names and operators are written: as text or as LaTeX."""

    def number(self, value: int) -> str: ...
    def name(self, name: str) -> str: ...
    def parentheses(self, text: str) -> str: ...
    def times(self, left: str, right: str) -> str: ...
    def minus(self) -> str: ...
    def modulo(self, left: str, right: str) -> str: ...
    def quotient(self, above: Written, below: Written) -> Written: ...
    def floor(self, text: str) -> str: ...


class TextStyle:
    def number(self, value: int) -> str:
        return f"{value:,}"

    def name(self, name: str) -> str:
        return name

    def parentheses(self, text: str) -> str:
        return f"({text})"

    def times(self, left: str, right: str) -> str:
        return f"{left}·{right}"

    def minus(self) -> str:
        return "−"

    def modulo(self, left: str, right: str) -> str:
        return f"{left} mod {right}"

    def quotient(self, above: Written, below: Written) -> Written:
        return Written(f"{bound(self, above, PRODUCT)}/{bound(self, below, ATOM)}", PRODUCT)

    def floor(self, text: str) -> str:
        return f"⌊{text}⌋"


class LatexStyle:
    def number(self, value: int) -> str:
        return f"{value:,}".replace(",", "{,}")

    def name(self, name: str) -> str:
        letter, _, index = name.partition("_")
        base = letter if len(letter) == 1 else f"\\mathrm{{{letter}}}"
        return f"{base}_{{{index}}}" if index else base

    def parentheses(self, text: str) -> str:
        return f"\\left( {text} \\right)" if "\\frac" in text else f"({text})"

    def times(self, left: str, right: str) -> str:
        return f"{left} \\cdot {right}"

    def minus(self) -> str:
        return "-"

    def modulo(self, left: str, right: str) -> str:
        return f"{left} \\bmod {right}"

    def quotient(self, above: Written, below: Written) -> Written:
        return Written(f"\\frac{{{above.text}}}{{{below.text}}}", ATOM)

    def floor(self, text: str) -> str:
        return f"\\left\\lfloor {text} \\right\\rfloor"


TEXT, LATEX = TextStyle(), LatexStyle()


def letters(formula: str, style: Style = TEXT) -> str:
    """`(k_H·k_W·C_in + 1)·C_out`."""
    return _write(parse(formula), None, style).text


def numbers(formula: str, values: Values, style: Style = TEXT) -> str:
    """`(3·3·3 + 1)·64`."""
    return _write(parse(formula), values, style).text


def value(number: int | Fraction | None, style: Style = TEXT) -> str:
    """`1,792`, or `1/2`; an unknown number is `?`."""
    if number is None:
        return count(None)
    return _number(Fraction(number), style).text


def bound(style: Style, part: Written, binding: int) -> str:
    return part.text if part.binding >= binding else style.parentheses(part.text)


def _number(number: Fraction, style: Style) -> Written:
    size = abs(number)
    whole = Written(style.number(size.numerator), ATOM)
    if size.denominator != 1:
        whole = style.quotient(whole, Written(style.number(size.denominator), ATOM))
    return Written(f"{style.minus()}{whole.text}", NEGATIVE) if number < 0 else whole


def _write(node: ast.expr, values: Values | None, style: Style) -> Written:
    match node:
        case ast.Constant(value=int(number)):
            return _number(Fraction(number), style)
        case ast.Name(id=name):
            return Written(style.name(name), ATOM) if values is None else _number(Fraction(values[name]), style)
        case ast.UnaryOp(operand=operand):
            return Written(f"{style.minus()}{bound(style, _write(operand, values, style), PRODUCT)}", NEGATIVE)
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=ast.Constant(value=1)):
            return Written(style.floor(_write(left, values, style).text), ATOM)
        case ast.BinOp(left=left, op=op, right=right):
            return _operation(op, _write(left, values, style), _write(right, values, style), style)
        case _:
            raise ValueError(f"not a formula: {ast.unparse(node)}")


def _operation(op: ast.operator, left: Written, right: Written, style: Style) -> Written:
    match op:
        case ast.Add():
            return Written(f"{bound(style, left, SUM)} + {bound(style, right, SUM)}", SUM)
        case ast.Sub():
            return Written(f"{bound(style, left, SUM)} {style.minus()} {bound(style, right, PRODUCT)}", SUM)
        case ast.Mult():
            return Written(style.times(bound(style, left, PRODUCT), bound(style, right, PRODUCT)), PRODUCT)
        case ast.Mod():
            return Written(style.modulo(bound(style, left, PRODUCT), bound(style, right, ATOM)), PRODUCT)
        case ast.FloorDiv():
            return Written(style.floor(style.quotient(left, right).text), ATOM)
        case _:
            return style.quotient(left, right)
