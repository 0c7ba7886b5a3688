"""Products of constants that forward makes, which torch works out in each forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from tests.importers.held import Holder, held

ones = torch.ones


def matmul(x: Tensor) -> Tensor:
    return torch.arange(5.0, device=x.device)[:, None] @ ones(1, 8)


def chain(x: Tensor) -> Tensor:
    return (torch.eye(5) @ ones(5, 5)).softmax(-1).mm(ones(5, 8))


def fresh(x: Tensor) -> Tensor:
    return nn.Linear(3, 8)(ones(5, 3)).detach()


def filled(x: Tensor) -> Tensor:
    y = ones(5, 3) @ ones(3, 8)
    y.add_(1)
    y[:, 0] = 0
    return y


@pytest.mark.parametrize(
    "made",
    [
        matmul,
        chain,
        fresh,
        filled,
        lambda x: torch.einsum("ik,kj->ij", ones(5, 3), ones(3, 8)),
        lambda x: torch.einsum("i,j->ij", ones(5), ones(8)),
        lambda x: torch.einsum("ik,kj,j->ij", ones(5, 3), ones(3, 8), ones(8)),
        lambda x: functional.linear(ones(5, 3), ones(8, 3), ones(8)),
        lambda x: functional.conv1d(ones(1, 2, 12), ones(5, 2, 5)),
        lambda x: functional.conv2d(ones(1, 2, 12, 4), ones(5, 2, 5, 4)).squeeze(-1),
        lambda x: functional.conv_transpose1d(ones(1, 2, 4), ones(2, 5, 5)),
        lambda x: torch.bmm(ones(3, 5, 2), ones(3, 2, 8))[0],
        lambda x: torch.baddbmm(ones(3, 5, 8), ones(3, 5, 2), ones(3, 2, 8))[0],
        lambda x: torch.addmm(ones(5, 8), ones(5, 2), ones(2, 8)),
        lambda x: torch.tensordot(ones(5, 3), ones(3, 8), 1),
        lambda x: torch.linalg.multi_dot([ones(5, 3), ones(3, 4), ones(4, 8)]),
        lambda x: torch.linalg.matrix_power(ones(8, 8), 3)[:5],
        lambda x: torch.dot(ones(8), ones(8)),
        lambda x: ones(8, 2) @ ones(2),
        lambda x: ones(len(x), 5, 2) @ ones(2, 8),
        lambda x: ones(5, 3).bfloat16() @ ones(3, 8).bfloat16(),
        lambda x: (ones(5, 3) @ ones(3, 8)).expand(len(x), 5, 8),
        lambda x: ones(5, 1) * ones(1, 8),  # nothing is summed
    ],
)
def test_a_product_is_counted(made: Callable[[Tensor], Tensor]) -> None:
    held(Holder(lambda m, x: m.f(x) + made(x), f=nn.Linear(8, 8)), torch.zeros(1, 5, 8), peak=False)


def test_attention_over_constants() -> None:
    """Torch counts it on the meta device alone: two products of 2 heads, 5 × 8 × 7."""

    def forward(m: Any, x: Tensor) -> Tensor:
        return m.f(x) + functional.scaled_dot_product_attention(ones(1, 2, 5, 8), *2 * [ones(1, 2, 7, 8)])[0, 0]

    spec = archcost.from_torch(Holder(forward, f=nn.Linear(8, 8)), torch.zeros(1, 5, 8))
    cost = archcost.cost(archcost.build(spec))
    assert cost.flops.forward.contraction == 2 * (5 * 8 * 8) + 2 * (2 * 2 * 5 * 8 * 7)


@pytest.mark.parametrize("use", ["nobody", "branch", "shape", "weight"])
def test_whoever_reads_it(use: str) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        product = ones(8, 3) @ ones(3, 8)
        if use == "weight":
            return functional.linear(m.f(x), product)
        if use == "branch" and float(product.sum()) != 3 * 8 * 8:
            return x
        return m.f(x).reshape(-1, product.shape[-1]) if use == "shape" else m.f(x)

    held(Holder(forward, f=nn.Linear(8, 8)), torch.zeros(1, 5, 8), peak=False)


def test_a_product_is_one_constant_less() -> None:
    """The sum reads what the product makes."""
    spec = archcost.from_torch(Holder(lambda m, x: m.f(x) + matmul(x), f=nn.Linear(8, 8)), torch.zeros(1, 5, 8))
    types = sorted(layer.type for layer in spec.layers)  # pyright: ignore
    assert types == ["add", "constant", "constant", "linear", "matmul"]


def test_a_large_product_takes_no_memory() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        return m.f(x) + (ones(200_000, 3) @ ones(3, 200_000))[:5, :8]

    spec = archcost.from_torch(Holder(forward, f=nn.Linear(8, 8)), torch.zeros(1, 5, 8))
    cost = archcost.cost(archcost.build(spec))
    assert cost.flops.forward.contraction == 2 * (5 * 8 * 8) + 2 * 200_000 * 3 * 200_000


@pytest.mark.parametrize("way", [lambda w, x: x * w, lambda w, x: x * (w * 2), lambda w, x: x * (w @ w)])
def test_a_parameter_in_a_list_is_refused(way: Callable[..., Tensor]) -> None:
    """Nobody would train it, but its gradient would be worked out."""
    hidden = [nn.Parameter(ones(8, 8))]
    module = Holder(lambda m, x: m.f(way(hidden[0], x)), f=nn.Linear(8, 8))
    with pytest.raises(archcost.ArchcostError, match="none of the module's parameters"):
        archcost.from_torch(module, torch.zeros(1, 8, 8))


def test_a_parameter_in_a_list_without_gradient() -> None:
    hidden = [nn.Parameter(ones(8, 8))]

    def forward(m: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = x * hidden[0]
        return m.f(y)

    held(Holder(forward, f=nn.Linear(8, 8)), torch.zeros(1, 8, 8), peak=False)
