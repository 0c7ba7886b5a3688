"""Functions, modules and Functions that are layers of one's own: heard by where they lie, as the card says."""

from __future__ import annotations

import pickle
from collections.abc import Generator
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

import archcost
from archcost.errors import ArchcostError
from archcost.extend import (
    AS_GIVEN,
    Arity,
    Autograd,
    Call,
    Card,
    Contraction,
    Elementwise,
    Input,
    Layer,
    Number,
    Output,
    Placement,
    Proposal,
    Size,
    Stored,
    Tensors,
    TensorType,
    Weight,
    WeightedLayer,
    Work,
    register_layer,
    value_by_value,
)
from archcost.layers import own
from archcost.pytorch import verify


def card(torch: str | None, *calls: str) -> Card:
    return Card(
        torch=torch,
        calls=calls,
        onnx=None,
        autocast=AS_GIVEN,
        promotion="named",
        fvcore="macs",  # none, but of the mixer
        time="elementwise",
        blas=False,
    )


def swish(x: Tensor, beta: float = 1.0, *, gate: Tensor | None = None) -> Tensor:
    return x * torch.sigmoid(beta * x) * (1 if gate is None else gate)


class OwnSwish(Layer):
    type: Literal["own_swish"] = "own_swish"
    arity: ClassVar[Arity] = Arity(1, 2)
    card: ClassVar[Card] = card(f"{__name__}:swish", f"{__name__}.swish", f"{__name__}.SwishFunction")
    beta: Number = 1.0

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs[:1]

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(inputs[0].numel, 6, {0: 5}, "swish"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Input(0),), call.inputs)


class SwishFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: float) -> Tensor:
        ctx.save_for_backward(x)
        return swish(x, beta)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * x.sigmoid(), None


class Mixer(nn.Module):
    """A module that is one layer, whatever it calls."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.weight = nn.Parameter(torch.empty(heads, width, width))
        self.bias = nn.Parameter(torch.empty(width))
        nn.init.normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x @ weight for weight in self.weight]).sum(0) + self.bias


class OwnMixer(WeightedLayer):
    type: Literal["own_mixer"] = "own_mixer"
    card: ClassVar[Card] = card(None, f"{__name__}.Mixer")
    heads: Size = 2

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        width = inputs[0].shape[-1]
        return (Weight("weight", (self.heads, width, width)), Weight("bias", (width,)))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        macs = inputs[0].numel * self.heads * inputs[0].shape[-1]
        return (Contraction(macs), Elementwise(inputs[0].numel, 1, {"bias": 1}, "bias"))

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Input(0), Stored("weight")), call.inputs)


def mixer(layer: OwnMixer, inputs: tuple[Tensor, ...]) -> nn.Module:
    return Mixer(inputs[0].shape[-1], layer.heads)


@pytest.fixture(autouse=True)
def _registered() -> Generator[None]:
    register_layer(OwnSwish)
    register_layer(mirror=mixer)(OwnMixer)
    yield
    for type_ in ("own_swish", "own_mixer", "own_scaled"):
        own.forget(type_)


class Net(nn.Module):
    """Each of them once, and the function by a name of the class's own scope."""

    def __init__(self) -> None:
        super().__init__()
        self.mixer = Mixer(5, heads=3)
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = swish(self.mixer(x), 2)
        x = SwishFunction.apply(x, 0.5)
        return self.head(swish(x, gate=x))


def imported() -> archcost.ModelSpec:
    return archcost.from_torch(Net(), torch.zeros(1, 7, 5))


def test_each_is_one_layer() -> None:
    layers = [(layer.type, layer.name) for layer in imported().layers]
    expected = [
        ("own_mixer", "mixer"),
        *(("own_swish", f"own_swish{number}") for number in (1, 2, 3)),
        ("linear", "head"),
    ]
    assert layers == expected
    _, first, second, third, _ = imported().layers
    assert (first.beta, second.beta, third.beta) == (2.0, 0.5, 1.0)
    assert third.inputs == ("own_swish2", "own_swish2")


def test_their_numbers_are_theirs() -> None:
    cost = archcost.cost(archcost.build(imported(), 2))
    assert cost.parameters == 3 * 5 * 5 + 5 + 5 * 2 + 2
    assert cost.macs == 2 * 7 * 5 * 3 * 5 + 2 * 7 * 5 * 2
    assert cost.unknown == ()


def test_twice_is_the_same() -> None:
    spec = imported()
    assert imported() == spec == archcost.loads(spec.to_yaml())
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert swish.__module__ == __name__
    assert "forward" in vars(Mixer)
    assert not hasattr(swish, "__wrapped__")


def test_the_module_proves_it() -> None:
    net = Net()
    verification = verify(net, [torch.zeros(1, 7, 5)])
    assert verification.ok, str(verification)
    assert verify(imported()).ok


class Other(nn.Module):
    """Called in ways that the layer does not know: what it calls is heard instead."""

    def forward(self, x: Tensor) -> Tensor:
        return swish(x, beta=torch.ones((), device=x.device))


def test_a_call_that_is_no_such_layer_is_looked_into() -> None:
    spec = archcost.from_torch(Other(), torch.zeros(1, 3))
    assert "own_swish" not in {layer.type for layer in spec.layers}
    assert "sigmoid" in {layer.type for layer in spec.layers}
    (assumed,) = spec.assumptions
    assert assumed.startswith(
        f"{__name__}.swish is not read as own_swish: its rules give other shapes, dtypes or weights"
    )


def scaled(x: Tensor, by: tuple[int, int]) -> Tensor:
    return x * by[0] / by[1]


class Scaling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return scaled(x, (3, 2))


class OwnScaled(Layer):
    type: Literal["own_scaled"] = "own_scaled"
    card: ClassVar[Card] = card(None, f"{__name__}.scaled")
    factor: Number = 1.0

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(inputs[0].numel, 2, {0: 2}, "scaled"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Output(0),), call.inputs)


def proposal(result: Tensor, x: Tensor, by: tuple[int, int]) -> Proposal:
    return Proposal("own_scaled", (x,), {"factor": by[0] / by[1]})


@pytest.mark.parametrize("hook", [proposal, f"{__name__}:proposal"])
def test_a_call_with_a_rule_of_its_own(hook: Any) -> None:
    register_layer(call=hook)(OwnScaled)
    (layer,) = archcost.from_torch(Scaling(), torch.zeros(1, 3)).layers
    assert layer.factor == 1.5


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (lambda *given: 1 / 0, "call= of .*OwnScaled fails"),
        (lambda *given: "layer", "call= of .*OwnScaled gives no answer"),
        ("nowhere:rule", "call= of .*OwnScaled cannot be imported"),
    ],
)
def test_a_rule_that_fails_is_named(hook: Any, said: str) -> None:
    register_layer(call=hook)(OwnScaled)
    with pytest.raises(ArchcostError, match=said):
        archcost.from_torch(Scaling(), torch.zeros(1, 3))


def test_without_a_mirror_it_cannot_be_proven() -> None:
    register_layer(call=proposal)(OwnScaled)
    with pytest.raises(ArchcostError, match="nothing of torch is told for own_scaled"):
        verify(archcost.from_torch(Scaling(), torch.zeros(1, 3)))
