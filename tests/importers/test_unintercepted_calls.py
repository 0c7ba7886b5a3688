"""Calls that no mode hears by itself: scripted and compiled functions, torch.vmap; and gradients taken in forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from tests.importers.held import Holder, held


@torch.jit.script
def multiplied(x: Tensor, weight: Tensor):
    for _ in range(2):
        x = torch.relu(torch.mm(x, weight)) * 2.0
    return x


@torch.jit.script
def gelu(x: Tensor, bias: Tensor):
    y = x + bias
    return y * 0.5 * (1.0 + torch.erf(y / 1.41421))


@torch.jit.script
def centred(x: Tensor):
    return (x - x.mean()) / (x.std() + 1e-5)


@torch.jit.script
def cut(x: Tensor):
    return x * x.detach()


traced: Any = torch.jit.trace(lambda x: (x @ torch.ones(5, 5)).tanh(), torch.zeros(2, 5))


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.f(multiplied(x, m.w)),
        lambda m, x: m.f(gelu(functional.linear(x, m.w), m.f.weight[0])),
        lambda m, x: m.f(centred(x)),
        lambda m, x: traced(m.f(x)),
    ],
)
def test_a_scripted_function(forward: Callable[..., Tensor]) -> None:
    module = Holder(forward, f=nn.Linear(5, 5), w=nn.Parameter(torch.ones(5, 5)))
    for _ in range(3):  # an optimised function takes its arguments apart from autograd
        held(module, torch.zeros(1, 5), peak=False)


def test_a_scripted_function_is_as_it_was() -> None:
    before = torch._C.ScriptFunction.__call__  # pyright: ignore
    archcost.from_torch(Holder(lambda m, x: m.f(centred(x)), f=nn.Linear(5, 5)), torch.zeros(1, 5))
    assert torch._C.ScriptFunction.__call__ is before  # pyright: ignore


def test_a_scripted_function_that_detaches_is_refused() -> None:
    with pytest.raises(archcost.ArchcostError, match="a scripted function detaches tensors") as caught:
        archcost.from_torch(Holder(lambda m, x: cut(m.f(x)), f=nn.Linear(5, 5)), torch.zeros(1, 5))
    assert (caught.value.found, caught.value.place and caught.value.place.file) == ("cut", __file__)


def test_a_compiled_function_runs_as_python() -> None:
    compiled: Any = torch.compile(lambda x, weight: torch.relu(x @ weight))  # pyright: ignore
    module = Holder(lambda m, x: compiled(m.f(x), m.w), f=nn.Linear(5, 5), w=nn.Parameter(torch.ones(5, 5)))
    spec = archcost.from_torch(module, torch.zeros(1, 5))
    assert archcost.cost(archcost.build(spec, 3)).macs == 2 * 3 * 5 * 5


def ensemble(m: Any, x: Tensor) -> Tensor:
    base = nn.Linear(5, 3, device="meta")
    weights = {"weight": m.weights, "bias": m.biases}
    return torch.vmap(lambda w, x: torch.func.functional_call(base, w, (x,)), in_dims=(0, None))(weights, x)


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: torch.vmap(m.f)(x),
        lambda m, x: torch.vmap(lambda row: torch.relu(m.w @ row))(x[:, 0]),
        lambda m, x: torch.vmap(lambda row: m.f(row).tanh(), out_dims=1)(x),
        lambda m, x: torch.vmap(lambda a, b: a @ b.T)(m.f(x), x),
        lambda m, x: torch.vmap(torch.vmap(lambda row: row * m.w.sum()))(m.f(x)),
        lambda m, x: m.f(torch.vmap(lambda row: row + torch.zeros(5))(x)),
    ],
)
def test_vmap(forward: Callable[..., Tensor]) -> None:
    module = Holder(forward, f=nn.Linear(5, 5), w=nn.Parameter(torch.ones(5, 5)))
    held(module, torch.zeros(1, 4, 5), peak=False)


def test_an_ensemble_by_vmap() -> None:
    parts = {"weights": nn.Parameter(torch.ones(7, 3, 5)), "biases": nn.Parameter(torch.ones(7, 3))}
    spec = archcost.from_torch(Holder(ensemble, f=nn.Linear(5, 5), **parts), torch.zeros(1, 5))
    graph = archcost.build(spec, 2)
    cost = archcost.cost(graph)
    assert (cost.macs, cost.unknown) == (7 * 2 * 5 * 3, ())
    assert [kind.shape for kind in graph.returned] == [(7, 2, 3)]


def energy(m: Any, x: Tensor) -> Tensor:
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(m.f(x).tanh().sum(), x, create_graph=True)
    return gradient


def stepped(m: Any, x: Tensor) -> Tensor:
    y = m.f(x)
    y.sum().backward()
    return y


@pytest.mark.parametrize(
    "forward",
    [
        energy,
        stepped,
        lambda m, x: torch.func.grad(lambda y: m.f(y).tanh().sum())(x),
        lambda m, x: torch.func.vmap(torch.func.jacrev(lambda y: m.f(y).tanh()))(x),
        lambda m, x: torch.func.jvp(lambda y: m.f(y).tanh(), (x,), (torch.ones_like(x),))[1],
        lambda m, x: torch.autograd.functional.jacobian(lambda y: m.f(y).tanh(), x, create_graph=True),
    ],
)
def test_gradients_in_forward_are_refused(forward: Callable[..., Tensor]) -> None:
    with pytest.raises(archcost.ArchcostError, match="forward takes gradients of its own") as caught:
        archcost.from_torch(Holder(forward, f=nn.Linear(5, 5)), torch.zeros(1, 5))
    assert caught.value.place is not None
    assert caught.value.place.file == __file__
