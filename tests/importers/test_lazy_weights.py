"""Modules whose weights come with their first run, and modules that change themselves while they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

import archcost
from tests.importers.held import Holder, held


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3)), (3, 8, 8)),
        (lambda: nn.Sequential(nn.LazyConv1d(4, 3, bias=False), nn.LazyBatchNorm1d(), nn.ReLU()), (3, 8)),
        (lambda: nn.Sequential(nn.LazyConvTranspose2d(4, 2), nn.LazyConv2d(5, 2)), (3, 5, 5)),
        (lambda: nn.Sequential(nn.Linear(8, 7), nn.Tanh(), nn.LazyLinear(3)), (8,)),
    ],
)
def test_a_lazy_module_is_read_as_after_a_run(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    """And it stays as lazy as it was."""
    module, ran = make(), make()
    example = torch.zeros(2, *shape)
    spec = archcost.from_torch(module, example)
    assert any(is_lazy(each) for each in module.parameters())
    ran(torch.randn(2, *shape))
    assert held(ran, example) == spec


def test_a_large_lazy_module_has_no_values() -> None:
    module = nn.Sequential(nn.LazyLinear(200_000), nn.LazyLinear(200_000))
    spec = archcost.from_torch(module, torch.zeros(1, 5))
    assert archcost.cost(archcost.build(spec)).parameters == 5 * 200_000 + 200_000 * 200_000 + 2 * 200_000


def by_hand(m: Any, x: Tensor) -> Tensor:
    if not hasattr(m, "w"):
        m.w = nn.Parameter(torch.randn(3, x.shape[-1]))
        m.after = nn.Linear(3, 2)
        m.register_buffer("shift", torch.ones(3))
    return m.after(x @ m.w.t() + m.shift)


def test_weights_made_by_hand_in_the_first_run() -> None:
    module = Holder(by_hand)
    spec = archcost.from_torch(module, torch.zeros(1, 5))
    assert not module.state_dict()
    module(torch.zeros(1, 5))
    assert held(module, torch.zeros(1, 5)) == spec


def test_buffers_made_in_forward_are_buffers_afterwards() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.f(x)
        m.register_buffer("last", y.detach().mean(0))
        return y + m.last

    spec = archcost.from_torch(Holder(forward, f=nn.Linear(5, 3)), torch.zeros(1, 5))
    assert archcost.cost(archcost.build(spec, 4)).buffers == 3


def test_a_buffer_of_the_samples_is_no_state() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        m.register_buffer("rows", torch.arange(len(x), dtype=x.dtype)[:, None])
        return m.f(x) + m.rows

    spec = archcost.from_torch(Holder(forward, f=nn.Linear(5, 3)), torch.zeros(1, 5))
    assert archcost.cost(archcost.build(spec, 4)).buffers == 0


def test_a_part_that_goes_with_the_first_run() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        if hasattr(m, "once"):
            del m.once
        return m.f(x)

    module = Holder(forward, f=nn.Linear(5, 3), once=nn.Linear(3, 3))
    spec = archcost.from_torch(module, torch.zeros(1, 5))
    assert "once.weight" in module.state_dict()
    assert archcost.cost(archcost.build(spec)).parameters == 5 * 3 + 3


def test_parts_that_change_places() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        m.f, m.g = m.g, m.f
        return m.f(x)

    held(Holder(forward, f=nn.Linear(5, 3), g=nn.Linear(5, 3)), torch.zeros(1, 5))


def replaced(m: Any, x: Tensor) -> Tensor:
    m.f = nn.Linear(5, 3)
    return m.f(x)


def wrapped(m: Any, x: Tensor) -> Tensor:
    m.f.weight = nn.Parameter(m.f.weight * 0.9)
    return m.f(x)


def appended(m: Any, x: Tensor) -> Tensor:
    m.more.append(nn.Linear(5, 5))
    for each in m.more:
        x = each(x)
    return m.f(x)


@pytest.mark.parametrize("forward", [replaced, wrapped, appended])
def test_weights_that_every_run_makes_are_refused(forward: Any) -> None:
    module = Holder(forward, f=nn.Linear(5, 3), more=nn.ModuleList())
    with pytest.raises(archcost.ArchcostError, match="none of the module's parameters") as caught:
        archcost.from_torch(module, torch.zeros(1, 5))
    place = caught.value.place
    assert place is not None
    first = forward.__code__.co_firstlineno
    assert place.file == __file__
    assert first < place.line <= first + 4


def renamed(m: Any, x: Tensor) -> Tensor:
    m.runs = getattr(m, "runs", 0) + 1
    m.register_buffer(f"kept{m.runs}", torch.zeros(3))
    return m.f(x)


def test_weights_under_new_names_in_every_run_are_refused() -> None:
    with pytest.raises(archcost.ArchcostError, match="forward makes or drops weights") as caught:
        archcost.from_torch(Holder(renamed, f=nn.Linear(5, 3)), torch.zeros(1, 5))
    assert caught.value.found == "kept2"


def changed(m: Any, x: Tensor) -> Tensor:
    m.kept.append(m.f(x))
    m.forward = lambda x: x * 3
    m.extra = nn.ReLU()
    m.__class__ = type("Other", (Holder,), {})
    m.register_forward_hook(lambda m, arguments, result: result * 2)
    m.eval()
    m.requires_grad_(False)
    return m.kept[-1]


def test_a_module_that_changes_itself_is_left_as_it_was() -> None:
    module = Holder(changed, f=nn.Linear(5, 3))
    kept: list[Tensor] = []
    module.kept = kept  # pyright: ignore[reportAttributeAccessIssue]
    spec = archcost.from_torch(module, torch.zeros(1, 5))
    assert [layer.type for layer in spec.layers] == ["linear", "scale"]  # pyright: ignore
    assert (type(module), module.training, kept) == (Holder, True, [])
    assert not module._forward_hooks  # pyright: ignore[reportPrivateUsage]
    assert list(dict(module.named_modules())) == ["", "f"]  # pyright: ignore
    assert "forward" not in vars(module)


class RaisingError(Exception):
    pass


def raising(m: Any, x: Tensor) -> Tensor:
    m.f(x)
    raise RaisingError("not today")


def leaving(m: Any, x: Tensor) -> Tensor:
    raise SystemExit(3)


def endless(m: Any, x: Tensor) -> Tensor:
    return m(x)


@pytest.mark.parametrize(
    ("forward", "found"),
    [
        (raising, "RaisingError: 'not today'"),
        (leaving, "SystemExit: '3'"),
        (endless, "RecursionError: 'maximum recursion depth exceeded'"),
    ],
)
def test_a_forward_that_fails(forward: Any, found: str) -> None:
    """One message, which ends in the user's line."""
    with pytest.raises(archcost.ArchcostError, match="forward fails") as caught:
        archcost.from_torch(Holder(forward, f=nn.Linear(5, 3)), torch.zeros(1, 5))
    assert caught.value.found is not None
    assert caught.value.found.startswith(found)
    assert caught.value.place is not None
    assert caught.value.place.file.endswith(("test_lazy_weights.py", "held.py"))


def test_a_forward_that_prints(capsys: pytest.CaptureFixture[str]) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        print(x, x.shape, m.f.weight)
        return m.f(x)

    held(Holder(forward, f=nn.Linear(5, 3)), torch.zeros(1, 5))
    assert "size=(1009, 5)" in capsys.readouterr().out
