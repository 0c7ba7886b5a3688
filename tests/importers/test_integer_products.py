"""Products of integers in a module, and by weights of few bits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from archcost.costs import ModelCost

ROWS, DEPTH, COLUMNS = 17, 64, 32


class WithWeight(nn.Module):
    """`function` of the input and of a buffer."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], weight: Tensor) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("weight", weight)
        self.weight: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.weight)


def codes(x: Tensor) -> Tensor:
    return (x * 8).to(torch.int8)


def cost_of(function: Callable[[Tensor, Tensor], Tensor], weight: Tensor) -> ModelCost:
    spec = archcost.from_torch(WithWeight(function, weight).eval(), torch.zeros(ROWS, DEPTH))
    return archcost.cost(archcost.build(spec, ROWS))


BYTES = torch.zeros(COLUMNS, DEPTH, dtype=torch.int8)

PRODUCTS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "_int_mm": (lambda x, w: torch._int_mm(codes(x), w.t()), "int32"),  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    "matmul": (lambda x, w: codes(x) @ w.t(), "int8"),
    "linear": (lambda x, w: functional.linear(codes(x), w), "int8"),
    "einsum": (lambda x, w: torch.einsum("bi,oi->bo", codes(x), w), "int8"),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_macs(name: str) -> None:
    function, dtype = PRODUCTS[name]
    cost = cost_of(function, BYTES)
    assert cost.macs == cost.integer_macs == ROWS * DEPTH * COLUMNS
    (product,) = [layer for layer in cost.layers if layer.type == "integer_matmul"]
    assert product.node.output_types[0].dtype == dtype
    assert cost.unknown == ()


def test_of_stacks() -> None:
    cost = cost_of(lambda x, w: torch.bmm(codes(x).unsqueeze(1), codes(x).unsqueeze(2)) + w.sum(), BYTES)
    assert cost.integer_macs == ROWS * DEPTH


def test_a_weight_of_eight_bits() -> None:
    """Multiplied as floats."""
    scales = torch.ones(COLUMNS)
    packed = torch.ops.aten._weight_int8pack_mm
    cost = cost_of(lambda x, w: packed(x, w, scales), BYTES)
    assert (cost.macs, cost.integer_macs, cost.unknown) == (ROWS * DEPTH * COLUMNS, 0, ())


def test_a_weight_of_four_bits() -> None:
    packed = torch.ops.aten._weight_int4pack_mm_for_cpu
    scales = torch.ones(DEPTH // 32, COLUMNS, 2)
    weight = torch.zeros(COLUMNS, DEPTH // 2, dtype=torch.uint8)
    cost = cost_of(lambda x, w: packed(x, w, 32, scales), weight)
    assert (cost.macs, cost.integer_macs, cost.unknown) == (ROWS * DEPTH * COLUMNS, 0, ())


def test_without_a_rule_it_is_not_known() -> None:
    """Never a zero in silence."""
    vector = torch.zeros(DEPTH, dtype=torch.int8)
    cost = cost_of(lambda x, w: codes(x).mv(w), vector)
    assert len(cost.unknown) == 1
