"""The formulas of functions of one value, held against torch: the values, and the gradient that autograd gives."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from archcost.layers.loss.pairs import PairLoss
from archcost.layers.value_function import ValueFunction
from archcost.pytorch.layers import FACTORIES
from tests.layers import every_row
from tests.layers.rows import Row

ROWS = [
    row
    for row in every_row()
    if isinstance(row.layer, ValueFunction)
    and row.input_types[0].is_floating
    and row.layer.type not in ("nan_to_num", "rrelu")
]
WORDS: dict[str, Any] = {
    **{name: getattr(torch.special, name) for name in dir(torch.special) if name.islower() and name[0] != "_"},
    **{name: getattr(torch, name) for name in dir(torch) if name.islower() and not name.startswith("_")},
    "where": lambda condition, x, y: torch.where(torch.as_tensor(condition), torch.as_tensor(x), torch.as_tensor(y)),
    "max": lambda x, bound: torch.clamp_min(x, bound) if not isinstance(bound, Tensor) else torch.maximum(x, bound),
    "min": lambda x, bound: torch.clamp_max(x, bound),
    "log": lambda x: torch.log(x) if isinstance(x, Tensor) else math.log(x),
    "pi": math.pi,
    "scale": 1.0507009873554805,  # SELU's, where its alpha is no field
    "alpha": 1.6732632423543772,
}


OF_POSITIVE_VALUES = frozenset(
    [
        *("log", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "logit", "pow"),
        *("entr", "ndtri", "erfinv", "lgamma", "digamma", "polygamma"),
    ]
)


def evaluated(formula: str, **given: Any) -> Tensor:
    """The value of the expression at the end, behind its definitions."""
    *definitions, last = ast.parse(_and_for_chains(formula)).body
    names = WORDS | given
    for each in definitions:
        exec(compile(ast.Module([each], []), "formula", "exec"), names)
    assert isinstance(last, ast.Expr)
    return torch.as_tensor(eval(compile(ast.Expression(last.value), "formula", "eval"), names))


def _and_for_chains(formula: str) -> str:
    """`0 < x < 6` is no comparison of tensors in Python."""

    class Chains(ast.NodeTransformer):
        def visit_Compare(self, node: ast.Compare) -> ast.AST:
            if len(node.ops) == 1:
                return node
            (first, second), (middle, last) = node.ops, node.comparators
            left, right = ast.Compare(node.left, [first], [middle]), ast.Compare(middle, [second], [last])
            return ast.BinOp(left, ast.BitAnd(), right)

    return ast.unparse(ast.fix_missing_locations(Chains().visit(ast.parse(formula))))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_values_and_gradient(row: Row) -> None:
    layer = row.layer
    assert isinstance(layer, ValueFunction)
    x = torch.linspace(0.05, 0.95, 19, dtype=torch.float64).requires_grad_()  # where every function has a value
    if layer.type == "acosh":
        x = (1 / x.detach() + 0.1).requires_grad_()
    elif layer.type not in OF_POSITIVE_VALUES:
        x = (torch.linspace(-0.95, 0.95, 20, dtype=torch.float64) * (4 if "hard" in layer.type else 1)).requires_grad_()
    if layer.type == "acosh":
        x = torch.linspace(1.05, 1.95, 19, dtype=torch.float64).requires_grad_()
    y = FACTORIES[layer.type](layer.model_copy(update={"inplace": False}), (x,))(x)
    dy = torch.linspace(1, 2, x.numel(), dtype=torch.float64)
    (expected,) = torch.autograd.grad(y, x, dy)
    fields = {name: value for name, value in layer.model_dump().items() if isinstance(value, float | int)}
    fields |= {"least": fields.pop("min", None), "most": fields.pop("max", None)}
    formula, x = layer.chosen(), x.detach()
    given = {**fields, "x": x, "y": y.detach(), "dy": dy, "d": 1 + x.abs(), "t": x.tanh()}
    torch.testing.assert_close(evaluated(formula.forward, **given).expand_as(x), y.detach(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(
        evaluated(formula.backward, **given).to(x.dtype).expand_as(x), expected, rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("row", [row for row in every_row() if isinstance(row.layer, PairLoss)], ids=str)
def test_losses_of_pairs(row: Row) -> None:
    """Each value's, and the gradients for a gradient of 1, torch's constant factors aside."""
    layer = row.layer.model_copy(update={"reduction": "none"})
    assert isinstance(layer, PairLoss)
    a = torch.linspace(0.05, 0.95, 19, dtype=torch.float64).requires_grad_()
    b = torch.linspace(0.9, 0.1, 19, dtype=torch.float64)
    if layer.type == "soft_margin":
        b = b.round() * 2 - 1
    b.requires_grad_(1 not in layer.untouched)
    p = torch.full_like(a, 3.0)
    weights = [torch.ones_like(a)] * (len(row.inputs) - 2 - bool(getattr(layer, "pos_weight", False)))
    weights += [p.detach()] if getattr(layer, "pos_weight", False) else []
    y = FACTORIES[layer.type](layer, (a,))(a, b, *weights)
    wanted = [tensor for tensor in (a, b) if tensor.requires_grad]
    expected = torch.autograd.grad(y.sum(), wanted)
    fields = {name: value for name, value in layer.model_dump().items() if isinstance(value, float)}
    given = {**fields, "a": a.detach(), "b": b.detach(), "p": p.detach(), "dy": torch.tensor(1.0)}
    formula, factor = layer.chosen(), 2 if layer.type == "mse" else 1
    torch.testing.assert_close(evaluated(formula.forward, **given), y.detach(), rtol=1e-6, atol=1e-7)
    for backward, gradient in zip(formula.backward, expected, strict=False):
        torch.testing.assert_close(factor * evaluated(backward, **given), gradient, rtol=1e-6, atol=1e-7)
