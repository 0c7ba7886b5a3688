"""In which order an optimizer has the parameters: by the layers, or as the spec says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from archcost.costs.timeline import timeline
from archcost.errors import SpecError
from archcost.graph.parameter_order import Owned, in_order, shortest_order
from archcost.pytorch.training import OPTIMIZERS
from tests.pytorch.foreign import peaks

OWNED = [
    Owned(layer, weight)
    for layer, weights in (("stem", "wb"), ("body.a", "w"), ("body.b", "wb"), ("body.a.gate", "w"), ("head", "wb"))
    for weight in weights
]
SPEC = """
name: three
input: [4, 2]
layers:
  - {type: linear, name: a.first, out_features: 3}
  - {type: linear, name: a.second, out_features: 5}
  - {type: linear, name: b, out_features: 7}
"""


def by(order: list[str]) -> str:
    return " ".join(f"{layer}.{weight}" for layer, weight in in_order(OWNED, order))


def test_names_take_what_no_name_before_them_took() -> None:
    assert by([]) == "stem.w stem.b body.a.w body.b.w body.b.b body.a.gate.w head.w head.b"
    assert by(["head", "body"]) == "head.w head.b body.a.w body.b.w body.b.b body.a.gate.w stem.w stem.b"
    assert by(["body.b.b", "body.b"]) == "body.b.b body.b.w stem.w stem.b body.a.w body.a.gate.w head.w head.b"
    assert by(["body.a"]) == "body.a.w body.a.gate.w stem.w stem.b body.b.w body.b.b head.w head.b"


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ([], ()),
        (["head"], ("head",)),
        (["body.b", "body.a"], ("body.b", "body")),
        (["head", "body", "stem.b"], ("head", "body", "stem.b")),
        (["stem"], ()),
    ],
)
def test_few_names_say_an_order(order: list[str], names: tuple[str, ...]) -> None:
    wanted = in_order(OWNED, order)
    assert shortest_order(OWNED, wanted) == names
    assert in_order(OWNED, names) == wanted


@pytest.mark.parametrize(
    ("order", "found", "hint"),
    [("[b, a.firts]", "a.firts", "a.first"), ("[a, a.first]", "a.first", None), ("[b.scale]", "b.scale", None)],
)
def test_a_name_of_nothing_is_refused(order: str, found: str, hint: str | None) -> None:
    spec = archcost.loads(f"{SPEC}parameter_order: {order}\n")
    with pytest.raises(SpecError, match="parameter_order names no parameter that was not named before") as caught:
        archcost.build(spec)
    assert (caught.value.found, caught.value.layer) == (found, "three")
    assert str(caught.value.place) == "<text>:8:1"
    if hint is not None:
        assert hint in str(caught.value.hint)


def test_the_network_built_has_them_in_order_by_layers_or_as_said() -> None:
    spec = archcost.loads(f"{SPEC}parameter_order: [b.bias, a.second]\n")
    assert archcost.loads(spec.to_yaml()) == spec
    names = [name for name, _ in archcost.pytorch.build(spec).named_parameters()]
    assert names == ["b.bias", "a.second.weight", "a.second.bias", "a.first.weight", "a.first.bias", "b.weight"]
    assert [f"{layer}.{weight}" for layer, weight in archcost.build(spec).parameters] == names


class Backwards(nn.Module):
    """Made in another order than it runs; a weight that two share, a frozen one, and one that nobody uses."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(16, 40, bias=False)
        self.unused = nn.Linear(3, 3)
        self.wide = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 16))
        self.scale = nn.Parameter(torch.ones(16))
        self.first = nn.Embedding(40, 16)
        self.frozen = nn.Linear(16, 16).requires_grad_(False)
        self.out.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.wide(self.frozen(self.first(x))) * self.scale)


class ComputedBias(nn.Module):
    """Its biases are layers of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(40, 40), nn.Linear(40, 40)

    def forward(self, x: Tensor) -> Tensor:
        first, second = torch.cat([self.a.bias, self.b.bias]).chunk(2)
        return functional.linear(functional.linear(x, self.a.weight, first), self.b.weight, second)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS.keys() & {"adam", "adafactor"}))
@pytest.mark.parametrize(
    ("module", "x"), [(Backwards(), torch.zeros(2, 3, dtype=torch.int64)), (ComputedBias(), torch.zeros(2, 40))]
)
def test_a_modules_own_order_is_kept(module: nn.Module, x: Any, optimizer: Any) -> None:
    spec = archcost.loads(archcost.from_torch(module, x).to_yaml())
    assert spec.parameter_order
    rebuilt = archcost.pytorch.build(spec)
    assert [each.shape for each in rebuilt.parameters()] == [each.shape for each in module.parameters()]
    run = archcost.Run(optimizer=optimizer)
    line = timeline(archcost.build(spec, batch=2), run, "cpu", out_of_place=True)
    worst = max(moment.peak for moment in line.moments if moment.phase == "optimizer")
    assert worst == peaks(module, {"x": x}, optimizer)["optimizer"] == peaks(rebuilt, {"x": x}, optimizer)["optimizer"]


def test_where_the_layers_have_the_modules_order_nothing_is_written() -> None:
    spec = archcost.from_torch(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)), torch.zeros(1, 3))
    assert "parameter_order" not in spec.to_dict()
