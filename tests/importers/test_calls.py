"""What is written with functionals, operators, views, slices, indices and in-place operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.importers.held import Holder, held

Forward = Callable[[Any, Tensor], Any]


def on(*shape: int) -> Tensor:
    return torch.zeros(1, *shape)


def written_over(m: Any, x: Tensor) -> Tensor:
    y = m.f(x)
    y[:, 0] = m.g(x)[:, 1]
    return y * 2


def filled(m: Any, x: Tensor) -> Tensor:
    y = m.f(x)
    y[:, 1:3] = 0.0
    return y.exp()


def added_in_place(m: Any, x: Tensor) -> Tensor:
    y = m.f(x)
    y += m.g(x)
    return y


def scaled_in_place(m: Any, x: Tensor) -> Tensor:
    y = m.f(x)
    y *= 3
    return y.add_(1).relu_()


def through_a_view_of_all(m: Any, x: Tensor) -> Tensor:
    """Nobody reads what it is a view of."""
    return m.h(functional.silu(m.f(x).view(-1, 7, 1).transpose(1, 2), inplace=True)[:, 0])


def seen_through_a_view_of_all(m: Any, x: Tensor) -> Tensor:
    y = m.f(x)
    y.view(-1, 7, 1).mul_(3)
    return m.h(y)


def through_a_view(m: Any, x: Tensor) -> Tensor:
    y = m.f(x)
    y[:, :2].add_(m.g(x)[:, :2])
    return m.h(y)


def into_zeros(m: Any, x: Tensor) -> Tensor:
    y = torch.zeros(x.shape[0], 7)
    y[:, 2] = m.f(x)[:, 2]
    return m.h(y)


def without_gradients(m: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        scale = m.g(x).sigmoid()
    return m.f(x) * scale


def in_chunks(m: Any, x: Tensor) -> Tensor:
    a, b = m.f(x)[:, :6].chunk(2, dim=1)
    return a * b.sigmoid()


def split_up(m: Any, x: Tensor) -> Tensor:
    a, b, c = m.f(x).split([1, 4, 2], dim=1)
    return torch.cat([c, a, b.tanh()], dim=1)


def unbound(m: Any, x: Tensor) -> Tensor:
    steps = m.f(x).view(-1, 7, 1).unbind(1)
    total = steps[0]
    for step in steps[1:]:
        total = total + step
    return total


def counted_down(m: Any, x: Tensor) -> Tensor:
    for _ in range(3):
        x = m.f(x)[:, :5]
    return x


def branching(m: Any, x: Tensor) -> Tensor:
    return m.f(x) if x.shape[1] == 5 else m.h(x)


def picked(m: Any, x: Tensor) -> Tensor:
    return m.f(x)[:, torch.tensor([0, 3, 3])]


def picked_by_buffer(m: Any, x: Tensor) -> Tensor:
    return m.f(x)[:, m.order]


def by_einsum(m: Any, x: Tensor) -> Tensor:
    return torch.einsum("bi,oi->bo", x, m.f.weight)


def arithmetic(m: Any, x: Tensor) -> Tensor:
    return m.f(x) + m.g(x) - m.f(x) * m.g(x) / (m.g(x).abs() + 1)


FORWARDS: Sequence[Forward] = (
    written_over,
    filled,
    added_in_place,
    scaled_in_place,
    through_a_view_of_all,
    seen_through_a_view_of_all,
    through_a_view,
    into_zeros,
    without_gradients,
    in_chunks,
    split_up,
    unbound,
    counted_down,
    branching,
    picked,
    picked_by_buffer,
    lambda m, x: m.f(x)[:, ::2],
    lambda m, x: m.f(x)[:, 1:6:3],
    lambda m, x: m.f(x)[:, None],
    lambda m, x: m.f(x)[..., None, 2:],
    lambda m, x: m.f(x)[..., 3],
    lambda m, x: x @ m.f.weight.t(),
    lambda m, x: functional.linear(x, m.f.weight),
    by_einsum,
    arithmetic,
    lambda m, x: 1 - m.f(x).sigmoid() ** 2,
    lambda m, x: functional.gelu(m.f(x)).softmax(-1),
    lambda m, x: m.h(m.f(x).view(x.size(0), 7)),
    lambda m, x: m.h(m.f(x).reshape(-1, 7)),
    lambda m, x: m.f(x).unflatten(1, (7, 1)).transpose(1, 2).flatten(1),
    lambda m, x: torch.stack([m.f(x), m.g(x)], dim=1).mean(1),
    lambda m, x: m.f(x).masked_fill(m.g(x) > 0, -1.0),
    lambda m, x: torch.where(m.f(x) > 0, m.f(x), m.g(x)),
    lambda m, x: m.f(x).roll(2, 1).flip(1),
    lambda m, x: m.f(x).topk(2, dim=1).values,
    lambda m, x: functional.normalize(m.f(x), dim=-1),
    lambda m, x: m.f(x).clamp(-1, 1).cumsum(1),
    lambda m, x: functional.pad(m.f(x), (1, 2)),
    lambda m, x: functional.dropout(m.f(x), 0.3, training=m.training),
)
"""Of x (B, 5), with linear layers f and g (5 → 7) and h (7 → 3), and `order`, a buffer of indices."""


OFF = {
    counted_down: 28,  # torch adds up the gradients of a shared bias before those of the weight, 7 * 4 bytes
    by_einsum: 140,  # torch copies a gradient that arrives transposed into the order of its weight, 5 * 7 * 4
    arithmetic: 28,
    through_a_view: 280,  # an operation in place on a part is one beside it, and a write
}
"""Bytes by which the peak of a step is known to be off, at most."""


def parts() -> dict[str, Any]:
    order = torch.tensor([6, 0, 2])
    return {"f": nn.Linear(5, 7), "g": nn.Linear(5, 7), "h": nn.Linear(7, 3), "order": order}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("forward", FORWARDS, ids=lambda each: f"{each.__name__}{each.__code__.co_firstlineno}")
def test_forward(forward: Forward, training: bool) -> None:
    held(Holder(forward, **parts()).train(training), on(5), off=OFF.get(forward, 0))
