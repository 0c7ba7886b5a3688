"""FLOPs of opaque operators by formulas that others registered with torch's counter."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
import torch
from fused_attention import kernels
from torch import Tensor, nn
from torch.utils.flop_counter import flop_registry, register_flop_formula

import archcost
from archcost.extend import register_layer
from archcost.layers import own
from archcost.pytorch import verify

OPERATOR, BACKWARD = torch.ops.fused_attention.attend, torch.ops.fused_attention.attend_backward


@pytest.fixture(autouse=True)
def _without_formulas() -> Generator[None]:
    """And without the layer, which other tests of this process may have registered."""
    known = own.registered().get("attend")
    own.forget("attend")
    yield
    if known is not None:
        register_layer(known.kind)
    for operator in (OPERATOR, BACKWARD):
        flop_registry.pop(operator, None)


def told(operator: Any, formula: Callable[..., Any], **how: Any) -> None:
    register_flop_formula(operator, **how)(formula)


def pairs(query: Any, key: Any, *others: Any, **named: Any) -> int:
    samples, heads, rows, width = query
    return 4 * samples * heads * rows * key[2] * width


def back(gradient: Any, *operands: Any, **named: Any) -> int:
    samples, heads, rows, width = gradient
    return 10 * samples * heads * rows * rows * width


def imported() -> archcost.ModelSpec:
    return archcost.from_torch(kernels.Block(), torch.zeros(1, 10, 64))


def opaque(spec: archcost.ModelSpec, batch: int = 1) -> dict[str, Any]:
    layers = archcost.cost(archcost.build(spec, batch)).to_dict()["layers"]
    return next(layer for layer in layers if layer["type"] == "opaque")


SCORES = 4 * 10 * 10 * 16
"""MACs of one product of a sample: 4 heads of 10 × 10 pairs of 16 features."""


def test_without_one_it_is_unknown() -> None:
    layer = opaque(imported())
    assert (layer["macs"], layer["flops"]["forward"]["contraction"]) == (None, None)


@pytest.mark.parametrize("batch", [1, 5])
def test_forward_alone(batch: int) -> None:
    told(OPERATOR, pairs)
    spec = imported()
    cost = archcost.cost(archcost.build(spec, batch))
    layer = opaque(spec, batch)
    assert (layer["macs"], layer["flops"]["forward"]["contraction"]) == (2 * batch * SCORES, 4 * batch * SCORES)
    assert layer["flops"]["backward_input"]["contraction"] is None
    assert cost.unknown == ("opaque1",)
    assert "its author's formula (torch.utils.flop_counter), forward\n  alone" in str(cost)
    assert verify(kernels.Block(), [torch.zeros(1, 10, 64)]).ok


@pytest.mark.parametrize("batch", [1, 5])
def test_forward_and_backward(batch: int) -> None:
    told(OPERATOR, pairs)
    told(BACKWARD, back)
    spec = imported()
    cost = archcost.cost(archcost.build(spec, batch))
    layer = opaque(spec, batch)
    assert cost.unknown == ()
    assert layer["flops"]["backward_input"]["contraction"] == 10 * batch * SCORES
    assert verify(kernels.Block(), [torch.zeros(1, 10, 64)]).ok
    assert "its author's formula" in " ".join(str(archcost.timeline(archcost.build(spec, batch))).split())
    assert archcost.loads(spec.to_yaml()) == spec


def test_raw_formulas_get_tensors() -> None:
    def formula(query: Tensor, *others: Any, out_val: Any, **named: Any) -> int:
        assert isinstance(out_val[0], Tensor)
        return 3 * query.numel()

    told(OPERATOR, formula, get_raw=True)
    assert opaque(imported(), 2)["flops"]["forward"]["contraction"] == 3 * 2 * 10 * 64


def test_an_odd_number_is_no_whole_number_of_macs() -> None:
    told(OPERATOR, lambda *shapes, **named: 7)
    layer = opaque(imported(), 2)
    assert (layer["macs"], layer["flops"]["forward"]) == (3, {"contraction": 6, "elementwise": 1})


def test_squares_of_the_batch() -> None:
    told(OPERATOR, lambda query, *others, **named: 2 * query[0] ** 2 + 4 * query[0] + 6)
    assert opaque(imported(), 5)["macs"] == 25 + 10 + 3


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        (lambda query, *others, **named: query[0] ** 3, "no polynomial in the batch"),
        (lambda query, *others, **named: 1000 - query[0], "its formula gives -9, which is no number|fewer FLOPs"),
        (lambda query, *others, **named: 2.5, "its formula gives 2.5, which is no number of FLOPs"),
        (lambda query, *others, **named: 1 // 0, "its formula fails .ZeroDivisionError"),
    ],
)
def test_a_formula_that_cannot_be_used_is_named(formula: Callable[..., Any], said: str) -> None:
    told(OPERATOR, formula)
    spec = imported()
    assert opaque(spec)["macs"] is None
    (assumed,) = spec.assumptions
    assert assumed.startswith("nothing is told by the author of fused_attention::attend: ")
    assert any(part in assumed for part in said.replace(".Z", "(Z").split("|"))


class Summed(nn.Module):
    """Results of which none grows with the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.own_formulas.summed(x)


@torch.library.custom_op("own_formulas::summed", mutates_args=())
def summed(x: Tensor) -> Tensor:
    return x.sum(0)


@summed.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x[0])


def test_what_does_not_grow_has_no_formula_of_the_batch() -> None:
    told(torch.ops.own_formulas.summed, lambda x, **named: 2 * x[0])
    spec = archcost.from_torch(Summed(), torch.zeros(1, 3))
    assert opaque(spec)["macs"] is None
    assert spec.assumptions == (
        "nothing is told by the author of own_formulas::summed: what it makes does not grow with the batch",
    )
