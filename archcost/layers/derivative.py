"""What one formula of values says about a layer: its operations, what backward reads, and what that makes and drops.

A formula is a Python expression of `x` (or of `a` and `b`), of the result `y`, of the arriving gradient `dy`, and of
the layer's fields. Definitions may stand before it: `s = sigmoid(x); dy*s*(1 + x*(1 - s))`.

Counting follows docs/conventions.md: each operation of the formula as written is one, what holds no tensor is free, and
so is a choice by `where`. Backward is torch's own (tools/autograd/derivatives.yaml, and the kernels that it names).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

COUNTED = {"where": 0, "sigmoid": 4}
"""Operations of a function that is none by itself: a choice is free, σ(x) is 1/(1 + exp(−x))."""

TENSORS = frozenset(["x", "y", "dy", "a", "b"])


@cache
def operations(formula: str) -> int:
    """How many a value."""
    return sum(cost for cost in _costs(formula))


@cache
def made_and_dropped(formula: str) -> int:
    """Tensors that torch makes beside the result where it runs one operator after the other: it drops them together,
    when the expression is done (temporaries of a C++ expression live to its end).
    """
    return max(sum(cost > 0 for cost in _costs(formula)) - 1, 0)


@cache
def read(formula: str) -> tuple[str, ...]:
    """The tensors that it reads, but for the gradient that arrives: `x` before `y`, `a` before `b`."""
    named = {node.id for node in ast.walk(ast.parse(formula)) if isinstance(node, ast.Name)}
    return tuple([name for name in ("x", "a", "b", "y") if name in named])


def _costs(formula: str) -> Iterator[int]:
    """What each operation costs that has a tensor among its operands."""
    tensors = set(TENSORS)
    for statement in ast.parse(formula).body:
        assert isinstance(statement, (ast.Assign, ast.Expr))
        yield from (cost for node in ast.walk(statement.value) if _holds(node, tensors) for cost in _cost(node))
        if isinstance(statement, ast.Assign):
            tensors |= {target.id for target in statement.targets if isinstance(target, ast.Name)}


def _holds(node: ast.AST, tensors: set[str]) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id in tensors for inner in ast.walk(node))


def _cost(node: ast.AST) -> Iterator[int]:
    match node:
        case ast.BinOp() | ast.UnaryOp():
            yield 1
        case ast.Compare(ops=ops):
            yield len(ops)
        case ast.Call(func=ast.Name(id=name)):
            yield COUNTED.get(name, 1)
        case _:
            return
