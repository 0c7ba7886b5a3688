"""What one formula of values says about a layer: its operations, what backward reads, and what that makes and drops.

A formula is a Python expression. Tensors have a letter, `x` (or `a` and `b`) what goes in, `y` what comes out, and `dy`
is the gradient that arrives; longer names are fields of the layer and numbers. Definitions may stand before it, as in
`s = sigmoid(x); dy*s*(1 + x*(1 - s))`.

Counting follows docs/conventions.md: each operation of the formula as written is one, what holds no tensor is free, and
so is a choice by `where`. Backward is torch's own (tools/autograd/derivatives.yaml, and the kernels that it names).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from archcost.layers.broadcasting import broadcast
from archcost.tensors import Tensors, TensorType

COUNTED = {"where": 0, "masked": 0, "sigmoid": 4, "floor_divide": 2, "trunc_divide": 2, "xlogy": 2, "xlog1py": 3}
"""Operations of a function that is none by itself: a choice is free, σ(x) is 1/(1 + exp(−x)), a quotient is rounded,
and so is what stands in one word for a product and a logarithm.
"""

SHOWN = (
    (" ** ", "^"),
    (" * ", "·"),
    (" / ", "/"),
    ("-", "−"),
    ("<=", "≤"),
    (">=", "≥"),
    ("!=", "≠"),
    ("==", "="),
    ("sigmoid", "σ"),
)
"""How people write what Python writes otherwise, in this order."""


LETTERS = "abc"
"""Of the inputs of a formula of several, in their order."""


class PairFormula(NamedTuple):
    """The result of a and b, or of a, b and c, and the gradient of each: expressions as this module reads them.

    A gradient "0" is a tensor of zeros like its input. `made` are the gradients as torch makes them, where it makes
    other tensors than the expressions have operations. `saved` are letters of what torch keeps whichever gradient is
    wanted: what the formulas of several read.
    """

    forward: str
    backward: tuple[str, ...]
    made: tuple[str, ...] | None = None
    saved: str = ""

    def __str__(self) -> str:
        gradients = [f"d{letter} = {written(text)}" for letter, text in zip(LETTERS, self.backward, strict=False)]
        return f"y = {written(self.forward)}; {', '.join(gradients)}"


@cache
def operations(formula: str) -> int:
    """How many a value."""
    return sum(_costs(formula))


@cache
def made_and_dropped(formula: str) -> int:
    """Tensors that torch makes beside the result where it runs one operator after the other. All of them are dropped
    when the expression is done: what is temporary in a C++ expression lives to its end.
    """
    return max(len(list(_costs(formula))) - 1, 0)


def tensors_made(formula: str, given: Mapping[str, TensorType]) -> Tensors:
    """The same tensors and the result, which comes last, of operands that differ: each is of the shape and dtype of its
    own operands together. A number among the arguments of a function is a tensor without axes; `mask(a, b)` is what
    holds of two, whatever was made and dropped on the way to it.
    """
    made: list[TensorType] = []

    def value(node: ast.AST) -> TensorType | None:
        match node:
            case ast.Name(id=name):
                return given.get(name)
            case ast.BinOp(left=left, right=right):
                operands: Sequence[ast.AST] = (left, right)
            case ast.Compare(left=left, comparators=[right]):
                operands = (left, right)
            case ast.UnaryOp(operand=operand):
                operands = (operand,)
            case ast.Call(func=ast.Name(id="conj"), args=[argument]):
                taken = value(argument)
                made.extend([taken] if taken is not None and taken.is_complex else [])  # the copy with signs turned
                return taken
            case ast.Call(args=arguments):
                operands = arguments
            case _:
                operands = ()
        tensors = [tensor for operand in operands if (tensor := value(operand)) is not None]
        if not tensors:
            return None
        result = broadcast(tuple(tensors))
        if isinstance(node, ast.Call) and any(isinstance(operand, ast.Constant) for operand in operands):
            made.append(TensorType((), result.dtype))
        made.append(result._replace(dtype="bool") if _is_mask(node) else result)
        return made[-1]

    value(ast.parse(formula, mode="eval").body)
    return tuple(made)


def _is_mask(node: ast.AST) -> bool:
    return isinstance(node, ast.Compare) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "mask"
    )


@cache
def read(formula: str) -> tuple[str, ...]:
    """What goes in or comes out and is read, beside the gradient that arrives: in the order x, a, b, c, y."""
    named = {node.id for node in ast.walk(ast.parse(formula)) if isinstance(node, ast.Name)}
    return tuple([name for name in ("x", "a", "b", "c", "y") if name in named])


def written(formula: str) -> str:
    """As people write it: `dy*(1 - y*y)` is dy·(1 − y²)."""
    text = ast.unparse(ast.parse(formula)).replace("\n", "; ")
    for python, shown in SHOWN:
        text = text.replace(python, shown)
    return re.sub(r"\b(\w)·\1\b(?!·)", r"\1²", text)


def _costs(formula: str) -> Iterator[int]:
    """What each operation costs that has a tensor among its operands."""
    for node in ast.walk(ast.parse(formula)):
        if any(isinstance(inner, ast.Name) and is_tensor(inner.id) for inner in ast.walk(node)):
            yield from _cost(node)


def is_tensor(name: str) -> bool:
    """`n` is a number, as torch has it."""
    return (len(name) == 1 and name != "n") or name == "dy"


def _cost(node: ast.AST) -> Iterator[int]:
    match node:
        case ast.BinOp(op=ast.Mult(), right=ast.Constant(value=1)):
            yield 0  # torch makes the product all the same
        case ast.BinOp() | ast.UnaryOp():
            yield 1
        case ast.Compare(ops=signs):
            yield len(signs)
        case ast.Call(func=ast.Name(id=name)):
            yield COUNTED.get(name, 1)
        case _:
            return
