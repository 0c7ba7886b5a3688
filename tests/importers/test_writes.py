"""Writes in place: what torch runs is played, and what its backward refuses is refused, as torch itself shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from archcost import ArchcostError
from archcost.costs.timeline import timeline
from tests.importers.held import Holder, tracked

Forward = Callable[[Any, Tensor], Any]


def quiet(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Autograd looks away in it."""
    return torch.no_grad()(function)


@quiet
def averaged(m: Any, h: Tensor) -> Tensor:
    return m.mean.mul_(0.9).add_(h.mean(0), alpha=0.1)


def average_then_use(m: Any, x: Tensor) -> Tensor:
    averaged(m, m.f(x))
    return m.g(m.f(x) * m.mean)


def average_without_no_grad(m: Any, x: Tensor) -> Tensor:
    m.mean.mul_(0.9).add_(m.f(x).mean(0).detach(), alpha=0.1)
    return m.g(m.f(x) - m.mean)


def average_copied(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        m.mean.copy_(0.9 * m.mean + 0.1 * m.f(x).mean(0))
    return m.g(m.f(x) * m.mean)


def average_after_a_sum(m: Any, x: Tensor) -> Tensor:
    return m.g(m.f(x) + m.mean) + 0 * averaged(m, x).sum()


def average_after_a_product(m: Any, x: Tensor) -> Tensor:
    """The product keeps what is then written over."""
    return m.g(m.f(x) * m.mean) + 0 * averaged(m, x).sum()


def average_after_a_product_by_data(m: Any, x: Tensor) -> Tensor:
    return m.g(m.f(x) * m.mean) + 0 * averaged_by_data(m).sum()


def averaged_by_data(m: Any) -> Tensor:
    return m.mean.data.mul_(0.9)


def data_copied_after_a_product(m: Any, x: Tensor) -> Tensor:
    return m.g(m.f(x) * m.mean) + 0 * m.mean.data.copy_(x.mean(0)).sum()


def activation_by_data(m: Any, x: Tensor) -> Tensor:
    return twice(m.f(x), m.g, lambda h: h.data.mul_(2))


def activation_by_detach(m: Any, x: Tensor) -> Tensor:
    return twice(m.f(x), m.g, lambda h: h.detach().mul_(2))


def activation_under_no_grad(m: Any, x: Tensor) -> Tensor:
    return twice(m.f(x), m.g, doubled)


@quiet
def doubled(h: Tensor) -> Tensor:
    return h.mul_(2)


def twice(h: Tensor, layer: nn.Module, write: Callable[[Tensor], Tensor]) -> Tensor:
    y = layer(h)
    write(h)
    return y


def detached_before_use(m: Any, x: Tensor) -> Tensor:
    return m.g(written_first(m.f(x)))


def written_first(h: Tensor) -> Tensor:
    h.detach().mul_(2)
    return h


def normalised_by_hand(m: Any, x: Tensor) -> Tensor:
    return m.g(standardised(m, m.f(x)))


def standardised(m: Any, h: Tensor) -> Tensor:
    mean = h.mean(0)
    with torch.no_grad():
        m.mean.mul_(0.9).add_(mean, alpha=0.1)
    return h - mean


def power_iteration(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        right = functional.normalize(m.w.t() @ m.u, dim=0)
        m.u.copy_(functional.normalize(m.w @ right, dim=0))
    sigma = m.u.clone().t() @ m.w @ right
    return functional.linear(x, m.w / sigma)


def power_iteration_without_a_clone(m: Any, x: Tensor) -> Tensor:
    sigma = m.u.t() @ m.w
    with torch.no_grad():
        m.u.copy_(functional.normalize(m.w.sum(1, keepdim=True), dim=0))
    return functional.linear(x, m.w / sigma.sum())


def weight_written_before(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        m.w.copy_(functional.normalize(m.w, dim=1))
    return functional.linear(m.f(x), m.w)


def weight_row_written_before(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        m.w[0] = 0
        m.w[:, 1].mul_(2)
    return functional.linear(m.f(x), m.w)


def weight_scaled_before(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        m.w.mul_(0.99)
    return functional.linear(m.f(x), m.w)


def weight_clamped_after(m: Any, x: Tensor) -> Tensor:
    return twice_by(m, m.f(x))


@quiet
def clamped(m: Any) -> Tensor:
    return m.w.clamp_(-1, 1)


def twice_by(m: Any, h: Tensor) -> Tensor:
    y = functional.linear(h, m.w)
    clamped(m)
    return y


def weight_clamped_after_the_first(m: Any, x: Tensor) -> Tensor:
    """Nobody asks for the input's gradient, so the weight is not kept."""
    return twice_by(m, x)


def weight_clamped_after_by_data(m: Any, x: Tensor) -> Tensor:
    y = functional.linear(m.f(x), m.w)
    m.w.data.clamp_(-1, 1)
    return y


def cache_filled(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        m.cache[:1] = x[:1]
    return m.g(m.f(x)) + m.cache.sum(0)


def queue(m: Any, x: Tensor) -> Tensor:
    y = m.f(x) @ m.cache.clone().t()
    with torch.no_grad():
        m.cache[:1] = x[:1]
    return y


def queue_without_a_clone(m: Any, x: Tensor) -> Tensor:
    y = m.f(x) @ m.cache.t()
    with torch.no_grad():
        m.cache[:1] = x[:1]
    return y


def codebook(m: Any, x: Tensor) -> Tensor:
    return m.g(quantised(m, m.f(x)))


def quantised(m: Any, h: Tensor) -> Tensor:
    nearest = functional.one_hot((h.detach() @ m.cache.t()).argmax(1), 3).float()
    found = nearest @ m.cache
    with torch.no_grad():
        m.count.mul_(0.9).add_(nearest.sum(0), alpha=0.1)
        m.sums.mul_(0.9).add_(nearest.t() @ h, alpha=0.1)
        m.cache.copy_(m.sums / m.count[:, None])
    return h + (found - h).detach()


def relu_on_a_sigmoid(m: Any, x: Tensor) -> Tensor:
    return m.g(functional.relu_(m.f(x).sigmoid()))


def dropout_on_a_relu(m: Any, x: Tensor) -> Tensor:
    return m.g(functional.dropout(m.f(x).relu(), 0.5, True, inplace=True))


def masked_softmax(m: Any, x: Tensor) -> Tensor:
    return m.g(quietly_masked(m.f(x).softmax(1)))


@quiet
def quietly_masked(a: Tensor) -> Tensor:
    a[:, 0] = 0
    return a


def through_a_view(m: Any, x: Tensor) -> Tensor:
    return m.g(seen_and_written(m.f(x).exp()))


def seen_and_written(y: Tensor) -> Tensor:
    with torch.no_grad():
        y.view(-1).add_(1)
    return y


def no_gradient_is_asked_for(m: Any, x: Tensor) -> Tensor:
    """The sigmoid's backward never comes, so nobody looks at what it kept."""
    return m.g(x) + quiet_square(m.f(x).sigmoid())


@quiet
def quiet_square(t: Tensor) -> Tensor:
    t.mul_(2)
    return t.argmax(1, keepdim=True)


def into_a_buffer(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        torch.mul(m.mean, 0.9, out=m.mean)
    return m.g(m.f(x) * m.mean)


def into_a_new_tensor(m: Any, x: Tensor) -> Tensor:
    return m.g(m.f(x) * squared_into(x, torch.empty(x.shape[0], 5)))


@quiet
def squared_into(x: Tensor, out: Tensor) -> Tensor:
    return torch.mul(x, x, out=out)


def into_a_list_of_places(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        m.sums.index_add_(0, m.order, m.cache.data[:2].clone())
    return m.g(m.f(x)) + m.sums.sum(0)


FORWARDS: tuple[Forward, ...] = tuple(
    function
    for name, function in list(globals().items())
    if getattr(function, "__module__", "") == __name__
    and getattr(function, "__code__", None) is not None
    and function.__code__.co_varnames[:2] == ("m", "x")
    and name != "quiet"
)
"""Of x (B, 5), with linear layers f and g (5 → 5), a trained w (5, 5), and buffers."""


def parts() -> dict[str, Any]:
    return {
        "f": nn.Linear(5, 5),
        "g": nn.Linear(5, 5),
        "w": nn.Parameter(torch.eye(5)),
        "mean": torch.zeros(5),
        "u": torch.ones(5, 1),
        "cache": torch.ones(3, 5),
        "sums": torch.ones(3, 5),
        "count": torch.ones(3),
        "order": torch.tensor([2, 0]),
    }


def runs(module: nn.Module, x: Tensor) -> bool:
    """Whether torch's backward takes what forward did."""
    result = module(x).sum()
    try:
        result.backward()
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        return False
    return True


@pytest.mark.parametrize("forward", FORWARDS, ids=lambda each: each.__name__)
def test_what_torch_runs_is_played_and_what_it_refuses_is_refused(forward: Forward) -> None:
    x = torch.ones(2, 5)
    spec = archcost.loads(archcost.from_torch(Holder(forward, **parts()), x).to_yaml())
    graph, run = archcost.build(spec, batch=2), archcost.Run(optimizer="none")
    if not runs(Holder(forward, **parts()), x):
        with pytest.raises(ArchcostError, match="which torch refuses"):
            timeline(graph, run, "cpu", out_of_place=True)
        assert not runs(archcost.pytorch.build(spec), x)
        return
    assert runs(archcost.pytorch.build(spec), x)
    assert timeline(graph, run, "cpu", out_of_place=True).peak == tracked(Holder(forward, **parts()), (x,), {})


def test_gradients_are_asked_for_as_before() -> None:
    """In bfloat16 this forward fails, within a no_grad."""

    def forward(m: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            m.count.scatter_add_(0, m.order, torch.ones(2))
            m.mean.add_(1)
        return m.f(x)

    archcost.from_torch(Holder(forward, **parts()), torch.ones(2, 5))
    assert torch.is_grad_enabled()


def test_autocast_is_as_before() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return m.f(x) + m.g(x)

    archcost.from_torch(Holder(forward, **parts()), torch.ones(2, 5))
    assert not torch.is_autocast_enabled("cpu")


def test_both_are_met() -> None:
    ran = [runs(Holder(forward, **parts()), torch.ones(2, 5)) for forward in FORWARDS]
    assert len(ran) >= 32
    assert 9 <= ran.count(False) <= len(ran) // 2
