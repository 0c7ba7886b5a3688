"""Operations of a formula of complex numbers, each counted on the real numbers that they are made of."""

from __future__ import annotations

import ast
from functools import cache

from archcost.layers.derivative import COUNTED, is_tensor

COMPLEX_SUM, COMPLEX_PRODUCT, SQUARED = 2, 6, 3
"""Of complex numbers: a sum of both parts; four products, a difference and a sum; and |z|² of one."""

OF_COMPLEX = {"conj": 0, "real": 0, "imag": 0, "abs": SQUARED + 1, "sgn": SQUARED + 1 + 2, "exp": 1 + 2 + 2, "where": 0}
"""Operations of a function of a complex number: |z| is a root of two squares and their sum, z/|z| two divisions more,
exp(z) an exponential, a cosine, a sine and two products. Turning a sign is free, as what follows takes it along."""

REAL_OF_COMPLEX = frozenset(["abs", "real", "imag"])


@cache
def complex_operations(formula: str, numbers: frozenset[str]) -> int:
    """How many a value on real numbers, where those of `numbers` are complex (docs/conventions.md).

    With a real number a complex one is added in one part, and multiplied or divided in both.
    """

    def worked(node: ast.AST) -> tuple[int, bool]:
        """The operations, and whether the result is complex."""
        match node:
            case ast.Name(id=name):
                return 0, name in numbers
            case ast.BinOp(left=left, right=right, op=op):
                (before, one), (after, other) = worked(left), worked(right)
                return before + after + _of_parts(op, one, other, _is_number(left)), one or other
            case ast.UnaryOp(operand=operand):
                count, is_complex = worked(operand)
                return count + (COMPLEX_SUM if is_complex else 1), is_complex
            case ast.Call(func=ast.Name(id=name), args=arguments):
                counts = [worked(argument) for argument in arguments]
                is_complex = any(each for _, each in counts)
                own = OF_COMPLEX[name] if is_complex or name == "conj" else COUNTED.get(name, 1)
                return own + sum([count for count, _ in counts]), is_complex and name not in REAL_OF_COMPLEX
            case _:
                return 0, False

    return worked(ast.parse(formula, mode="eval").body)[0]


def _is_number(node: ast.AST) -> bool:
    return not any(isinstance(inner, ast.Name) and is_tensor(inner.id) for inner in ast.walk(node))


def _of_parts(op: ast.operator, one: bool, other: bool, is_number: bool) -> int:
    """Of two operands, of which these are complex; `is_number`: no tensor is the first."""
    if not (one or other):
        return 1
    match op:
        case ast.Add() | ast.Sub():
            return COMPLEX_SUM if one and other else 1
        case ast.Mult():
            return COMPLEX_PRODUCT if one and other else 2
        case ast.Div() if other:  # by |b|², of which the conjugate's product is divided
            return SQUARED + 2 + (COMPLEX_PRODUCT if one else 0 if is_number else 2)
        case ast.Div():
            return 2
        case _:
            raise ValueError(f"no rule for {type(op).__name__} of complex numbers")
